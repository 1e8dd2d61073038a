"""Writers of one process on one SQLite file: turns, and commits that several share."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import current_app
from sqlalchemy import insert, select
from werkzeug.exceptions import HTTPException

from bookapi.auth.models import User
from bookapi.db import Query, Writer, create_file, db, shares_commit
from bookapi.db import turns as module
from bookapi.db.extension import TURNS
from bookapi.db.sqlite import sqlite3
from bookapi.site.commands import _upgrade as upgrade
from helpers.instance import DATABASE_URL
from helpers.support import sqlite_url

PATIENCE = 10
NAMES = Query(select(User.name_key).where(User.name_key.like("unit-%")).order_by(User.name_key))
COLUMNS = {
    "username": "",
    "password_hash": "",
    "role": "member",
    "active": True,
    "provisional": False,
    "created_at": "2020-01-01 00:00:00.000000",
}


def _add(part, name):
    values = {**COLUMNS, "name_key": name}
    statement = insert(User.__table__).values(dict.fromkeys(values))
    Writer(part).run(Query(statement), [values])
    return name


add = shares_commit(_add)


@shares_commit
def refuse(part, name):
    raise ValueError(name)


@shares_commit
def fail_half_way(part, name):
    _add(part, name)
    raise ValueError(name)


@pytest.fixture
def app(make_app, tmp_path):
    """An application on SQLite, whatever the tests run on: a server lets writers wait in a way of its own."""
    if not DATABASE_URL:
        return make_app()
    app = make_app(DATABASE_URL=sqlite_url(tmp_path))
    with app.app_context():
        create_file()
        upgrade()
    return app


def until(condition):
    """Wait for a condition that another thread brings about."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.001)


@pytest.fixture
def names(app):
    """A function that gives what is stored, as any reader sees it."""

    def read():
        with app.app_context(), db.read() as reader:
            return [name for (name,) in reader.rows(NAMES)]

    return read


@pytest.fixture
def commits(app, monkeypatch):
    """How many units each transaction had that ended, kept or not."""
    ended, end = [], module._Shared.end

    def noted(self, keep=True):
        ended.append((self.units, keep))
        end(self, keep)

    monkeypatch.setattr(module._Shared, "end", noted)
    return ended


@pytest.fixture
def in_line(app):
    """A function that has units wait behind one that has begun, in that order, and gives what became of each."""

    def run(*units):
        begun, go_on = threading.Event(), threading.Event()
        with app.app_context():
            turns = current_app.extensions[TURNS]

        @shares_commit
        def first(part):
            begun.set()
            assert go_on.wait(PATIENCE)
            return _add(part, "unit-0")

        def done(operation, *args):
            with app.app_context():
                try:
                    return db.write(operation, *args)
                except (ValueError, HTTPException) as error:
                    return error

        with ThreadPoolExecutor(len(units) + 1) as pool:
            futures = [pool.submit(done, first)]
            assert begun.wait(PATIENCE)
            for place, operation in enumerate(units, 1):
                futures.append(pool.submit(done, operation, f"unit-{place}"))
                until(lambda: turns._waiting >= place or futures[-1].done())
            go_on.set()
            return [future.result(PATIENCE) for future in futures]

    return run


def test_units_that_wait_are_committed_together(in_line, names, commits, monkeypatch):
    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    every = [f"unit-{place}" for place in range(6)]
    assert (sorted(in_line(*[add] * 5)), names()) == (every, every)
    assert commits == [(6, True)]


def test_one_alone_is_committed_at_once(app, names, commits):
    with app.app_context():
        assert (db.write(add, "unit-1"), names(), commits) == ("unit-1", ["unit-1"], [(1, True)])


def test_no_transaction_grows_without_end(in_line, names, commits, monkeypatch):
    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    monkeypatch.setattr(module, "MAX_UNITS", 2)
    in_line(*[add] * 4)
    assert (len(names()), commits) == (5, [(2, True), (2, True), (1, True)])


def test_no_transaction_stays_open_for_long(in_line, commits, monkeypatch):
    monkeypatch.setattr(module, "MAX_SECONDS", 0)
    in_line(add, add)
    assert commits == [(1, True)] * 3


def test_a_unit_that_is_refused_takes_nobody_with_it(in_line, names, commits, monkeypatch):
    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    told = in_line(add, refuse, add)
    assert [str(what) for what in told] == ["unit-0", "unit-1", "unit-2", "unit-3"]
    assert (
        isinstance(told[2], ValueError)
        and names() == ["unit-0", "unit-1", "unit-3"]
        and commits == [(4, True)]
    )


def test_a_unit_that_fails_half_way_is_taken_back_and_the_others_are_run_again(
    in_line, names, monkeypatch
):
    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    told = in_line(add, fail_half_way, add)
    assert isinstance(told[2], ValueError)
    assert (told[:2], told[3:], names()) == (
        ["unit-0", "unit-1"],
        ["unit-3"],
        ["unit-0", "unit-1", "unit-3"],
    )


def test_what_stands_against_the_rules_of_the_database_is_a_409_for_the_one_who_did_it(
    in_line, names, monkeypatch
):
    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    again = shares_commit(lambda part, name: _add(part, "unit-0"))
    told = in_line(again, add)
    assert (told[1].code, told[0], told[2], names()) == (
        409,
        "unit-0",
        "unit-2",
        ["unit-0", "unit-2"],
    )


def _spoil(monkeypatch):
    """From here on every transaction is lost at its end."""
    end = module._Shared.end

    def spoilt(self, keep=True):
        self.failure = sqlite3.OperationalError("no such table: spoilt")
        end(self, keep=False)

    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    monkeypatch.setattr(module._Shared, "end", spoilt)


def test_a_commit_that_fails_is_told_to_all_who_took_part(in_line, names, monkeypatch):
    _spoil(monkeypatch)
    told = in_line(add, refuse, add)
    assert [what.code for what in told] == [503] * 4 and names() == []


def test_one_that_is_refused_hears_of_a_lost_transaction_first(in_line, monkeypatch):
    """What it was refused for may be what was lost."""
    _spoil(monkeypatch)
    assert in_line(refuse)[1].code == 503


def test_a_transaction_that_was_left_to_one_who_gave_up_is_committed_all_the_same(
    app, names, commits, monkeypatch
):
    with app.app_context():
        turns = current_app.extensions[TURNS]
        turns._share(1)  # somebody who will never come
        try:
            assert (db.write(add, "unit-1"), names(), commits) == (
                "unit-1",
                ["unit-1"],
                [(1, True)],
            )
        finally:
            turns._share(-1)


def test_a_unit_of_the_other_kind_first_ends_what_is_open(app, names, commits, monkeypatch):
    monkeypatch.setattr(module, "LOOK_SECONDS", PATIENCE)
    monkeypatch.setattr(module, "MAX_SECONDS", PATIENCE)
    with app.app_context(), ThreadPoolExecutor(1) as pool:
        turns = current_app.extensions[TURNS]
        turns._share(1)

        def write():
            with app.app_context():
                return db.write(add, "unit-1")

        waiting = pool.submit(write)
        until(lambda: turns._open is not None and turns._open.units)
        assert (
            db.write(
                lambda session: len(
                    session.scalars(select(User).where(User.name_key == "unit-1")).all()
                )
            )
            == 1
        )
        assert waiting.result(1) == "unit-1"
        turns._share(-1)
    assert (names(), commits) == (["unit-1"], [(1, True)])


def test_who_waits_too_long_is_told_so(app, make_app, monkeypatch):
    with app.app_context():
        turns = current_app.extensions[TURNS]
        monkeypatch.setattr(turns, "_wait", 0.05)
        with turns.alone(), pytest.raises(HTTPException) as told:
            db.write(add, "unit-1")
        assert told.value.code == 503
        assert db.write(add, "unit-1") == "unit-1"


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
