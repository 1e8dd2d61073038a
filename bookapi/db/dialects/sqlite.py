"""SQLite: one file in WAL mode, one writer at a time."""

import math
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, interfaces
from sqlalchemy.sql.elements import ClauseElement

from ..failures import FileFault
from ..search import Fts5
from ..sqlite import sqlite3
from .base import Dialect, Watch
from .sqlite_file import FileGuard

POOL_SIZE = 64  # at least the number of threads: nobody waits for a connection
# FULL: with NORMAL a power cut may take acknowledged changes back.
PRAGMAS = ("synchronous = FULL", "foreign_keys = ON")
# Steps of SQLite's virtual machine between two looks at the clock. A list of 20 takes one or two
# thousand. Inside a full-text search a step may take a tenth of a millisecond: with many more it
# would stop seconds late.
PROGRESS_STEPS = 5_000
MAX_MARKED = 10_000_000
_DRIVER = "bookapi.driver"  # in the `info` of a connection: that of the driver, with its Deadline
_STACK = "bookapi.stack"  # in the `info` of a connection: where it stays while it is idle
# KiB of pages that a connection which writes keeps in memory. (SQLite's default is 2,000; one that
# reads drops them after each commit of another connection.)
WRITER_CACHE = 32 * 1024


class Deadline:
    """When work on a connection is interrupted (SQLITE_INTERRUPT)."""

    __slots__ = ("end",)

    def __init__(self, connection: Any):
        self.end = math.inf
        connection.set_progress_handler(self._is_over, PROGRESS_STEPS)

    def _is_over(self) -> bool:
        return time.monotonic() > self.end


class SqliteDialect(Dialect):
    shares_commits = search_is_current = looks_up_fast = True
    looking_costs = 4
    full_text = Fts5

    def __init__(self, url: URL, wait: int):
        super().__init__(url, wait)
        self.path = self.file = Path(url.database or "")
        self._guard = FileGuard(self.path)
        # A connection that is never used: while there is one, no log is deleted.
        self._keeper: Any = None
        self._readers: list[Connection] = []
        self._writers: list[Connection] = []  # apart: their pages in memory stay right

    def engine_options(self) -> dict[str, Any]:
        return {
            "module": sqlite3,
            "creator": self.connect,
            "pool_size": POOL_SIZE,
            "max_overflow": -1,
            "pool_use_lifo": True,
            "hide_parameters": True,
        }

    def connect(self) -> Any:
        """A new connection of the driver."""
        # mode=rw: a missing file is an error, never a new and empty catalogue. Only `create_file`
        # makes one.
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw",
            uri=True,
            timeout=self.wait,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Reading the mode needs no lock, setting it does.
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "begin", begin)
        event.listen(engine, "connect", self._opened)
        event.listen(engine, "engine_disposed", self._disposed)

    def _opened(self, driver: Any, record: Any) -> None:
        record.info[_DRIVER] = driver, Deadline(driver)
        if self._keeper is None:
            self._keeper = self.connect()
        self._guard.note_opened()

    def _disposed(self, engine: Engine) -> None:
        for idle in (self._readers, self._writers):
            while idle:
                connection = idle.pop()
                connection.invalidate()
                connection.close()
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        self._guard.forget()

    def check_file(self) -> None:
        fault = self._guard.fault()
        if fault:
            raise FileFault(fault)

    def access_fault(self) -> str | None:
        return self._guard.fault() or self._guard.access_fault()

    def check_writable(self, connection: Connection) -> None:
        fault = self.access_fault()
        if fault:
            raise FileFault(fault)

    def create_file(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # readable by its owner alone

    def watch(self, engine: Engine) -> Watch:
        return SqliteWatch(self.connect(), engine.dialect, self._guard)

    def most_marked(self, connection: Connection) -> int:
        return MAX_MARKED

    def begin_read(self, engine: Engine, seconds: float | None) -> Connection:
        connection = self._take(engine, self._readers)
        driver, deadline = connection.info[_DRIVER]
        if seconds is not None:
            deadline.end = time.monotonic() + seconds
        driver.execute("BEGIN")
        return connection

    def begin_write(self, engine: Engine, seconds: float) -> Connection:
        connection = self._take(engine, self._writers)
        driver, _ = connection.info[_DRIVER]
        try:
            driver.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            # A plain BEGIN that reads and then writes either loses updates or fails at once with
            # SQLITE_BUSY.
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            self.end(connection)
            raise
        connection.begin()
        return connection

    def _take(self, engine: Engine, idle: list[Connection]) -> Connection:
        """One that is idle, else one of the pool. (The pool's checks cost as much as a small read,
        and nobody drops a connection to a file.)"""
        try:
            return idle.pop()
        except IndexError:
            connection = engine.connect()
            connection.info[_STACK] = idle
            if idle is self._writers:
                driver, _ = connection.info[_DRIVER]
                driver.execute(f"PRAGMA cache_size = -{WRITER_CACHE}")
            return connection

    def end(self, connection: Connection) -> None:
        if connection.invalidated:
            connection.close()
            return
        driver, deadline = connection.info[_DRIVER]
        deadline.end = math.inf
        connection.rollback()
        driver.rollback()  # of what SQLAlchemy did not begin
        connection.info[_STACK].append(connection)


def begin(connection: Connection) -> None:
    """Begin a transaction as the execution option `begin` says (the driver begins none by
    itself)."""
    driver, _ = connection.info[_DRIVER]
    if not driver.in_transaction:
        driver.execute(connection.get_execution_options().get("begin", "BEGIN"))


class SqliteWatch(Watch):
    """Runs the statement only where something was committed since."""

    def __init__(self, connection: Any, dialect: interfaces.Dialect, guard: FileGuard):
        super().__init__(connection, dialect)
        self._guard = guard
        self._state: bytes | None = None
        self._row: Any = None

    def newest(self, statement: ClauseElement) -> Any:
        state = self._guard.state()
        if state is None or state != self._state:
            # The state is read first: a commit in between is noticed at the next call.
            self._row, self._state = self.row(statement, {}), state
        return self._row
