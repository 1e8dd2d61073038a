"""Backups of one database, put into another."""

import pytest
from sqlalchemy import event, text

from bookapi.db import copies, db
from bookapi.db.schema import upgrade_schema
from helpers.backups import MORE, comparable, in_file, run
from helpers.instance import drop_tables
from helpers.support import in_database, store, stored


@pytest.mark.two_databases
def test_what_went_to_the_other_database_and_back_is_what_it_was(filled, local, tmp_path):
    store(filled, *MORE)
    wanted, books = comparable(in_database(filled)), stored(filled.test_client())
    run(filled, "backup", tmp_path / "1")
    sqlite = local()
    run(sqlite, "restore", tmp_path / "1")
    assert comparable(in_database(sqlite)) == wanted
    run(sqlite, "backup", tmp_path / "2")
    store(filled, {"title": "Not in the backup"})
    run(filled, "restore", tmp_path / "2", "--force")
    found = comparable(in_database(filled))
    [(one, seq, last_id, *rest)] = wanted.pop("catalogue")  # no number is used twice
    assert (found.pop("catalogue"), found) == ([(one, seq + 1, last_id + 1, *rest)], wanted)
    assert stored(filled.test_client()) == stored(sqlite.test_client()) == books
    for app in (filled, sqlite):
        assert app.test_client().get("/books?q=austen").json["total"] == 1
        run(app, "check")


@pytest.mark.two_databases
def test_a_restore_that_fails_midway_leaves_the_server_as_it_was(filled, tmp_path, monkeypatch):
    run(filled, "backup", tmp_path / "file")
    store(filled, {"title": "Not in the backup"})
    before, copy_rows = in_database(filled), copies.copy_rows

    def broken(source, target):
        copy_rows(source, target)
        assert target.scalar(text("SELECT count(*) FROM books")) == 4
        raise copies.BackupError("a cable was pulled")

    monkeypatch.setattr(copies, "copy_rows", broken)
    assert "cable" in run(filled, "restore", tmp_path / "file", "--force", status=1)
    assert in_database(filled) == before


@pytest.mark.two_databases
def test_a_server_of_an_older_schema_has_a_backup_before_it_is_upgraded(app, other, tmp_path):
    with app.app_context():
        drop_tables()
        upgrade_schema(db.engine, "0004")
    try:
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(text("UPDATE catalogue SET last_user_id = 7"))
        assert "schema 0004" in run(app, "backup", tmp_path / "file")
        assert "bookapi db upgrade" in run(app, "restore", tmp_path / "file", "--force", status=1)
    finally:
        with app.app_context():
            upgrade_schema(db.engine)
    run(other, "restore", tmp_path / "file")
    assert in_database(other)["catalogue"][0][5] == 7


@pytest.mark.two_databases
def test_a_backup_of_a_server_is_one_state_though_it_changes_between_two_tables(filled, tmp_path):
    def interfere(connection, cursor, statement, *rest):
        if "FROM users" in statement and not done:
            done.append(store(filled, {"title": "In between"}))

    done = []
    before = in_database(filled)
    with filled.app_context():
        event.listen(db.engine, "after_cursor_execute", interfere)
    run(filled, "backup", tmp_path / "file")
    assert done and in_file(tmp_path / "file") == before
