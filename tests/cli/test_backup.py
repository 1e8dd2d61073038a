"""Backups: one snapshot in one file, put back whole or not at all."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest
from sqlalchemy import create_engine, delete, event, insert, select, text
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from bookapi.auth import accounts
from bookapi.auth.models import Token
from bookapi.books import changes
from bookapi.books.models import Book
from bookapi.books.schemas import book_schema
from bookapi.db import copies, db
from bookapi.db.schema import known_revisions, upgrade_schema
from bookapi.db.sqlite import sqlite3
from bookapi.site import backup as site_backup
from helpers.instance import DATA, PASSWORD, drop_tables
from helpers.support import (
    NO_PRECONDITIONS,
    Somebody,
    _rows,
    edit,
    environment,
    in_database,
    one_line,
    sqlite_url,
    store,
    stored,
)

BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen", "JANE AUSTEN"],
        "isbn": "9780141439587",
        "published": "1815-12",
        "language": "en-GB",
        "subjects": ["Fiction"],
        "series": "Classics",
        "pages": 512,
        "description": "Handsome",
    },
    {
        "title": "红楼梦",
        "authors": ["曹雪芹"],
        "identifiers": [{"scheme": "lccn", "value": "1"}],
        "description": "石头\n记",
    },
    {"title": "Łódź", "publisher": "O'Brien & Søn", "published": "-0720"},
    {"title": "Thrown away"},
]
MARK = 4  # the column of the catalogue that names its state
MORE = [
    {"title": f"Number {number}", "authors": [f"Author {number % 9}"]} for number in range(600)
]  # than one batch


# -- what the tests share --------------------------------------------------------------


@pytest.fixture
def filled(app):
    """An application with books: one changed, one in the trash, and what the accounts have."""
    store(app, *BOOKS)
    with app.app_context():
        db.write(changes.change, 1, edit(pages=513), NO_PRECONDITIONS, Somebody("admin"))
        db.write(changes.delete, 4, NO_PRECONDITIONS, Somebody("admin"))
    return app


@pytest.fixture
def local(make_app, tmp_path):
    """A function that makes an application on a SQLite file of its own, whatever the tests run
    on.
    """

    def make(name="local", **more):
        folder = tmp_path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        made = make_app(**{"DATABASE_URL": sqlite_url(folder), **more})
        with made.app_context():
            db.dialect.create_file()
            upgrade_schema(db.engine)
        return made

    return make


@pytest.fixture
def other(make_app, tmp_path):
    """An application whose SQLite file was not made yet."""
    return make_app(DATABASE_URL=sqlite_url(tmp_path / "new" / "folder"))


def run(app, *arguments, status=0):
    """What a command says; fails where its status is another one."""
    result = app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
    assert result.exit_code == status and (status or result.exception is None), (
        result.output,
        result.exception,
    )
    return result.stdout.strip() if status == 0 else one_line(result.stderr)


def in_file(path):
    """All rows of all tables of a backup."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        return _rows(engine)
    finally:
        engine.dispose()


def comparable(rows):
    """Without what putting back changes: sessions are over, the state has another name."""
    catalogue = [row[:MARK] + row[MARK + 1 :] for row in rows["catalogue"]]
    return {**rows, "sessions": [], "catalogue": catalogue}


def spoil(path, statement, *values):
    """Change a database file behind the program's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


# -- making one ------------------------------------------------------------------------


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


# -- putting it back -------------------------------------------------------------------


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
        app, *[{"title": f"New {number}", "description": "long " * 3000} for number in range(150)]
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
        if log.exists() and log.stat().st_size > 500_000:  # of some five million
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    assert comparable(in_database(app)) in (old, wanted)
    shutil.rmtree(next(folder.glob(".bookapi-*")))
    run(app, "check")


# -- from one database to the other ----------------------------------------------------


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


# -- what must not come alive again ----------------------------------------------------


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


# -- numbers ---------------------------------------------------------------------------


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
