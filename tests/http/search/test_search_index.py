"""The search index after changes of books."""

import pytest
from sqlalchemy import text as sql

from bookapi.db import db
from helpers.documents import ids
from helpers.searches import BOOKS
from helpers.support import jsonl_bytes


def searched(client, *queries):
    return [ids(client.get("/books", query_string={"q": q})) for q in queries]


CHANGES = {
    "patch": lambda client: client.patch("/books/1", json={"title": "New name", "authors": []}),
    "put": lambda client: client.put("/books/1", json={"title": "New name"}),
    "put by isbn": lambda client: client.put(
        "/books/isbn/9780141439587", json={"title": "New name"}
    ),
    "delete": lambda client: client.delete("/books/1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_searchable_at_once(admin, change):
    admin.post(
        "/books", json={"title": "Old title", "authors": ["Old author"], "isbn": "9780141439587"}
    )
    assert searched(admin, "old", "author", "new", "-old", "0141439580") == [[1], [1], [], [], [1]]
    assert CHANGES[change](admin).status_code in (200, 204)
    gone, has_isbn = change == "delete", change in ("patch", "put by isbn")
    assert searched(admin, "old", "author", "new", "-old", "0141439580") == [
        [],
        [],
        [] if gone else [1],
        [] if gone else [1],
        [1] if has_isbn else [],
    ]


@pytest.mark.parametrize(
    "field, before, after",
    [
        ("title", "oldword", "newword"),
        ("subtitle", "oldword", "newword"),
        ("series", "oldword", "newword"),
        ("authors", ["oldword", "x"], ["x", "newword"]),
        ("subjects", ["oldword"], ["newword"]),
        ("publisher", "oldword", "newword"),
        ("description", "oldword", "newword"),
        ("isbn", "9780141439587", "9780306406157"),
        (
            "identifiers",
            [{"scheme": "isbn", "value": "9780141439587"}],
            [{"scheme": "isbn", "value": "9780306406157"}],
        ),
    ],
)
def test_changes_of_every_searched_field_are_searchable(admin, field, before, after):
    old, new = ("9780141439587", "9780306406157") if field[0] == "i" else ("oldword", "newword")
    admin.post("/books", json={"title": "a", field: before})
    assert searched(admin, old, new) == [[1], []]
    admin.patch("/books/1", json={field: after})
    assert searched(admin, old, new) == [[], [1]]
    admin.patch("/books/1", json={"title": "b"} if field == "title" else {field: None})
    assert searched(admin, old, new, f"-{new} -{old}") == [[], [], [1]]


def test_imported_books_are_searchable(admin, runner):
    def imported(*records):
        result = runner.invoke(
            args=["books", "import", "-", "--format", "jsonl"], input=jsonl_bytes(*records)
        )
        assert result.exit_code == 0, result.output

    imported(
        {"title": "first", "isbn": "9780141439587", "authors": ["someone"]}, {"title": "second"}
    )
    assert searched(admin, "first", "second", "someone") == [[1], [2], [1]]
    imported(
        {"title": "third", "isbn": "9780141439587"}, {"title": "fourth", "description": "first"}
    )
    assert searched(admin, "first", "third", "someone", "fourth") == [[3], [1], [1], [3]]


def test_a_rejected_change_leaves_the_index_unchanged(admin):
    admin.post("/books", json={"title": "first", "isbn": "9780141439587"})
    admin.post("/books", json={"title": "second"})
    assert (
        admin.patch("/books/2", json={"title": "third", "isbn": "9780141439587"}).status_code == 409
    )
    assert (
        admin.post("/books", json={"title": "fourth", "isbn": "9780141439587"}).status_code == 409
    )
    assert searched(admin, "second", "third", "fourth") == [[2], [], []]


def test_the_index_is_consistent_after_every_kind_of_change(editor, app, runner):
    editor.patch("/books/1", json={"title": "Other", "description": "d"})
    editor.patch("/books/2", json={"pages": 5})
    editor.put("/books/3", json={"title": "Other"})
    editor.delete("/books/4")
    runner.invoke(
        args=["books", "import", "-", "--format", "jsonl"],
        input=jsonl_bytes({"title": "a"}, BOOKS["emma"]),
    )
    with app.app_context(), db.engine.begin() as connection:
        indexed = connection.execute(sql("SELECT count(*) FROM book_words")).scalar()
        assert (
            indexed
            == connection.execute(sql("SELECT count(*) FROM books")).scalar()
            == len(BOOKS) + 2
        )
        if db.engine.dialect.name == "sqlite":  # fails where the index and what it is of differ
            connection.execute(
                sql(
                    "INSERT INTO book_words_index (book_words_index, rank) "
                    "VALUES ('integrity-check', 1)"
                )
            )
