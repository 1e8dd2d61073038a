"""The cache while the database is missing or its connection is lost."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest
from sqlalchemy import text

from bookapi import create_app
from bookapi.auth import accounts, passwords
from bookapi.catalogue import CurrentRevision
from bookapi.db import db
from bookapi.db.sqlite import sqlite3
from bookapi.site.commands import _upgrade as upgrade
from helpers.caching import BOOKS, CACHED, TAGGED, comparable, connections
from helpers.instance import PASSWORD, SECRET, Auth
from helpers.support import sqlite_url


@pytest.fixture
def on_files(tmp_path):
    """Two applications on one SQLite file, whatever the suite runs on, the second of which
    caches nothing.
    """
    made, folder = [], tmp_path / "own"
    for room in (16 * 1024 * 1024, 0):
        made.append(
            create_app(
                {
                    "TESTING": True,
                    "INSTANCE_PATH": str(folder),
                    "SECRET_KEY": SECRET,
                    "DATABASE_URL": sqlite_url(folder),
                    "DATABASE_WAIT_SECONDS": 1,
                    "PROPAGATE_EXCEPTIONS": False,
                    "ANSWER_CACHE_BYTES": room,
                }
            )
        )
    with made[0].app_context():
        db.dialect.create_file()
        upgrade()
        db.write(accounts.add, "admin", passwords.make_hash(PASSWORD), "admin")
    admins = [app.test_client() for app in made]
    assert [Auth(admin).login().status_code for admin in admins] == [200, 200]
    for book in BOOKS:
        admins[0].post("/books", json=book)
    yield admins[0], [app.test_client(use_cookies=False) for app in made], folder / "bookapi.sqlite"
    for app in made:
        with app.app_context():
            db.engine.dispose()


def _statuses(clients, addresses=TAGGED):
    return [[client.get(address).status_code for address in addresses] for client in clients]


def _moved(file):
    for path in sorted(file.parent.glob("bookapi.sqlite*")):
        os.rename(path, path.with_name("away-" + path.name))


def _moved_back(file):
    for path in sorted(file.parent.glob("away-*")):
        os.rename(path, path.with_name(path.name.removeprefix("away-")))


@pytest.mark.parametrize("read_before", [False, True])
def test_a_missing_database_gives_the_same_with_and_without_a_cache(on_files, read_before):
    admin, clients, file = on_files
    if read_before:
        assert _statuses(clients) == [[200] * len(TAGGED)] * 2
    _moved(file)
    for _ in range(2):
        cached, without = _statuses(clients)
        assert cached == without and set(without) <= {200, 503}
        assert [client.get("/readyz").status_code for client in clients] == [503, 503]
    assert admin.patch("/books/1", json={"pages": 1}).status_code == 503
    _moved_back(file)
    assert admin.patch("/books/1", json={"pages": 2}).status_code == 200
    for _ in range(2):
        answers = [[comparable(client.get(address)) for address in TAGGED] for client in clients]
        assert answers[0] == answers[1] and {answer[0] for answer in answers[0]} == {"200 OK"}
    assert clients[0].get("/books/1").json["pages"] == 2


def test_a_missing_database_gives_the_same_in_new_threads(on_files):
    admin, clients, file = on_files
    for client in clients:
        client.get("/books")
        with client.application.app_context():
            db.engine.dispose()
    _moved(file)
    with ThreadPoolExecutor(1) as pool:  # has nothing open yet
        gone = pool.submit(_statuses, clients).result()
        _moved_back(file)
        back = pool.submit(_statuses, clients).result()
    assert gone[0] == gone[1] == [200] + [503] * (len(TAGGED) - 1)
    assert back == [[200] * len(TAGGED)] * 2


@pytest.mark.slow
def test_nothing_is_served_from_the_cache_if_the_state_cannot_be_read(
    reader, uncached, entered, monkeypatch
):
    for address in CACHED:
        reader.get(address)
    entered.clear()
    with monkeypatch.context() as patch:
        patch.setattr(CurrentRevision, "now", lambda state: None)
        without = [comparable(uncached.get(address)) for address in CACHED]
        assert [comparable(reader.get(address)) for address in CACHED] == without
    assert len(entered) == len(CACHED) - 1  # the service document depends on no database


@pytest.fixture
def without_state(app, editor):
    """The catalogue without its one row, as for a moment while a dump is read in."""

    def run(statement):
        with app.app_context():
            db.write(lambda session: session.execute(text(statement)))

    run("DELETE FROM catalogue")
    yield
    run("INSERT INTO catalogue (id, seq, revision, last_id, total) VALUES (1, 3, 3, 3, 3)")


def test_nothing_is_served_from_the_cache_if_the_state_is_missing(without_state, reader, uncached):
    for address in ("/", "/books/1", "/healthz", "/nowhere"):
        assert comparable(reader.get(address)) == comparable(uncached.get(address))


def _lose(connection):
    if isinstance(connection, sqlite3.Connection):
        connection.close()
    else:
        with contextlib.suppress(pymysql.err.Error):  # the answer to it is lost as well
            connection.kill(connection.thread_id())


def test_a_lost_connection_is_reopened(editor, reader, uncached, monkeypatch):
    with editor.application.app_context():
        kind = type(db.dialect)
    opened, open_one = [], kind.watch
    monkeypatch.setattr(kind, "watch", lambda *args: opened.append(open_one(*args)) or opened[-1])
    client = editor.application.test_client(use_cookies=False)

    def ask():
        return [comparable(client.get("/books/1")) for _ in range(3)] == [
            comparable(uncached.get("/books/1"))
        ] * 3

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result()
        _lose(opened[0]._connection)
        editor.patch("/books/2", json={"pages": 1})
        assert pool.submit(ask).result()
    assert len(opened) == 2


@pytest.mark.slow
def test_ended_threads_leave_no_connection(reader):
    reader.get("/books")
    before = connections()
    for _ in range(10):
        thread = threading.Thread(target=lambda: reader.application.test_client().get("/books/1"))
        thread.start()
        thread.join()
    assert connections() <= before + 2
