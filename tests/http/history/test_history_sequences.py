"""The history after any sequence of changes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.books import (
    BLANK,
    differences,
    history,
    own,
    seq,
    steps,
)
from helpers.inventions import bounded, with_check_digit

_BOOK = st.integers(0, 3)  # one of the last few
_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["a", "A ", "\u00e9", "\U0001f4da"]),
        "pages": st.sampled_from([None, 1, 2]),
        "isbn": st.sampled_from([None, 0, 1]),
        "authors": st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "identifiers": st.lists(
            st.builds(dict, scheme=st.sampled_from("st"), value=st.just("1")), max_size=2
        ),
        "description": st.sampled_from([None, "text"]),
    },
)
_CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("create"), _VALUES),
        st.tuples(st.just("batch"), st.lists(_VALUES, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["patch", "put"]), _BOOK, _VALUES),
        st.tuples(st.just("isbn"), st.integers(0, 1), _VALUES),
        st.tuples(st.sampled_from(["delete", "restore", "restore"]), _BOOK),
    ),
    min_size=1,
    max_size=14,
)
_COUNTER = itertools.count(1)


def _document(values, isbns, whole=True):
    """The values as a document, their ISBN one of two."""
    number = values.get("isbn")
    isbn = {"isbn": None if number is None else isbns[number]} if "isbn" in values else {}
    return {**({"title": "t"} if whole else {}), **values, **isbn}


def _perform(client, change, isbns, books):
    """Send a change; whether it was done. New books are put into `books`."""
    kind, *given = change
    if kind in ("create", "batch"):
        documents = [
            _document(values, isbns) for values in (given if kind == "create" else given[0])
        ]
        answer = client.post(
            "/books", json=documents[0] if kind == "create" else {"books": documents}
        )
        made = (
            []
            if answer.status_code != 201
            else [answer.json]
            if kind == "create"
            else answer.json["books"]
        )
        books += [record["id"] for record in made]
    elif kind == "isbn":
        values = {name: value for name, value in given[1].items() if name != "isbn"}
        answer = client.put(f"/books/isbn/{isbns[given[0]]}", json=_document(values, isbns))
        books += [answer.json["id"]] if answer.status_code == 201 else []
    elif not books:
        return
    else:
        address, method = (
            f"/books/{books[-1 - given[0] % len(books)]}",
            {"restore": "POST"}.get(kind, kind.upper()),
        )
        address += "/restore" if kind == "restore" else ""
        document = _document(given[1], isbns, kind == "put") if len(given) > 1 else None
        answer = client.open(address, method=method, json=document)
    assert answer.status_code in (200, 201, 204, 409, 410), (change, answer.get_data())


def _replayed(entries):
    """The book that its history tells, and whether it is in the trash."""
    book = dict(BLANK)
    for entry in entries:
        for field, (before, after) in differences(entry).items():
            assert book[field] == before and before != after, (field, entry)
            book[field] = after
    return book, entries[-1]["action"] == "deleted"


@pytest.mark.slow
@given(changes=_CHANGES)
@settings(bounded, max_examples=30)
def test_any_sequence_of_changes_has_complete_history(app, admin, changes):
    """The versions of each book go from 1 up, its history makes the book, and the feed has each
    step once, in order.
    """
    start = seq(app)
    number = next(_COUNTER)
    isbns, books = [with_check_digit(f"978{2 * number + other:09d}") for other in (0, 1)], []
    for change in changes:
        _perform(admin, change, isbns, books)
    feed = steps(admin, start)
    assert [step[0] for step in feed] == list(range(start + 1, seq(app) + 1))
    assert {step[2] for step in feed} == set(books)
    for book_id in books:
        entries = history(admin, book_id)
        record = admin.get(f"/books/{book_id}?state=deleted").json
        assert [entry["version"] for entry in entries] == list(range(1, record["version"] + 1))
        assert [
            (entry["seq"], entry["action"], book_id, entry["version"]) for entry in entries
        ] == [step for step in feed if step[2] == book_id]
        book, in_trash = _replayed(entries)
        assert book == own(record) and entries[-1]["at"] == record["updated_at"]
        assert entries[0]["action"] == "created" and entries[0]["at"] == record["created_at"]
        assert admin.get(f"/books/{book_id}").status_code == (410 if in_trash else 200)
