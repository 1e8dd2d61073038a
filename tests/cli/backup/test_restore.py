"""Backups, put back whole or not at all."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from bookapi.db import db
from bookapi.db.schema import known_revisions
from bookapi.db.sqlite import sqlite3
from helpers.backups import BOOKS, MARK, MORE, comparable, in_file, run
from helpers.instance import DATA, PASSWORD
from helpers.support import (
    environment,
    in_database,
    sqlite_url,
    store,
)


def spoil(path, statement, *values):
    """Change a database file behind the program's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_a_backup_makes_an_instance_where_there_was_none(filled, other, tmp_path):
    run(filled, "backup", tmp_path / "file")
    before = (tmp_path / "file").read_bytes()
    assert "3 books" in run(other, "restore", tmp_path / "file")
    assert comparable(in_database(other)) == comparable(in_database(filled))
    assert (tmp_path / "file").read_bytes() == before
    assert stat.S_IMODE((tmp_path / "new" / "folder" / "bookapi.sqlite").stat().st_mode) == 0o600
    assert [book["id"] for book in other.test_client().get("/books?q=jane").json["books"]] == [1]
    run(other, "check")


@pytest.mark.slow
def test_books_are_replaced_only_when_told_to(filled, tmp_path):
    run(filled, "backup", tmp_path / "file")
    wanted = in_database(filled)
    store(filled, *MORE)
    before = in_database(filled)
    said = run(filled, "restore", tmp_path / "file", status=1)
    assert "604 books" in said and "--force" in said
    assert in_database(filled) == before
    run(filled, "restore", tmp_path / "file", "--force")
    found = comparable(in_database(filled))
    [(_, seq, *_)] = found.pop("catalogue")
    assert found == {name: rows for name, rows in comparable(wanted).items() if name != "catalogue"}
    assert seq == before["catalogue"][0][1], "a number of the feed would come again"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_restored_catalogue_goes_on(filled, tmp_path):
    run(filled, "backup", tmp_path / "file")
    run(filled, "restore", tmp_path / "file", "--force")
    store(filled, {"title": "Persuasion", "authors": ["Jane Austen"]})
    found = filled.test_client().get("/books?q=austen").json
    assert sorted(book["id"] for book in found["books"]) == [1, 5]
    run(filled, "check")


def test_a_book_that_a_restore_took_back_leaves_its_id_to_nobody(filled, tmp_path):
    run(filled, "backup", tmp_path / "file")
    store(filled, {"title": "Lost"})
    run(filled, "restore", tmp_path / "file", "--force")
    store(filled, {"title": "Persuasion"})
    assert filled.test_client().get("/books?sort=-id&limit=1").json["books"][0]["id"] == 6


def test_a_running_service_shows_the_new_state_at_once(make_app, tmp_path):
    service, console = make_app(), make_app()
    client = service.test_client()
    store(service, BOOKS[0])
    run(console, "backup", tmp_path / "file")
    store(service, BOOKS[1])
    assert [client.get("/books").json["total"] for _ in range(2)] == [
        2,
        2,
    ]  # from memory, the second time
    run(console, "restore", tmp_path / "file", "--force")
    assert client.get("/books").json["total"] == 1
    assert client.get("/books/2").status_code == 404
    store(service, BOOKS[2])
    assert [book["title"] for book in client.get("/books").json["books"]] == ["Emma", "Łódź"]


@pytest.mark.slow
def test_a_read_that_is_under_way_keeps_its_state_and_hinders_nobody(local, tmp_path):
    app, again = local(), local()
    store(app, BOOKS[0])
    run(again, "backup", tmp_path / "file")
    store(app, BOOKS[1])
    with app.app_context(), closing(db.engine.raw_connection()) as watch:
        version = watch.driver_connection.execute("PRAGMA data_version").fetchone()
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM books")) == 2
            run(again, "restore", tmp_path / "file", "--force")
            assert connection.scalar(text("SELECT count(*) FROM books")) == 2
        assert watch.driver_connection.execute("PRAGMA data_version").fetchone() != version
        assert watch.driver_connection.execute("SELECT count(*) FROM books").fetchone() == (1,)
        assert watch.driver_connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.slow
def test_nobody_stays_signed_in_behind_a_restore_and_passwords_are_those_of_the_backup(
    filled, admin, auth, tmp_path
):
    run(filled, "backup", tmp_path / "file")
    run(filled, "users", "disable", "member")
    assert admin.get("/auth/me").status_code == 200
    run(filled, "restore", tmp_path / "file", "--force")
    assert admin.get("/auth/me").status_code == 401
    assert auth.login("member", PASSWORD).status_code == 200


def test_each_restore_gives_the_state_another_name(filled, tmp_path):
    run(filled, "backup", tmp_path / "file")
    marks = [in_file(tmp_path / "file")["catalogue"][0][MARK]]
    for _ in range(2):
        run(filled, "restore", tmp_path / "file", "--force")
        marks.append(in_database(filled)["catalogue"][0][MARK])
    assert len(set(marks)) == 3


@pytest.fixture
def of_first_schema(tmp_path):
    """A backup that was made when the schema was 0004."""
    with closing(sqlite3.connect(tmp_path / "0004.sqlite")) as connection, connection:
        connection.executescript((DATA / "schema-0004.sql").read_text())
    return tmp_path / "0004.sqlite"


def test_a_backup_of_an_older_schema_is_brought_to_this_one(of_first_schema, other):
    before = of_first_schema.read_bytes()
    assert f"schema {known_revisions()[-1]}" in run(other, "restore", of_first_schema)
    assert of_first_schema.read_bytes() == before
    assert len(in_database(other)["books"]) == 6 and len(in_database(other)["history"]) == 12
    run(other, "check")


def test_a_backup_of_a_schema_before_the_first_release_is_refused(of_first_schema, other):
    spoil(of_first_schema, "UPDATE alembic_version SET version_num = '0002'")
    assert "bookapi books export" in run(other, "restore", of_first_schema, status=1)


def damage(path):
    """Write over a page in the midst of the file."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(b"\xa5" * 4096)


@pytest.mark.parametrize(
    "spoilt, said",
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "no ordinary file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "no ordinary file"),
        (lambda path: path.write_bytes(b""), "no schema"),
        (lambda path: path.write_text("title\nEmma\n" * 500), "not readable as a backup"),
        (lambda path: os.truncate(path, path.stat().st_size // 2), "not readable as a backup"),
        (damage, "damaged|malformed"),
        (
            lambda path: spoil(path, "UPDATE alembic_version SET version_num = '9999'"),
            "use the newer program",
        ),
        (lambda path: spoil(path, "DROP TABLE alembic_version"), "no schema"),
        (lambda path: spoil(path, "DELETE FROM catalogue"), "no row"),
        (lambda path: spoil(path, "DELETE FROM history WHERE seq = 3"), "history"),
        (lambda path: spoil(path, "DELETE FROM history WHERE seq = 6"), "history"),
        (lambda path: spoil(path, "DELETE FROM books WHERE id = 3"), "refers to"),
        (lambda path: spoil(path, "UPDATE catalogue SET total = 9"), "total"),
        (lambda path: spoil(path, "UPDATE catalogue SET seq = 9223372036854775807"), "should be"),
        (lambda path: spoil(path, "UPDATE catalogue SET last_id = 'many'"), "should be"),
        (
            lambda path: spoil(path, "UPDATE books SET authors = '{' WHERE id = 3"),
            r"lists: 1 book \(3\)",
        ),
        (
            lambda path: spoil(path, "UPDATE books SET subjects = 'null' WHERE id = 3"),
            r"lists: 1 book \(3\)",
        ),
        (lambda path: spoil(path, "DROP TABLE idempotency_keys"), "idempotency_keys"),
        (lambda path: spoil(path, "DROP TABLE book_words_index"), "book_words_index"),
        (lambda path: spoil(path, "ALTER TABLE books DROP COLUMN edition"), "books"),
        (
            lambda path: spoil(
                path, "CREATE TRIGGER t AFTER INSERT ON books BEGIN DELETE FROM books; END"
            ),
            "tables",
        ),
    ],
)
def test_what_is_no_good_backup_is_told_and_nothing_changes(filled, tmp_path, spoilt, said):
    path = tmp_path / "file"
    run(filled, "backup", path)
    before = in_database(filled)
    spoilt(path)
    line = run(filled, "restore", path, "--force", status=1)
    assert re.search(said, line) and str(path) in line
    assert in_database(filled) == before


def test_what_is_no_good_backup_makes_no_instance(other, tmp_path):
    (tmp_path / "file").write_text("nothing of the kind")
    run(other, "restore", tmp_path / "file", status=1)
    assert not (tmp_path / "new").exists()


def test_a_database_in_the_way_that_is_spoilt_is_left_to_its_owner(filled, local, tmp_path):
    run(filled, "backup", tmp_path / "file")
    app = local()
    path = tmp_path / "local" / "bookapi.sqlite"
    with app.app_context():
        db.engine.dispose()
    path.write_bytes(b"once a database " * 500)
    assert "move it away" in run(app, "restore", tmp_path / "file", "--force", status=1)
    assert path.read_bytes() == b"once a database " * 500


@pytest.mark.slow
def test_a_restore_that_cannot_have_the_lock_gives_up(local, tmp_path):
    app = local(DATABASE_WAIT_SECONDS=1)
    store(app, BOOKS[0])
    run(app, "backup", tmp_path / "file")
    with closing(
        sqlite3.connect(tmp_path / "local" / "bookapi.sqlite", isolation_level=None)
    ) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert "took too long" in run(app, "restore", tmp_path / "file", "--force", status=1)
        run(app, "backup", tmp_path / "another")  # nor does it wait for anybody
    assert len(in_database(app)["books"]) == 1


@pytest.mark.slow
def test_a_restore_that_is_killed_leaves_the_old_state_or_the_new_one(local, tmp_path):
    app, folder = local(), tmp_path / "local"
    store(
        app, *[{"title": f"New {number}", "description": "long " * 3000} for number in range(400)]
    )
    run(app, "backup", tmp_path / "file")
    wanted = comparable(in_database(app))
    store(app, {"title": "Old"})
    old = comparable(in_database(app))
    with app.app_context():
        db.engine.dispose()  # the log is empty from here on
    process = subprocess.Popen(
        [sys.executable, "-m", "bookapi", "restore", "--force", tmp_path / "file"],
        env=environment(tmp_path, DATABASE_URL=sqlite_url(folder)),
        stdout=subprocess.DEVNULL,
    )
    log, until = folder / "bookapi.sqlite-wal", time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        if log.exists() and log.stat().st_size > 500_000:  # of some thirteen million
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    assert comparable(in_database(app)) in (old, wanted)
    shutil.rmtree(next(folder.glob(".bookapi-*")))
    run(app, "check")
