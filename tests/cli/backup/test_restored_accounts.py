"""What must not come alive again with a backup, and which numbers go on."""

import threading
import time
from contextlib import closing, suppress

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from bookapi.auth import accounts
from bookapi.auth.models import Token
from bookapi.books import changes
from bookapi.books.models import Book
from bookapi.books.schemas import book_schema
from bookapi.db import db
from bookapi.db.sqlite import sqlite3
from bookapi.site import backup as site_backup
from helpers.backups import BOOKS, run
from helpers.support import in_database, store

# -- what must not come alive again ------------------------------------------------------


def add_tokens(app, *names):
    def operation(connection):
        owner = accounts.existing(connection, "admin").id
        row = {"user_id": owner, "scope": "read"}
        every = [row | {"name": name, "secret_hash": name} for name in names]
        connection.execute(insert(Token), every)

    with app.app_context():
        db.write(operation)


def tokens_of(app):
    with app.app_context(), Session(db.engine) as session:
        return set(session.scalars(select(Token.name)))


def test_a_token_that_was_revoked_since_the_backup_stays_revoked(filled, tmp_path):
    add_tokens(filled, "kept", "revoked")
    run(filled, "backup", tmp_path / "file")
    with filled.app_context():
        db.write(lambda session: session.execute(delete(Token).where(Token.name == "revoked")))
    add_tokens(filled, "made since")
    run(filled, "restore", tmp_path / "file", "--force")
    assert tokens_of(filled) == {"kept"}


def test_into_an_empty_database_all_tokens_come_back(filled, other, tmp_path):
    add_tokens(filled, "one", "two")
    run(filled, "backup", tmp_path / "file")
    run(other, "restore", tmp_path / "file")
    assert tokens_of(other) == {"one", "two"}


# -- numbers -----------------------------------------------------------------------------


@pytest.mark.slow
def test_no_id_is_given_twice_though_others_write_during_restores(make_app, tmp_path):
    service, console = make_app(), make_app()
    store(service, BOOKS[0])
    run(service, "backup", tmp_path / "file")
    given, over = [], threading.Event()

    def write():
        with service.app_context():
            while not over.is_set():
                with suppress(ServiceUnavailable):
                    book = db.write(changes.create, book_schema.load({"title": "One more"}))
                    given.append(book["id"])

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(6):
            time.sleep(0.05)
            run(console, "restore", tmp_path / "file", "--force")
    finally:
        over.set()
        for writer in writers:
            writer.join()
    assert len(given) > 10 and len(given) == len(set(given))
    run(console, "check")


def test_numbers_are_read_when_no_one_else_can_write(local, tmp_path, monkeypatch):
    app = local()
    store(app, BOOKS[0])
    run(app, "backup", tmp_path / "file")
    carry_over, tried = site_backup._carry_over, []

    def also_write(old, new, force):
        path = tmp_path / "local" / "bookapi.sqlite"
        with closing(sqlite3.connect(path, timeout=0)) as another:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                another.execute("UPDATE catalogue SET seq = 99")
            tried.append(True)
        carry_over(old, new, force)

    monkeypatch.setattr(site_backup, "_carry_over", also_write)
    run(app, "restore", tmp_path / "file", "--force")
    assert tried == [True]


def test_an_account_id_is_not_given_again_after_a_restore(filled, tmp_path):
    run(filled, "backup", tmp_path / "file")
    run(filled, "users", "add", "carla")
    [carla] = [row[0] for row in in_database(filled)["users"] if row[1] == "carla"]
    run(filled, "restore", tmp_path / "file", "--force")
    run(filled, "users", "add", "dora")
    [dora] = [row[0] for row in in_database(filled)["users"] if row[1] == "dora"]
    assert dora > carla


def test_ids_of_tokens_and_sessions_are_not_given_again_after_a_restore(filled, auth, tmp_path):
    run(filled, "backup", tmp_path / "file")
    assert auth.login().status_code == 200
    add_tokens(filled, "made since")
    before = in_database(filled)
    run(filled, "restore", tmp_path / "file", "--force")
    assert auth.login().status_code == 200
    add_tokens(filled, "new")
    after = in_database(filled)
    for table in ("tokens", "sessions"):
        assert after[table][0][0] > before[table][-1][0]


def test_a_token_stays_revoked_though_all_books_are_gone(filled, tmp_path):
    add_tokens(filled, "revoked")
    run(filled, "backup", tmp_path / "file")
    with filled.app_context():
        db.write(lambda connection: connection.execute(delete(Token)))
        db.write(lambda connection: connection.execute(delete(Book)))
    run(filled, "restore", tmp_path / "file", "--force")
    assert tokens_of(filled) == set()


def test_a_restore_that_shrinks_the_file_is_not_taken_for_damage(local, tmp_path):
    service, console = local(), local()
    store(service, BOOKS[0])
    run(console, "backup", tmp_path / "file")
    store(service, *[{"title": "Long", "description": "x y z " * 1000} for _ in range(300)])
    client = service.test_client()
    assert client.get("/readyz").status_code == 200
    run(console, "restore", tmp_path / "file", "--force")
    path = tmp_path / "local" / "bookapi.sqlite"
    before = path.stat().st_size
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert path.stat().st_size <= before
    store(service, BOOKS[1])
    assert client.get("/readyz").status_code == 200
    assert client.get("/books").json["total"] == 2
