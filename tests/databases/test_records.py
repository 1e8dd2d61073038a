"""Rows read as records equal what marshmallow dumps."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from bookapi.books import changes, queries, records
from bookapi.books.models import Book
from bookapi.books.schemas import FIELDS, LISTS, READ_ONLY, WRITABLE, book_schema
from bookapi.db import db
from bookapi.formats import csv, json, xml
from helpers.inventions import FULL, SPARSE
from helpers.support import NO_PRECONDITIONS, edit

NASTY = {
    "title": "'; DROP TABLE books; --",
    "authors": ['"', "\\", "[]", "null", "📚", "a\r\nb", "%s"],
    "publisher": '\t"\\u0041\\"\u0080\u2028\ue000\U0001f4da</b>\U0010fffd',
    "subjects": ["ף\u202e", "a\u2028b"],
    "identifiers": [
        {"scheme": "a", "value": '{"value": "\\u0000"}'},
        {"scheme": "a", "value": "]"},
    ],
    "description": "é" * 20000,
    "published": "-0720",
    "pages": 100000,
}


def _sent(record):
    return {name: record[name] for name in WRITABLE}


BOOKS = {"full": _sent(FULL), "sparse": _sent(SPARSE), "nasty": NASTY}


def _create(document):
    return db.write(changes.create, book_schema.load(document))


def _read():
    """Every row that there is, as the service reads it."""
    with db.read() as connection:
        every = db.dialect.fetch_wide(connection, records.selection().order_by(Book.id), {})
    return records.from_rows(FIELDS, every)


def _dumped():
    with db.read() as connection:
        rows = connection.execute(select(*Book.__table__.c).order_by(Book.id)).all()
    return [book_schema.dump(row) for row in rows]


@pytest.mark.parametrize("name", BOOKS)
def test_a_row_is_read_as_marshmallow_dumps_it(app, name):
    with app.app_context():
        created = _create(BOOKS[name])
        assert _read() == _dumped() == [created]
        assert list(_read()[0]) == list(created) == list(FIELDS)


@pytest.mark.parametrize("name", BOOKS)
def test_a_stored_record_equals_the_input_and_can_be_sent_again(app, name):
    with app.app_context():
        created = _create(BOOKS[name])
        [record] = _read()
        assert _sent(record) == book_schema.load(BOOKS[name]) == book_schema.load(_sent(record))
        assert (record["id"], record["version"]) == (created["id"], 1)


def test_a_changed_row_is_read_as_marshmallow_dumps_it(app):
    with app.app_context():
        created = _create(BOOKS["full"])
        changed = db.write(
            changes.change,
            created["id"],
            edit(**book_schema.load(BOOKS["nasty"])),
            NO_PRECONDITIONS,
        )
        assert _read() == _dumped() == [changed]
        assert (
            changed["version"] == 2
            and changed["created_at"] == created["created_at"] < changed["updated_at"]
        )


@pytest.mark.parametrize("microsecond", [0, 1, 120000, 999999])
def test_timestamps_keep_their_microseconds(app, monkeypatch, microsecond):
    monkeypatch.setattr(changes, "now", lambda: datetime(2024, 1, 2, 3, 4, 5, microsecond, UTC))
    with app.app_context():
        _create(BOOKS["sparse"])
        assert _read() == _dumped()
        assert _read()[0]["created_at"] == f"2024-01-02T03:04:05.{microsecond:06d}Z"


def test_read_page_and_stream_give_the_same_record(app):
    with app.app_context():
        made = [_create(document) for document in BOOKS.values()]
        listing = queries.Listing()
        assert queries.page(listing)[:2] == (made, 3)
        assert (
            list(queries.export(listing)[1])
            == made
            == [queries.one(record["id"])[0] for record in made]
        )


@pytest.mark.parametrize("name", BOOKS)
def test_a_record_can_be_written_in_every_format(app, name):
    with app.app_context():
        _create(BOOKS[name])
        [record] = _read()
    assert json.loads(json.dumps(record)) == record
    assert book_schema.load(
        {
            field: value
            for field, value in xml.loads(xml.dumps(record, "book"), "book").items()
            if field not in READ_ONLY
        }
    ) == _sent(record)
    assert b"".join(csv.write([record], FIELDS)).count(b"\r\n") >= 2


def test_the_columns_that_are_read_are_the_fields_in_order():
    names = [
        getattr(column, "key", None)
        for name, column in zip(FIELDS, records.columns(), strict=True)
        if not name.endswith("_at")
    ]
    assert names == [name for name in FIELDS if not name.endswith("_at")]


def test_records_share_no_lists():
    row = tuple("[]" if name in LISTS else None for name in FIELDS)
    one, other = records.from_rows(FIELDS, [row, row])
    one["authors"].append("a")
    assert other["authors"] == one["subjects"] == []
