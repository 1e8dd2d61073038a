"""Backups: one snapshot in one file."""

import os
import resource
import stat
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from bookapi.books import changes
from bookapi.books.schemas import book_schema
from bookapi.db import db
from bookapi.db.schema import known_revisions
from helpers.backups import MORE, in_file, run
from helpers.support import (
    in_database,
    sqlite_url,
    store,
)


def test_a_backup_holds_every_row_of_every_table(filled, tmp_path):
    said = run(filled, "backup", tmp_path / "file")
    assert said == f"{tmp_path / 'file'}: 3 books, seq 6, schema {known_revisions()[-1]}"
    found = in_file(tmp_path / "file")
    assert found == in_database(filled)
    assert len(found["books"]) == 4 and len(found["users"]) == 2 and len(found["history"]) == 6


def test_a_backup_has_all_books_of_a_catalogue_that_is_larger_than_a_batch(app, tmp_path):
    store(app, *MORE)
    run(app, "backup", tmp_path / "file")
    assert in_file(tmp_path / "file") == in_database(app)


def test_a_backup_may_be_called_none(filled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(filled, "backup", "None")
    run(filled, "backup", "None", "--force")  # on a server, which has no file of its own, too


def test_a_backup_is_one_file_that_its_owner_alone_reads(filled, tmp_path):
    folder = tmp_path / "backups"
    folder.mkdir()
    run(filled, "backup", folder / "file")
    assert stat.S_IMODE((folder / "file").stat().st_mode) == 0o600
    assert (folder / "file").read_bytes()[18:20] == b"\x01\x01"  # 2 would be: there is a log beside
    in_file(folder / "file")
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_backup_does_not_take_the_place_of_a_file_unless_told_to(filled, tmp_path):
    older = b"SQLite format 3\0 of yesterday"
    (tmp_path / "file").write_bytes(older)
    assert "--force" in run(filled, "backup", tmp_path / "file", status=1)
    assert (tmp_path / "file").read_bytes() == older
    run(filled, "backup", tmp_path / "file", "--force")
    assert len(in_file(tmp_path / "file")["books"]) == 4


def test_a_file_that_is_no_backup_is_never_replaced(filled, tmp_path):
    (tmp_path / "secret").write_text("dear to somebody")
    assert "is no backup" in run(filled, "backup", tmp_path / "secret", "--force", status=1)
    assert (tmp_path / "secret").read_text() == "dear to somebody"


@pytest.mark.parametrize("name", ["bookapi.sqlite", "bookapi.sqlite-wal", "link", "hard"])
def test_a_backup_never_takes_the_place_of_the_database(local, tmp_path, name):
    app, folder = local(), tmp_path / "local"
    (folder / "link").symlink_to(folder / "bookapi.sqlite")
    (folder / "hard").hardlink_to(folder / "bookapi.sqlite")
    assert "the database itself" in run(app, "backup", folder / name, "--force", status=1)
    assert "the database itself" in run(app, "restore", folder / "hard", "--force", status=1)


@pytest.mark.parametrize("name", ["missing/file", "file/inside", "folder", "pipe", "x" * 300])
def test_a_backup_that_has_no_place_is_told_in_one_line_and_leaves_nothing(filled, tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(path for path in tmp_path.rglob("*") if "sqlite" not in path.name)
    said = run(filled, "backup", tmp_path / name, "--force", status=1)
    assert said.startswith(f"Error: {tmp_path / name}: ") and ".bookapi-" not in said
    assert sorted(path for path in tmp_path.rglob("*") if "sqlite" not in path.name) == before


@contextmanager
def room_for(size):
    """No file grows beyond this while the block runs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_backup_that_finds_no_room_leaves_nothing_and_keeps_the_last_one(app, tmp_path):
    store(app, *MORE)
    folder = tmp_path / "backups"
    folder.mkdir()
    (folder / "file").write_text("SQLite format 3\0 the last one")
    with room_for(100_000):
        assert "no backup was made" in run(app, "backup", folder / "file", "--force", status=1)
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [
        ("file", "SQLite format 3\0 the last one")
    ]


@pytest.mark.parametrize("change", ["total = total + 1", "last_id = 1", "seq = seq - 1"])
def test_a_catalogue_that_does_not_agree_with_itself_is_no_good_backup(filled, tmp_path, change):
    with filled.app_context(), db.engine.begin() as connection:
        connection.execute(text(f"UPDATE catalogue SET {change}"))
    said = run(filled, "backup", tmp_path / "file", status=1)
    assert "is damaged" in said and "bookapi check" in said and not (tmp_path / "file").exists()


def test_a_database_without_schema_has_no_backup(make_app, tmp_path):
    app = make_app(DATABASE_URL=sqlite_url(tmp_path / "new"))
    (tmp_path / "new").mkdir()
    assert "bookapi init" in run(app, "backup", tmp_path / "file", status=1)
    (tmp_path / "new" / "bookapi.sqlite").touch()
    assert "bookapi init" in run(app, "backup", tmp_path / "file", status=1)


def test_each_backup_is_what_was_acknowledged_up_to_a_moment_while_others_write(app, tmp_path):
    acknowledged, over = [], threading.Event()

    def write():
        with app.app_context():
            while not over.is_set():
                acknowledged.append(
                    db.write(changes.create, book_schema.load({"title": "One more"}))["id"]
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(4):
            at_least = len(acknowledged)
            run(app, "backup", tmp_path / str(number))
            found = in_file(tmp_path / str(number))
            books = [row[0] for row in found["books"]]
            assert (
                books
                == [row[0] for row in found["history"]]
                == list(range(1, found["catalogue"][0][1] + 1))
            )
            assert at_least <= len(books) <= len(acknowledged) + 1
    finally:
        over.set()
        writer.join()
    assert len(acknowledged) > len(books) > 0
