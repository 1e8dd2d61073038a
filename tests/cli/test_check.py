"""What is wrong with an instance is found, told with its mending step, and mended where it is
derived.
"""

import os
import threading

import pytest
from sqlalchemy import text

from bookapi.books import changes
from bookapi.books.schemas import book_schema
from bookapi.db import db
from bookapi.db.dialects import integrity
from bookapi.db.sqlite import sqlite3
from bookapi.site import derived
from helpers.instance import DATABASE_URL
from helpers.support import (
    NO_PRECONDITIONS,
    Somebody,
    edit,
    in_database,
    one_line,
    sqlite_url,
    store,
)

BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen", "JANE AUSTEN"],
        "isbn": "9780141439587",
        "published": "1815-12",
        "publisher": "John Murray",
        "subjects": ["Fiction", "fiction"],
        "series": "Classics",
        "description": "Handsome",
    },
    {
        "title": "红楼梦",
        "authors": ["曹雪芹"],
        "identifiers": [{"scheme": "lccn", "value": "1"}] * 2,
    },
    {"title": "Łódź", "published": "-0720"},
    {"title": "Thrown away", "authors": ["Nobody"]},
    {"title": "Back again"},
    {"title": "?"},
]


@pytest.fixture
def filled(app, monkeypatch):
    """An application with books, more than one batch of them: in the trash, back from it,
    changed.
    """
    monkeypatch.setattr(derived, "_NEXT", derived._NEXT.limit(4))
    store(app, *BOOKS)
    with app.app_context():
        for number in (4, 5):
            db.write(changes.delete, number, NO_PRECONDITIONS, Somebody("admin"))
        db.write(changes.restore, 5, NO_PRECONDITIONS, Somebody("admin"))
        db.write(changes.change, 1, edit(pages=513), NO_PRECONDITIONS, Somebody("admin"))
    return app


def reported(app, *options, status=0):
    """The lines of a check; fails where its status is another one."""
    result = app.test_cli_runner().invoke(args=["check", *options])
    assert result.exit_code == status, (result.output, result.exception)
    assert status == 0 or one_line(result.stderr)
    return [line for line in result.stdout.splitlines() if not line.startswith("warn   durability")]


def wrong(app):
    """The lines about what is wrong."""
    return [line for line in reported(app, status=1) if not line.startswith("ok     ")]


def spoil(app, *statements):
    """Change the database behind the program's back."""
    with app.app_context(), db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


# -- looking ---------------------------------------------------------------------------


def test_a_sound_instance_is_told_line_by_line(filled):
    lines = reported(filled)
    assert all(line.startswith("ok     ") for line in lines)
    assert {
        "settings",
        "folder",
        "database and schema",
        "structure of the database",
        "search index",
        "number of changes",
        "counters",
        "history",
        "lists",
        "derived data",
        "clock",
    } <= {line.split(maxsplit=1)[1] for line in lines}


def test_an_empty_catalogue_is_sound(app):
    assert all(line.startswith("ok     ") for line in reported(app))


def test_a_purged_book_leaves_a_sound_catalogue_behind(filled):
    with filled.app_context():
        assert db.write(changes.purge, -1, 10) == 1
    reported(filled)


REBUILT = "rebuilt all that is derived from the books"
FUTURE = "2999-01-01 00:00:00.000000"
FAULTS = [
    ("derived data", "UPDATE book_words SET words = 'other' WHERE book_id = 3"),
    ("derived data", "DELETE FROM book_words WHERE book_id = 3"),
    ("derived data", "UPDATE books SET title_key = 'other' WHERE id = 3"),
    ("derived data", "UPDATE books SET author_key = NULL WHERE id = 1"),
    ("derived data", "UPDATE books SET publisher_key = 'John Murray' WHERE id = 1"),
    ("derived data", "UPDATE books SET published_key = 3 WHERE id = 3"),
    ("derived data", "UPDATE book_authors SET name_key = 'other' WHERE book_id = 1"),
    (
        "derived data",
        "INSERT INTO book_subjects (book_id, position, name, name_key) VALUES (1, 7, 'a', 'a')",
    ),
    ("derived data", "DELETE FROM book_identifiers WHERE book_id = 2"),
    ("counters", "UPDATE catalogue SET total = total - 1"),
    ("counters", "UPDATE catalogue SET last_id = 3"),
    ("terms", "UPDATE terms SET books = books + 1 WHERE kind = 'author'"),
    ("terms", "UPDATE terms SET spelling = 'other' WHERE kind = 'subject'"),
    ("terms", "DELETE FROM terms"),
    ("number of changes", "UPDATE catalogue SET seq = seq - 1"),
    ("counters", "UPDATE catalogue SET last_user_id = 1"),
    ("history", "DELETE FROM history WHERE seq = 3"),
    ("history", "UPDATE history SET version = 7 WHERE book_id = 3"),
    ("history", "UPDATE history SET version = 3 WHERE book_id = 1 AND version = 1"),
    ("history", "UPDATE history SET action = 'updated' WHERE book_id = 3"),
    (
        "history",
        "UPDATE history SET action = 'deleted' WHERE book_id = 5 AND version = 3",
    ),
    ("history", "UPDATE books SET version = 9 WHERE id = 3"),
    ("history", "UPDATE history SET book_id = 5 WHERE seq = 3"),
    ("clock", f"UPDATE books SET updated_at = '{FUTURE}' WHERE id = 3"),
    ("clock", f"UPDATE history SET at = '{FUTURE}' WHERE seq = 3"),
]


@pytest.mark.parametrize("subject, statement", FAULTS)
def test_each_fault_is_told_with_the_step_that_mends_it(filled, subject, statement):
    spoil(filled, statement)
    lines = wrong(filled)
    [line] = [line for line in lines if line.startswith(f"wrong  {subject}: ")]
    assert "; to fix it: " in line


def test_what_is_wrong_of_a_book_is_told_with_the_books(filled):
    spoil(filled, "UPDATE books SET title_key = 'other' WHERE id > 2")
    assert wrong(filled) == [
        "wrong  derived data: 4 books (3, 4, 5, 6); to fix it: bookapi check --mend"
    ]
    spoil(filled, "UPDATE books SET title_key = 'other' WHERE id < 3")
    assert "6 books (1, 2, 3, 4, 5, …)" in wrong(filled)[0]


def test_a_look_changes_nothing(filled):
    spoil(filled, *[statement for _, statement in FAULTS[:10]])
    before = in_database(filled)
    wrong(filled)
    assert in_database(filled) == before


def test_a_book_in_the_trash_that_searches_find_is_reported(filled):
    spoil(filled, "UPDATE books SET deleted_at = NULL WHERE id = 4")
    assert {line.split(":")[0] for line in wrong(filled)} == {
        "wrong  derived data",
        "wrong  counters",
        "wrong  history",
        "wrong  terms",
    }


def test_concurrent_changes_are_not_reported(app):
    """At least three checks during which a change was committed."""
    over, written, during = threading.Event(), [], 0

    def write():
        with app.app_context():
            while not over.is_set():
                book = db.write(
                    changes.create, book_schema.load({"title": "One more", "authors": ["Somebody"]})
                )
                db.write(changes.delete, book["id"], NO_PRECONDITIONS)
                written.append(book["id"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            before = len(written)
            reported(app)
            during += len(written) > before
            if during == 3:
                break
    finally:
        over.set()
        writer.join()
    assert during == 3


# -- mending ---------------------------------------------------------------------------


def test_all_that_is_derived_is_made_again_and_nothing_else_is_touched(filled):
    wanted = in_database(filled)
    spoil(filled, *[statement for subject, statement in FAULTS[:14]])
    lines = reported(filled, "--mend")
    assert all(line.startswith("ok     ") for line in lines[lines.index(REBUILT) + 1 :])
    found = in_database(filled)
    marks = {found["catalogue"][0][4], wanted["catalogue"][0][4]}  # the names of two states
    assert set(found.pop("catalogue")[0]) ^ set(wanted.pop("catalogue")[0]) == marks
    assert found == wanted
    assert filled.test_client().get("/books?q=lodz").json["total"] == 1


def test_no_answer_from_before_is_given_again_once_it_is_mended(filled):
    client = filled.test_client()
    spoil(filled, "UPDATE book_authors SET name_key = 'other' WHERE book_id = 1")
    assert [client.get("/books?author=jane%20austen").json["books"] for _ in range(2)] == [[], []]
    reported(filled, "--mend")
    assert client.get("/books?author=jane%20austen").json["total"] == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE books SET authors = '{' WHERE id = 3",
        "UPDATE books SET authors = 'null' WHERE id = 3",
        "UPDATE catalogue SET last_id = 9223372036854775807",
        *([] if DATABASE_URL else ["DROP TABLE history", "DROP TABLE book_words"]),
    ],
)  # on a server other tests need them
def test_what_the_program_would_never_store_is_told_with_a_step(filled, statement):
    spoil(filled, statement)
    [*_, last] = wrong(filled)
    assert "restore FILE" in last or "--mend" in last


def test_what_people_gave_is_not_mended(filled):
    spoil(
        filled,
        "UPDATE books SET version = 9 WHERE id = 3",
        "UPDATE catalogue SET total = 9, seq = seq - 1",
    )
    before = in_database(filled)
    lines = reported(filled, "--mend", status=1)
    after_that = lines[lines.index(REBUILT) + 1 :]
    assert [line.split(":")[0] for line in after_that if not line.startswith("ok")] == [
        "wrong  number of changes",
        "wrong  history",
    ]
    after = in_database(filled)
    assert (after["books"], after["history"]) == (before["books"], before["history"])
    assert after["catalogue"][0][1] == before["catalogue"][0][1]


def test_where_nothing_derived_is_wrong_nothing_is_mended(filled):
    before = in_database(filled)
    assert reported(filled, "--mend") == reported(filled)
    assert in_database(filled) == before


# -- SQLite's own ----------------------------------------------------------------------


def _without_trigger(statement):
    return (
        "DROP TRIGGER book_words_update",
        statement,
        """CREATE TRIGGER book_words_update AFTER UPDATE ON book_words BEGIN INSERT INTO
               book_words_index (book_words_index, rowid, words) VALUES ('delete', old.book_id,
               old.words); INSERT INTO book_words_index (rowid, words) VALUES (new.book_id,
               new.words); END""",
    )


@pytest.mark.parametrize(
    "statements",
    [
        _without_trigger("UPDATE book_words SET words = words || ' more' WHERE book_id = 3"),
        ["INSERT INTO book_words_index (book_words_index) VALUES ('delete-all')"],
        ["DELETE FROM book_words_index_data WHERE id > 10"],
    ],
)
def test_an_index_that_does_not_find_what_its_table_holds_is_told_and_made_again(
    filled, statements
):
    if DATABASE_URL:
        return  # FTS5's own faults: no server has these tables
    spoil(filled, *statements)
    assert wrong(filled)[0].startswith("wrong  search index: ")
    assert REBUILT in reported(filled, "--mend")
    assert filled.test_client().get("/books?q=lodz").json["total"] == 1


def test_a_look_writes_nothing_and_no_change_waits_for_it(make_app):
    if DATABASE_URL:
        return  # a server's index is looked at by reading
    app = make_app(DATABASE_WAIT_SECONDS=1)
    with app.app_context():
        connection = db.engine.raw_connection()
        watch = connection.driver_connection
        version = watch.execute("PRAGMA data_version").fetchone()
        watch.execute("BEGIN IMMEDIATE")  # held all the time: what needs this lock fails
        assert not any(line.startswith("wrong") for line in reported(app))
        watch.execute("ROLLBACK")
        assert watch.execute("PRAGMA data_version").fetchone() == version
        connection.close()


def test_a_spoilt_file_is_told_and_not_looked_into_any_further(filled, tmp_path):
    if DATABASE_URL:
        return
    path = tmp_path / "bookapi.sqlite"
    with filled.app_context():
        db.engine.dispose()
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 8192 * 4096)
        file.write(b"\xa5" * 4096)
    assert "bookapi restore" in wrong(filled)[-1]
    assert reported(filled, "--mend", status=1)[-1].startswith("wrong")


def test_a_row_that_belongs_to_none_is_reported(filled, tmp_path):
    if DATABASE_URL:
        return
    connection = sqlite3.connect(tmp_path / "bookapi.sqlite")
    connection.execute("DELETE FROM books WHERE id = 3")
    connection.commit()
    connection.close()
    assert "book_words" in wrong(filled)[-1] and "is missing" in wrong(filled)[-1]


@pytest.mark.two_databases
def test_a_server_without_the_index_is_told_and_gets_it_again(filled):
    spoil(filled, "ALTER TABLE book_words DROP INDEX ft_book_words_words")
    assert wrong(filled)[0].startswith("wrong  search index: ")
    assert REBUILT in reported(filled, "--mend")
    assert filled.test_client().get("/books?q=lodz").json["total"] == 1


@pytest.mark.two_databases
def test_a_server_whose_index_misses_books_is_reported(filled, monkeypatch):
    monkeypatch.setattr(integrity, "PAUSE", 0)
    monkeypatch.setattr(integrity, "BARRIER", "eqa OR bbb")  # all that stand before it are missed
    spoil(filled, "UPDATE book_words SET words = 'eqa OR bbb none' WHERE book_id = 3")
    assert "search index: it finds" in wrong(filled)[0]


# -- the instance ----------------------------------------------------------------------


def test_what_everybody_on_the_machine_may_read_is_reported(make_app, tmp_path):
    folder = tmp_path / "instance"
    app = make_app(INSTANCE_PATH=str(folder), DATABASE_URL=sqlite_url(folder))
    assert app.test_cli_runner().invoke(args=["init"]).exit_code == 0
    folder.chmod(0o755)  # as the volumes of containers are
    reported(app)
    folder.chmod(0o757)
    for path in (folder / "secret", folder / "bookapi.sqlite"):
        path.chmod(path.stat().st_mode | 0o004)
    assert [line.split(":")[0] for line in wrong(app)] == [
        "wrong  folder",
        "wrong  secret",
        "wrong  database file",
    ]
    assert all("chmod o-rwx" in line for line in wrong(app))


def test_an_instance_without_a_secret_is_reported(make_app):
    assert "bookapi init" in wrong(make_app(SECRET_KEY=None))[0]


def test_without_a_database_there_is_nothing_more_to_look_at_and_none_is_made(make_app, tmp_path):
    app = make_app(DATABASE_URL=sqlite_url(tmp_path / "nowhere"))
    lines = wrong(app)
    assert (
        len(lines) == 1
        and lines[0].startswith("wrong  database and schema: ")
        and "bookapi init" in lines[0]
    )
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "revision, step",
    [("0001", "books export"), ("0004", "bookapi db upgrade"), ("9999", "newer program")],
)
def test_another_schema_is_told_with_what_to_run(app, revision, step):
    with app.app_context(), db.engine.begin() as connection:
        own = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    try:
        assert step in wrong(app)[-1]
    finally:
        spoil(app, f"UPDATE alembic_version SET version_num = '{own}'")


def test_cached_answers_are_not_used_after_the_index_was_rebuilt(filled):
    if DATABASE_URL:
        return  # a server cannot empty an index and keep it
    client = filled.test_client()
    spoil(filled, "INSERT INTO book_words_index (book_words_index) VALUES ('delete-all')")
    assert [client.get("/books?q=emma").json["total"] for _ in range(2)] == [0, 0]
    assert REBUILT in reported(filled, "--mend")
    assert client.get("/books?q=emma").json["total"] == 1
