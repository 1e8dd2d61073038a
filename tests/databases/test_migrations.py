"""Upgrades: what an older program stored is found as if this one had stored it."""

import json
import unicodedata

import flask_migrate
import pytest
from flask import current_app
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from werkzeug.datastructures import MultiDict

from bookapi import create_app
from bookapi.books import changes, queries
from bookapi.books.schemas import book_schema
from bookapi.db import MIGRATIONS, create_file, db
from bookapi.text import clean
from helpers.instance import DATABASE_URL, drop_tables, settings
from helpers.support import one_line

BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen", "JANE AUSTEN", "jane  austen"],
        "isbn": "9780141439587",
        "publisher": "John Murray",
        "published": "1815-12",
        "language": "en-GB",
        "subjects": ["Fiction", "fiction"],
        "series": "Classics",
        "description": "Handsome, clever and rich",
    },
    {
        "title": "Łódź",
        "authors": ["Søren Æbelø", "soren aebelo"],
        "publisher": "Łódź Press",
        "language": "pl",
        "subjects": ["Łódź", "łodz", "Œuvre"],
        "series": "Đ",
        "published": "-0720",
    },
    {"title": "lodz", "authors": ["Ørsted"], "publisher": "lodz press", "published": "0000"},
    {
        "title": "Émile",
        "authors": ["Rousseau"],
        "identifiers": [
            {"scheme": "isbn", "value": "9781402894626"},
            *[{"scheme": "lccn", "value": "1"}] * 2,
        ],
    },
    {"title": "红楼梦", "authors": ["曹雪芹"], "language": "zh", "description": "石头记"},
    {
        "title": "L" * 2000,
        "subtitle": "long",
        "publisher": "é" * 500,
        "series": "ø" * 500,
        "authors": ["Ø" * 500],
    },
    {"title": "Zorba", "subjects": ["O'Brien", "C++"], "published": "9999-12-31"},
    {"title": "?"},
]
TRASH = [
    {
        "title": "Thrown away",
        "authors": ["Jane Austen", "jane austen", "Łukasz"],
        "isbn": "9780306406157",
        "publisher": "Łódź Press",
        "series": "Classics",
        "subjects": ["Fiction"],
        "published": "1999",
        "language": "en",
    }
]
MORE = [
    {"title": f"Number {number}", "authors": [f"Author {number % 9}"]} for number in range(520)
]  # than one batch

COLUMNS = (
    "id",
    "title",
    "subtitle",
    "authors",
    "isbn",
    "publisher",
    "published",
    "language",
    "series",
    "series_number",
    "edition",
    "pages",
    "description",
    "subjects",
    "identifiers",
    "cover_url",
    "version",
    "created_at",
    "updated_at",
    "deleted_at",
    "title_key",
    "author_key",
    "published_key",
)
LISTS = {
    "authors": ("name", "name_key"),
    "subjects": ("name", "name_key"),
    "identifiers": ("scheme", "value"),
}


def rows(table, columns):
    with db.engine.connect() as connection:
        found = connection.execute(
            text(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1, 2")
        ).all()
    return [dict(zip(columns, row)) for row in found]


def stored_rows():
    """All that the tables of revision 0001 hold of the books."""
    return {
        "books": rows("books", COLUMNS),
        **{
            name: rows(f"book_{name}", ("book_id", "position", *columns))
            for name, columns in LISTS.items()
        },
    }


def insert(connection, table, columns, values):
    if values:
        named = ", ".join(f":{column}" for column in columns)
        connection.execute(
            text(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({named})"), values
        )


def old_key(value):
    """What the program of revision 0001 compared: it took no stroke for an accent."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", value).casefold())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Mn").split())[:700]


def old_list(book, field):
    """The rows of a list as that program wrote them: each value, however often it stands there."""
    for position, value in enumerate(json.loads(book[field])):
        named = {"name": value, "name_key": old_key(value)} if isinstance(value, str) else value
        yield {"book_id": book["id"], "position": position, **named}


# -- what is asked ------------------------------------------------------------------------------------------------

QUERIES = [
    "",
    "q=emma",
    "q=jane",
    "q=lodz",
    "q=łódź",
    "q=-emma",
    "q=红楼",
    "q=0141439580",
    "q=clever+emma",
    'q="handsome+clever"',
    "q=num*+9",
    "q=1402894626",
    "q=9781402894626",
    "q=oeuvre",
    "title=lodz",
    "title=ŁÓDŹ",
    "title=" + "l" * 2000,
    "author=jane+austen",
    "author=soren+aebelo",
    "author=orsted",
    "author=author+3",
    "publisher=lodz+press",
    "publisher=john+murray",
    "publisher=" + "e" * 500,
    "subject=fiction",
    "subject=lodz",
    "subject=oeuvre",
    "series=d",
    "series=classics",
    "series=" + "o" * 500,
    "isbn=9780141439587",
    "isbn=9781402894626",
    "identifier=lccn:1",
    "language=en",
    "published_to=0",
    "published_from=1815&published_to=1815",
    "updated_since=2000-01-01T00:00:00Z",
    "sort=title",
    "sort=-title",
    "sort=author",
    "sort=-author,title",
    "sort=-published",
    "sort=-updated_at",
    "q=lodz&sort=title",
    "cursor=*&sort=author",
]
FACETS = "facets=language,author,subject,publisher,series,decade"


def answers(app):
    """What the catalogue says to all of that, of the live books and of the trash."""
    told = {}
    with app.app_context():
        for asked in QUERIES:
            for state in ("", "&state=deleted"):
                args = MultiDict(
                    part.split("=", 1) for part in f"{asked}&limit=100{state}".split("&") if part
                )
                args = MultiDict({name: value.replace("+", " ") for name, value in args.items()})
                page = queries.page(queries.parse(args))
                told[asked + state] = (
                    page.total,
                    [book["id"] for book in page.records],
                    page.cursor,
                )
        for asked in (
            FACETS,
            f"{FACETS}&state=deleted",
            f"{FACETS}&q=lodz",
            f"{FACETS}&author=jane austen",
        ):
            args = MultiDict(part.split("=", 1) for part in asked.split("&"))
            told[asked] = queries.page(queries.parse(args)).facets
        for kind in ("author", "subject", "publisher", "language"):
            told[kind] = queries.terms(kind, MultiDict({"limit": "100"}))
        told["books"] = list(queries.stream(queries.parse(MultiDict(), paging=False)))
    return told


def derived(app):
    """All that is derived from the books, and the state of the catalogue."""
    with app.app_context():
        return {
            "words": rows("book_words", ("book_id", "words")),
            "keys": rows(
                "books",
                (
                    "id",
                    *[
                        f"{name}_key"
                        for name in ("title", "author", "publisher", "series", "published")
                    ],
                ),
            ),
            "state": rows("catalogue", ("id", "seq", "last_id", "total")),
            "history": sorted(rows("history", ("book_id", "version", "action")), key=str),
            **{
                name: rows(f"book_{name}", ("book_id", "position", *columns))
                for name, columns in LISTS.items()
            },
        }


# -- databases ----------------------------------------------------------------------------------------------------


@pytest.fixture
def new(app):
    """The application of a catalogue that this program filled."""

    def create(session):
        for record in (*BOOKS, *TRASH, *MORE):
            changes.create(session, book_schema.load(record))
        for number in range(len(BOOKS) + 1, len(BOOKS) + len(TRASH) + 1):
            changes.delete(session, number, lambda record: None)

    with app.app_context():
        db.write(create)
    return app


def migrate():
    """Flask-Migrate for the current application, whose own commands it would replace."""
    own = dict(current_app.cli.commands)
    flask_migrate.Migrate(current_app, db, directory=str(MIGRATIONS), render_as_batch=True)
    current_app.cli.commands.update(own)
    return flask_migrate


@pytest.fixture
def at_first_revision(make_app, tmp_path):
    """A function that makes an application whose database has revision 0001 and the books of another one, as the
    program of that time stored them."""
    made = []

    def make(other=None):
        kept = {}
        if other is not None:
            with other.app_context():
                kept["books"] = rows("books", COLUMNS)
                kept["catalogue"] = rows("catalogue", ("id", "seq", "last_id"))
        app = create_app(settings(tmp_path / "old"))
        made.append(app)
        with app.app_context():
            if DATABASE_URL:
                drop_tables()
            create_file()
            migrate().upgrade(revision="0001")
            if other is not None:
                with db.engine.begin() as connection:
                    _store_as_of_old(connection, kept)
        return app

    yield make
    for app in made:
        with app.app_context():
            if DATABASE_URL:  # the next test wants the newest schema, whatever became of this one
                drop_tables()
                migrate().upgrade()
            db.engine.dispose()


def _store_as_of_old(connection, kept):
    for book in kept["books"]:
        authors = json.loads(book["authors"])
        book |= {
            "title_key": old_key(book["title"]),
            "author_key": old_key(authors[0]) if authors else None,
        }
    insert(connection, "books", COLUMNS, kept["books"])
    for name, columns in LISTS.items():
        values = [row for book in kept["books"] for row in old_list(book, name)]
        insert(connection, f"book_{name}", ("book_id", "position", *columns), values)
    connection.execute(
        text("UPDATE catalogue SET seq = :seq, last_id = :last_id WHERE id = :id"),
        kept["catalogue"],
    )


# -- upgrades -----------------------------------------------------------------------------------------------------


def test_what_was_stored_before_is_found_as_if_it_were_stored_now(new, at_first_revision):
    wanted, wanted_rows = answers(new), derived(new)
    old = at_first_revision(new)
    with old.app_context():
        migrate().upgrade()
    assert answers(old) == wanted
    assert derived(old) == wanted_rows
    result = old.test_cli_runner().invoke(args=["db", "check"])
    assert result.exit_code == 0, result.output


def test_what_is_found_is_something(new):
    told = answers(new)
    assert all(clean(book["title"]) for book in told["books"]) and len(told["books"]) == len(
        BOOKS
    ) + len(MORE)
    asked = (
        "q=lodz",
        "title=lodz",
        "publisher=lodz+press",
        "author=soren+aebelo",
        "q=clever+emma",
        "isbn=9781402894626",
        "q=jane&state=deleted",
        "author=jane+austen&state=deleted",
        "series=classics&state=deleted",
    )
    assert {name: told[name][0] for name in asked if not told[name][0]} == {}
    assert {"value": "Jane Austen", "count": 1} in told[f"{FACETS}&author=jane austen"]["author"]


def test_an_upgraded_catalogue_goes_on(new, at_first_revision):
    old = at_first_revision(new)
    assert (
        old.test_cli_runner().invoke(args=["db", "upgrade"]).output.strip() == "the schema is 0004"
    )

    def change(session):
        record = changes.create(
            session, book_schema.load({"title": "Łódź again", "authors": ["Jane Austen"]})
        )
        changes.patch(session, 2, lambda: {"title": "Other", "authors": []}, lambda record: None)
        changes.delete(session, 1, lambda record: None)
        return record["id"]

    with old.app_context():
        number = db.write(change)
        found = {
            asked: [book["id"] for book in queries.page(queries.parse(MultiDict([asked]))).records]
            for asked in (
                ("q", "lodz"),
                ("q", "emma"),
                ("author", "jane austen"),
                ("author", "soren aebelo"),
                ("title", "lodz"),
            )
        }
        total = queries.page(queries.parse(MultiDict())).total
    assert list(found.values()) == [[3, number, 2], [], [number], [], [3]]
    assert (number, total) == (len(BOOKS) + len(TRASH) + len(MORE) + 1, len(BOOKS) + len(MORE))


def test_an_empty_catalogue_is_upgraded(at_first_revision):
    old = at_first_revision()
    assert "db upgrade" in one_line(old.test_cli_runner().invoke(args=["db", "check"]).stderr)
    with old.app_context():
        migrate().upgrade()
        assert queries.page(queries.parse(MultiDict({"q": "emma", "facets": "author"}))).total == 0
    assert old.test_cli_runner().invoke(args=["db", "check"]).exit_code == 0


def test_a_step_back_keeps_every_book_and_a_step_forth_finds_them_again(new, at_first_revision):
    wanted, wanted_rows = answers(new), derived(new)
    old = at_first_revision(new)
    with old.app_context():
        migrate().upgrade()
        before = stored_rows()
        migrate().downgrade(revision="0001")
        assert stored_rows() == before
        assert {column["name"] for column in inspect(db.engine).get_columns("books")} == {
            *COLUMNS,
            "live_isbn",
        }
        assert not [
            name
            for name in inspect(db.engine).get_table_names()
            if "words" in name or name.startswith("_")
        ]
        migrate().upgrade()
    assert answers(old) == wanted
    assert derived(old) == wanted_rows
    assert old.test_cli_runner().invoke(args=["db", "check"]).exit_code == 0


def test_a_step_back_that_fails_changes_nothing(new, monkeypatch):
    if new.config["SQLALCHEMY_DATABASE_URI"].get_backend_name() != "sqlite":
        return  # MySQL and MariaDB commit each change of a table by itself: there is nothing to take back
    wanted = answers(new)
    with new.app_context():
        with db.engine.begin() as connection:  # in the way of an index that the older schema had
            connection.execute(text("CREATE INDEX ix_books_language_id ON users (id)"))
        with pytest.raises(DBAPIError):
            migrate().downgrade(revision="0001")
    assert answers(new) == wanted
