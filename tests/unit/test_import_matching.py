"""Which book a record is: the five rules of docs/api.md, Importing, as a table of cases."""

import pytest

from bookapi.books.imports.matching import ImportRow, Matcher, StoredBooks, changed_fields
from helpers.inventions import SPARSE

X, Y = "9780141439587", "9780306406157"
AT, LATER = "2024-01-02T03:04:05.000006Z", "2025-01-02T03:04:05.000006Z"


def book(book_id, title="Emma", **fields):
    return {
        **SPARSE,
        "id": book_id,
        "title": title,
        "version": 2,
        "created_at": AT,
        "updated_at": AT,
        **fields,
    }


def row(title="Emma", own=None, key=None, **values):
    return ImportRow(1, 2, {"title": title, **values}, [], own, key)


def ids(*pairs):
    return [{"scheme": scheme, "value": value} for scheme, value in pairs]


G = ids(("g", "1"))
CASES = {
    "1: own id and created_at": ([book(1, isbn=X)], row("Other", own=(1, AT, 2, AT)), 1),
    "1: another created_at is another catalogue": (
        [book(1)],
        row("Other", own=(1, LATER, 2, AT)),
        None,
    ),
    "2: the ISBN, whatever the title": ([book(1, isbn=X)], row("Other", isbn=X), 1),
    "2: of those that share it the one with the title": (
        [book(1, "One", isbn=X), book(2, "Two", identifiers=ids(("isbn", X)))],
        row("TWO", isbn=X),
        2,
    ),
    "2: of those that share it the one with the number": (
        [
            book(1, isbn=X, series_number="1"),
            book(2, identifiers=ids(("isbn", X)), series_number="2"),
        ],
        row(isbn=X, series_number="2"),
        2,
    ),
    "2: never a book with another ISBN": (
        [book(1, isbn=Y, identifiers=ids(("isbn", X)))],
        row(isbn=X),
        None,
    ),
    "3: the first identifier and the title": (
        [book(1, identifiers=G)],
        row("EMMA", identifiers=G),
        1,
    ),
    "3: not with another title": ([book(1, identifiers=G)], row("Other", identifiers=G), None),
    "3: a profile's id, whatever the title": (
        [book(1, identifiers=G)],
        row("Other", key=("g", "1")),
        1,
    ),
    "3: not a book with another ISBN": (
        [book(1, isbn=Y, identifiers=G)],
        row(isbn=X, key=("g", "1")),
        None,
    ),
    "3: a work's id is no key": (
        [book(1, identifiers=ids(("librarything-work", "1")), pages=1)],
        row(identifiers=ids(("librarything-work", "1")), pages=2),
        None,
    ),
    "4: a book that agrees in all fields": ([book(1, pages=3)], row(pages=3), 1),
    "4: one that differs is another": ([book(1, pages=3)], row(pages=4), None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_record_is_the_book_that_the_rules_say(case):
    books, record, expected = CASES[case]
    found = Matcher().match(record, StoredBooks(books))
    assert (found.book and found.book["id"], found.is_rejected) == (expected, False)


@pytest.mark.parametrize(
    ("version", "updated_at", "values", "stale", "is_rejected"),
    [
        (1, AT, {"pages": 1}, "reject", True),
        (1, AT, {"pages": 1}, "overwrite", False),
        (1, AT, {"pages": 9}, "reject", False),
        (2, AT, {"pages": 1}, "reject", False),
        (2, LATER, {"pages": 1}, "reject", True),
        (None, None, {"pages": 1}, "reject", False),
    ],
)
def test_a_record_older_than_its_book_is_stale_if_it_would_change_it(
    version, updated_at, values, stale, is_rejected
):
    found = Matcher(stale).match(
        row(own=(1, AT, version, updated_at), **values), StoredBooks([book(1, pages=9)])
    )
    assert found.is_rejected is is_rejected and (not is_rejected or found.issue.kind == "stale")


def test_a_book_is_taken_once():
    matcher, stored = Matcher(), StoredBooks([book(1, isbn=X)])
    first = matcher.match(row(isbn=X), stored)
    matcher.take(first.book["id"], X)
    second = matcher.match(row("Other", isbn=X), stored)
    assert (second.book, second.isbn_as_identifier, second.issue.kind) == (None, True, "isbn-taken")
    assert matcher.match(row(own=(1, AT, 2, AT)), stored).issue.kind == "record-repeated"
    matcher.forget()
    assert matcher.match(row(isbn=X), stored).book["id"] == 1


def test_a_book_in_the_trash_is_no_candidate():
    found = Matcher().match(row(own=(1, AT, 2, AT)), StoredBooks([]), {(1, AT)})
    assert found.book is None and found.issue.kind == "in-trash"


def test_identifiers_beside_the_fields_are_added_to_those_that_are_there():
    record = row(isbn=X)._replace(adds=ids(("g", "1"), ("isbn", X), ("isbn", Y)))
    there = book(1, isbn=X, identifiers=ids(("oclc", "2")))
    assert changed_fields(there, record, False) == {
        "identifiers": ids(("oclc", "2"), ("g", "1"), ("isbn", Y))
    }
