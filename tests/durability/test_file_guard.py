"""The checks of a SQLite database's files while it is written to."""

import threading
from concurrent.futures import ThreadPoolExecutor

from bookapi.db.dialects.sqlite import sqlite3
from bookapi.db.dialects.sqlite_file import FileGuard

WRITES = 4000
THREADS = 4


def test_checks_by_several_threads_find_no_fault_while_the_log_is_copied(tmp_path):
    path = tmp_path / "books.sqlite"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for statement in (
        "PRAGMA journal_mode = wal",
        "PRAGMA synchronous = off",
        "PRAGMA wal_autocheckpoint = 4",
        "CREATE TABLE written (content)",
    ):
        connection.execute(statement)
    guard, ended = FileGuard(path), threading.Event()
    guard.note_opened()

    def check_until_ended():
        faults = set()
        while not ended.is_set():
            faults.add(guard.fault())
        return faults

    with ThreadPoolExecutor(THREADS) as pool:
        checks = [pool.submit(check_until_ended) for _ in range(THREADS)]
        for _ in range(WRITES):
            connection.execute("INSERT INTO written VALUES (randomblob(2000))")
        ended.set()
        faults = set().union(*(check.result(60) for check in checks))
    guard.forget()
    connection.close()
    assert faults == {None}
