"""What holds for any books: an export comes back as it was, and a second time nothing changes."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookapi import formats
from bookapi.books import changes, queries
from bookapi.books.imports import service
from bookapi.db import db
from helpers.inventions import books

READ_ONLY = ("id", "version", "created_at", "updated_at")


def own(book):
    return {name: value for name, value in book.items() if name not in READ_ONLY}


def load(body, name):
    with service.prepare(io.BytesIO(body), service.Options(), formats.by_name(name)) as prepared:
        return service.run(prepared)


def stored():
    return list(queries.stream(queries.Listing()))


class Always:
    """Preconditions that always hold."""

    def check(self, record):
        pass


def empty():
    for book in stored():
        db.write(changes.delete, book["id"], Always())
    db.write(changes.purge, 0, 10**6)


@pytest.mark.parametrize("name", ["csv", "jsonl", "json", "xml"])
@settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
@given(records=st.lists(books(), min_size=1, max_size=5))
def test_an_export_gives_equal_books_and_then_changes_nothing(app, name, records):
    with app.app_context():
        empty()
        unique = {book["isbn"] or number: own(book) for number, book in enumerate(records)}
        load(b"".join(formats.by_name("jsonl").write(unique.values(), ())), "jsonl")
        before = stored()
        export = b"".join(formats.by_name(name).write(before, tuple(before[0])))
        assert load(export, name)["unchanged"] == len(before) and stored() == before
        empty()
        assert load(export, name)["created"] == len(before)
        again = stored()
        assert [own(book) for book in again] == [own(book) for book in before]
        assert load(export, name)["unchanged"] == len(before) and stored() == again
