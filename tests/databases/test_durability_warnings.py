"""Which SQLite is used, and what is said at the start where the database may lose or spoil what was
acknowledged.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import OperationalError

import bookapi
from bookapi import server
from bookapi.db import db
from bookapi.db.dialects import durability_warnings
from bookapi.db.sqlite import may_spoil, newer, sqlite3
from helpers.instance import DATABASE_URL
from helpers.support import SECONDS, environment

# -- which library ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "version, affected",
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
        ((3, 53, 4), False),
        ((4, 0, 0), False),
    ],
)
def test_the_versions_that_may_spoil_a_file_are_known(version, affected):
    assert may_spoil(version) is affected
    assert len(durability_warnings.library_warnings(version)) == affected


def test_the_warning_says_what_to_do():
    [line] = durability_warnings.library_warnings((3, 40, 1))
    assert "3.40.1" in line and "pip install pysqlite3" in line and "\n" not in line


def test_the_newer_library_is_taken_and_of_equals_the_first():
    old, new, same = (
        SimpleNamespace(sqlite_version_info=version)
        for version in ((3, 40, 1), (3, 53, 4), (3, 40, 1))
    )
    assert newer(old, new) is newer(new, old) is new
    assert newer(old, same) is old


def test_nothing_of_ours_imports_another_library():
    for path in Path(bookapi.__file__).parent.rglob("*.py"):
        imported = {
            name.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for name in node.names
        }
        assert path.name == "sqlite.py" or not imported & {"sqlite3", "pysqlite3"}, path


def test_the_engine_knows_the_errors_of_the_library(app):
    with app.app_context():
        dialect = db.engine.dialect
    assert (
        dialect.name != "sqlite"
        or dialect.dbapi is sqlite3
        and dialect.dbapi.Error is sqlite3.Error
    )


def test_the_library_has_all_that_is_asked_of_it(tmp_path):
    """What the service rests on, in whichever library was taken."""
    one, other = (
        sqlite3.connect(tmp_path / "file", isolation_level=None, timeout=0) for _ in range(2)
    )
    assert one.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    before = other.execute("PRAGMA data_version").fetchone()
    one.execute("CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'ascii', columnsize = 0)")
    assert other.execute("PRAGMA data_version").fetchone() != before
    assert one.execute("SELECT value FROM json_each('[1, 2]')").fetchall() == [(1,), (2,)]
    one.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError) as caught:
        other.execute("BEGIN IMMEDIATE")
    assert caught.value.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    one.rollback()
    with sqlite3.connect(":memory:") as copy:
        one.backup(copy)
    assert copy.execute("SELECT count(*) FROM words").fetchone() == (0,)
    for connection in (one, other, copy):
        connection.close()


# -- without pysqlite3 -----------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["pysqlite3"] = None  # as where it is not installed
import json, sqlite3
from bookapi import create_app
from bookapi.db import db
from bookapi.db.dialects.durability_warnings import durability_warnings
from bookapi.db.sqlite import sqlite3 as chosen
from bookapi.site.commands import _upgrade
from bookapi.books import changes
app = create_app({"TESTING": True})
with app.app_context():
    db.dialect.create_file()
    _upgrade()
    made = db.write(changes.create, {"title": "Emma", "authors": ["Jane Austen"]})
    warned = db.ask(durability_warnings, 1)
found = app.test_client().get("/books?q=emma").json["total"]
print(json.dumps([chosen is sqlite3, made["id"], found, len(warned), sqlite3.sqlite_version_info]))
"""


@pytest.mark.slow
def test_without_pysqlite3_python_has_a_library_too(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=environment(tmp_path, SECRET_KEY="of no use to anyone else, and long enough"),
    )
    assert done.returncode == 0, done.stderr
    *reported, warned, version = json.loads(done.stdout.splitlines()[-1])
    assert (reported, warned) == ([True, 1, 1], may_spoil(tuple(version)))


# -- the server ------------------------------------------------------------------------

MAX_BODY = 1024 * 1024
SAFE = {
    "innodb_flush_log_at_trx_commit": "1",
    "log_bin": "ON",
    "sync_binlog": "1",
    "innodb_doublewrite": "ON",
}


@pytest.mark.parametrize(
    "changed, named",
    [
        ({}, []),
        ({"innodb_flush_log_at_trx_commit": "0"}, ["innodb_flush_log_at_trx_commit is 0"]),
        ({"innodb_flush_log_at_trx_commit": "2"}, ["innodb_flush_log_at_trx_commit is 2"]),
        ({"innodb_flush_log_at_trx_commit": "3"}, []),
        ({"sync_binlog": "0"}, ["sync_binlog is 0"]),
        ({"sync_binlog": "100"}, ["sync_binlog is 100"]),
        ({"sync_binlog": "0", "log_bin": "OFF"}, []),
        ({"innodb_doublewrite": "OFF"}, ["innodb_doublewrite is OFF"]),
        ({"innodb_doublewrite": "fast"}, []),
        ({"innodb_doublewrite": "DETECT_AND_RECOVER"}, []),
        ({"max_allowed_packet": "1024"}, ["max_allowed_packet is 1024, less than MAX_BODY_BYTES"]),
        ({"max_allowed_packet": str(MAX_BODY)}, []),
        ({"read_only": "ON"}, ["read_only is ON"]),
        ({"read_only": "OFF"}, []),
        (
            {
                "innodb_flush_log_at_trx_commit": "2",
                "sync_binlog": "0",
                "innodb_doublewrite": "DETECT_ONLY",
            },
            [
                "innodb_flush_log_at_trx_commit is 2",
                "sync_binlog is 0",
                "innodb_doublewrite is DETECT_ONLY",
            ],
        ),
    ],
)
def test_a_server_that_may_lose_what_it_acknowledged_is_told_of(changed, named):
    reported = durability_warnings.server_warnings(SAFE | changed, MAX_BODY)
    assert [line.partition(":")[0] for line in reported] == named
    assert all(" set it to " in line for line in reported)


class Server:
    """A connection to a server that has these variables, or refuses to tell."""

    dialect = SimpleNamespace(name="mariadb")

    def __init__(self, variables):
        self.variables = variables

    def exec_driver_sql(self, statement):
        if self.variables is None:
            raise OperationalError(statement, {}, Exception("denied"))
        return SimpleNamespace(all=lambda: [*self.variables.items()])


@pytest.mark.parametrize(
    "variables, lines", [(SAFE, 0), ({}, 0), (None, 0), (SAFE | {"sync_binlog": "0"}, 1)]
)
def test_what_a_server_does_not_tell_is_no_warning(variables, lines):
    assert len(durability_warnings.durability_warnings(Server(variables), MAX_BODY)) == lines


def test_the_real_database_is_asked_and_answers(app):
    def asked(connection):
        return connection.exec_driver_sql(
            "SELECT @@global.innodb_flush_log_at_trx_commit, @@global.log_bin, "
            "@@global.sync_binlog, @@global.innodb_doublewrite"
        ).one()

    with app.app_context():
        warned = db.ask(durability_warnings.durability_warnings, MAX_BODY)
        if not DATABASE_URL:
            assert warned == durability_warnings.library_warnings(sqlite3.sqlite_version_info)
            return
        log, binary, sync, _ = db.ask(asked)
    assert any("trx_commit" in line for line in warned) == (log not in (1, 3))
    assert any("sync_binlog" in line for line in warned) == bool(binary and sync != 1)


# -- what will be refused --------------------------------------------------------------


def test_read_only_file_and_folder_are_reported_with_owner_and_mode(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everything
    file, folder = durability_warnings.file_warnings(path)
    assert str(path) in file and "mode 0444" in file and f"owner is user {os.getuid()}" in file
    assert str(tmp_path) in folder


def test_writable_file_is_no_warning(tmp_path):
    (tmp_path / "file").touch()
    assert durability_warnings.file_warnings(tmp_path / "file") == []


# -- at the start ----------------------------------------------------------------------


@pytest.fixture
def started(make_app, monkeypatch, capsys):
    """A function that starts the service, without serving, on a database like this; what it warns
    of.
    """
    monkeypatch.setattr(server, "work", lambda *what: None)
    monkeypatch.setenv(server.WORKER, "3,4,5,0,-1,1")

    def start(version, variables):
        library = SimpleNamespace(sqlite_version_info=version)
        monkeypatch.setattr(durability_warnings, "sqlite3", library)
        real = durability_warnings.server_warnings
        fake = lambda own, max_body: real(variables, max_body)  # noqa: E731
        monkeypatch.setattr(durability_warnings, "server_warnings", fake)
        result = make_app().test_cli_runner().invoke(args=["serve", "--workers", "3"])
        assert result.exit_code == 0, result.output
        return [line for line in capsys.readouterr().err.splitlines() if " warning " in line]

    return start


def test_the_start_warns_once_of_what_may_be_lost(started):
    [line] = started((3, 51, 2), SAFE | {"innodb_flush_log_at_trx_commit": "2"})
    assert ("innodb_flush_log_at_trx_commit is 2" if DATABASE_URL else "SQLite 3.51.2") in line


def test_a_worker_does_not_say_it_again(started, monkeypatch):
    monkeypatch.setenv(server.WORKER, "3,4,5,0,-1,0")
    assert started((3, 51, 2), SAFE | {"sync_binlog": "0"}) == []


def test_the_start_has_nothing_to_say_of_a_good_database(started):
    assert started((3, 51, 3), SAFE) == []
