"""The write queue of one process on one SQLite file: savepoints, and commits that several
operations share.
"""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, insert, select
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from bookapi.auth.models import User
from bookapi.db import db, queue
from bookapi.db.extension import EXTENSION
from bookapi.db.sqlite import sqlite3
from bookapi.site.commands import _upgrade as upgrade
from helpers.database import run_operations_again
from helpers.instance import DATABASE_URL
from helpers.support import sqlite_url
from helpers.waiting import wait_until

PATIENCE = 10
NAMES = select(User.name_key).where(User.name_key.like("unit-%")).order_by(User.name_key)
COLUMNS = {
    "username": "",
    "password_hash": "",
    "role": "member",
    "active": True,
    "provisional": False,
}


def add(connection, name):
    connection.execute(insert(User.__table__).values(**COLUMNS, name_key=name))
    return name


def refuse(connection, name):
    raise ValueError(name)


def fail_half_way(connection, name):
    add(connection, name)
    raise ValueError(name)


@pytest.fixture
def app(make_app, tmp_path):
    """An application on SQLite, whatever the tests run on."""
    if not DATABASE_URL:
        return make_app()
    app = make_app(DATABASE_URL=sqlite_url(tmp_path))
    with app.app_context():
        db.dialect.create_file()
        upgrade()
    return app


@pytest.fixture
def writes(app):
    return app.extensions[EXTENSION].queue


@pytest.fixture
def names(app):
    """A function that gives what is stored, as any reader sees it."""

    def read():
        with app.app_context(), db.read() as connection:
            return list(connection.scalars(NAMES))

    return read


@pytest.fixture
def commits(app):
    """One entry for each transaction that was committed."""
    ended = []
    with app.app_context():
        engine = db.engine

    def note(connection):
        ended.append(connection)

    event.listen(engine, "commit", note)
    yield ended
    event.remove(engine, "commit", note)


@pytest.fixture
def in_line(app, writes, monkeypatch):
    """A function that has operations wait behind one that runs, in this order, and returns each
    one's outcome.
    """
    monkeypatch.setattr(queue, "MAX_SHARED_SECONDS", PATIENCE)

    def run(*operations, **options):
        begun, go_on = threading.Event(), threading.Event()

        def first(connection):
            begun.set()
            assert go_on.wait(PATIENCE)
            return add(connection, "unit-0")

        def outcome(operation, *args, **options):
            with app.app_context():
                try:
                    return db.write(operation, *args, **options)
                except (ValueError, HTTPException) as error:
                    return error

        with ThreadPoolExecutor(len(operations) + 1) as pool:
            futures = [pool.submit(outcome, first)]
            assert begun.wait(PATIENCE)
            for place, operation in enumerate(operations, 1):
                futures.append(pool.submit(outcome, operation, f"unit-{place}", **options))
                wait_until(lambda place=place: len(writes._waiting) >= place or futures[-1].done())
            go_on.set()
            return [future.result(PATIENCE) for future in futures]

    return run


def test_operations_that_wait_are_committed_together(in_line, names, commits):
    every = [f"unit-{place}" for place in range(6)]
    assert (sorted(in_line(*[add] * 5)), names(), len(commits)) == (every, every, 1)


def test_an_operation_alone_is_committed_at_once(app, names, commits):
    with app.app_context():
        assert (db.write(add, "unit-1"), names(), len(commits)) == ("unit-1", ["unit-1"], 1)


def test_a_commit_is_shared_by_a_bounded_number_of_operations(in_line, names, commits, monkeypatch):
    monkeypatch.setattr(queue, "MAX_SHARED", 2)
    in_line(*[add] * 4)
    assert (len(names()), len(commits)) == (5, 3)


def test_no_transaction_stays_open_for_long(in_line, commits, monkeypatch):
    monkeypatch.setattr(queue, "MAX_SHARED_SECONDS", 0)
    in_line(add, add)
    assert len(commits) == 3


def test_an_operation_that_takes_long_shares_no_commit(in_line, commits):
    in_line(add, add, alone=True)
    assert len(commits) == 3


@pytest.mark.parametrize("failing", [refuse, fail_half_way])
def test_an_operation_that_fails_rolls_back_its_own_changes_alone(in_line, names, commits, failing):
    runs = []

    def counted(connection, name):
        runs.append(name)
        return add(connection, name)

    outcomes = in_line(counted, failing, counted)
    assert isinstance(outcomes[2], ValueError)
    assert (outcomes[:2], outcomes[3:]) == (["unit-0", "unit-1"], ["unit-3"])
    assert (names(), len(commits)) == (["unit-0", "unit-1", "unit-3"], 1)
    assert runs == ["unit-1", "unit-3"], "nobody is run twice"


def test_a_violated_constraint_is_a_409_for_its_operation_alone(in_line, names):
    outcomes = in_line(lambda connection, name: add(connection, "unit-0"), add)
    assert (outcomes[1].code, outcomes[0], outcomes[2]) == (409, "unit-0", "unit-2")
    assert names() == ["unit-0", "unit-2"]


def test_a_commit_that_fails_fails_all_its_operations(app, in_line, names):
    def spoil(connection):
        connection.connection.driver_connection.rollback()
        raise sqlite3.OperationalError("no such table: spoilt")

    with app.app_context():
        engine = db.engine
    event.listen(engine, "commit", spoil)
    outcomes = in_line(add, add)
    event.remove(engine, "commit", spoil)
    assert [outcome.code for outcome in outcomes] == [503] * 3 and names() == []


def test_a_transaction_that_the_database_rolled_back_fails_all_its_operations(in_line, names):
    def lose(connection, name):
        connection.connection.driver_connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("no such table: lost")

    outcomes = in_line(add, lose, add)
    assert [outcome.code for outcome in outcomes[:3]] == [503] * 3
    assert outcomes[3] == "unit-3" and names() == ["unit-3"]


def test_an_operation_that_waits_too_long_is_a_503_and_does_not_run_later(
    app, writes, names, monkeypatch
):
    begun, go_on = threading.Event(), threading.Event()

    def first(connection):
        begun.set()
        assert go_on.wait(PATIENCE)

    def hold():
        with app.app_context():
            db.write(first)

    with ThreadPoolExecutor(1) as pool, app.app_context():
        holding = pool.submit(hold)
        assert begun.wait(PATIENCE)
        with pytest.raises(ServiceUnavailable):
            db.write(add, "unit-1", wait=0.05)
        go_on.set()
        holding.result(PATIENCE)
        assert db.write(add, "unit-2") == "unit-2"
    assert names() == ["unit-2"]


def test_one_too_many_gives_up_soon_and_at_once_where_nothing_ends(app, writes, monkeypatch):
    monkeypatch.setattr(queue, "IMPATIENT_SECONDS", 0.2)
    writes.max_waiting = 0
    begun, go_on = threading.Event(), threading.Event()

    def first(connection):
        begun.set()
        assert go_on.wait(PATIENCE)

    def hold():
        with app.app_context():
            db.write(first)

    def refused():
        started = time.monotonic()
        with pytest.raises(ServiceUnavailable):
            db.write(add, "unit-1")
        return time.monotonic() - started

    with ThreadPoolExecutor(1) as pool, app.app_context():
        holding = pool.submit(hold)
        assert begun.wait(PATIENCE)
        assert refused() < 0.5
        time.sleep(0.2)
        assert refused() < 0.1
        go_on.set()
        holding.result(PATIENCE)
        assert db.write(add, "unit-2") == "unit-2"


def test_functions_for_after_the_commit_are_called_if_it_was_committed(app):
    called = []

    def operation(connection, name, error=None):
        db.on_commit(connection, called.append, name)
        if error:
            raise error

    with app.app_context():
        db.write(operation, "unit-1")
        with pytest.raises(ValueError):
            db.write(operation, "unit-2", error=ValueError())
    assert called == ["unit-1"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_thread_that_dies_fails_its_operations_and_is_started_again(
    app, writes, names, monkeypatch
):
    def die(self):
        raise SystemExit

    with app.app_context():
        with monkeypatch.context() as patch:
            patch.setattr(queue.WriteQueue, "_commit_some", die)
            with pytest.raises(ServiceUnavailable):
                db.write(add, "unit-1")
        assert db.write(add, "unit-2") == "unit-2"
    assert names() == ["unit-2"]


def test_an_idle_thread_ends_and_the_next_operation_starts_another(app, writes, names, monkeypatch):
    monkeypatch.setattr(queue, "IDLE_SECONDS", 0.01)
    with app.app_context():
        db.write(add, "unit-1")
        wait_until(lambda: writes._thread is None)
        assert db.write(add, "unit-2") == "unit-2"
    assert names() == ["unit-1", "unit-2"]


def test_many_threads_at_once_lose_nothing(app, names):
    def write(number):
        with app.app_context():
            try:
                return db.write(
                    (refuse, fail_half_way, add, add, add, add)[number % 6], f"unit-{number:03}"
                )
            except ValueError:
                return None

    with ThreadPoolExecutor(16) as pool:
        stored = [name for name in pool.map(write, range(240)) if name]
    assert len(stored) == 160 and names() == stored


@pytest.mark.parametrize("own_commits", [False, True])
def test_a_thread_that_ends_is_a_503_for_changes_and_for_readiness_until_one_works(
    app, names, own_commits
):
    """(An engine's event stands for a fault that no `except` expects.)"""
    if own_commits:
        run_operations_again(app)

    def die(connection):
        raise SystemExit

    client = app.test_client()
    with app.app_context():
        event.listen(db.engine, "commit", die)
        with pytest.raises(ServiceUnavailable):
            db.write(add, "unit-1")
        assert [client.get("/readyz").status_code for _ in range(2)] == [503, 503]
        event.remove(db.engine, "commit", die)
        assert client.get("/readyz").status_code == 200
        assert db.write(add, "unit-2") == "unit-2"
    assert names() == ["unit-2"]


@pytest.mark.parametrize("own_commits", [False, True])
def test_a_change_right_behind_one_that_ended_the_thread_is_made(app, own_commits, monkeypatch):
    if own_commits:
        run_operations_again(app)

    def die(connection):
        raise SystemExit

    with app.app_context():
        monkeypatch.setattr(queue.log, "exception", lambda *_: time.sleep(0.2))
        event.listen(db.engine, "commit", die)
        with pytest.raises(ServiceUnavailable):
            db.write(add, "unit-1")
        event.remove(db.engine, "commit", die)
        assert db.write(add, "unit-2") == "unit-2"


def test_a_thread_that_cannot_be_started_is_a_503_for_changes_and_for_readiness(
    app, names, monkeypatch
):
    def refuse_to_start(thread):
        raise RuntimeError("can't start new thread")

    client = app.test_client()
    with app.app_context():
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse_to_start)
            with pytest.raises(ServiceUnavailable):
                db.write(add, "unit-1")
            assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").status_code == 200
        assert db.write(add, "unit-2") == "unit-2"
    assert names() == ["unit-2"]


def test_changes_have_a_connection_of_their_own_with_a_larger_page_cache(app):
    def about(connection):
        driver = connection.connection.driver_connection
        return connection.exec_driver_sql("PRAGMA cache_size").scalar_one(), id(driver)

    with app.app_context():
        with db.read() as connection:
            reading = about(connection)
        writing = db.write(about)
        with db.read() as connection:
            assert about(connection) == reading != writing == db.write(about)
    assert writing[0] == -32 * 1024


BEGIN = """import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")"""


def test_closing_during_a_change_leaves_its_locks(app, names):
    begun, go_on = threading.Event(), threading.Event()

    def change(connection):
        add(connection, "unit-0")
        begun.set()
        assert go_on.wait(PATIENCE)

    def write():
        with app.app_context():
            db.write(change)

    def begin_in_another_process():
        command = [sys.executable, "-c", BEGIN, db.dialect.file]
        return subprocess.run(command, capture_output=True, text=True).stderr

    with app.app_context(), ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert begun.wait(PATIENCE)
        db.close()
        found = begin_in_another_process()
        go_on.set()
        writing.result(PATIENCE)
        assert "database is locked" in found
        db.close()
        assert not begin_in_another_process()
    assert names() == ["unit-0"]
