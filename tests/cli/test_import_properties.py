"""What holds for any books: an export comes back as it was, and a second time nothing changes."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookapi import formats
from bookapi.books import changes, queries
from bookapi.books.imports import service
from bookapi.books.schemas import READ_ONLY, WRITABLE
from bookapi.db import db
from helpers.inventions import books

OUTCOMES = ("created", "updated", "unchanged", "rejected")


def own(book):
    return {name: value for name, value in book.items() if name not in READ_ONLY}


def load(body, name):
    with service.prepare(io.BytesIO(body), service.Options(), formats.by_name(name)) as prepared:
        return service.run(prepared)


def stored():
    return list(queries.export(queries.Listing())[1])


class Always:
    """Preconditions that always hold."""

    def check(self, record):
        pass


def empty():
    for book in stored():
        db.write(changes.delete, book["id"], Always())
    db.write(changes.purge, 0, 10**6)


each = pytest.mark.parametrize("name", ["csv", "jsonl", "json", "xml"])
few = settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
SOME_ISBNS = ["9780141439587", "9780306406157", "9781593070915"]


def written(name, records):
    return b"".join(formats.by_name(name).write(records, tuple(records[0])))


@pytest.mark.slow
@each
@few
@given(records=st.lists(books(), min_size=1, max_size=5))
def test_an_export_gives_equal_books_and_then_changes_nothing(app, name, records):
    with app.app_context():
        empty()
        unique = {book["isbn"] or number: own(book) for number, book in enumerate(records)}
        load(b"".join(formats.by_name("jsonl").write(unique.values(), ())), "jsonl")
        before = stored()
        export = written(name, before)
        assert load(export, name)["unchanged"] == len(before) and stored() == before
        empty()
        assert load(export, name)["created"] == len(before)
        again = stored()
        assert [own(book) for book in again] == [own(book) for book in before]
        assert load(export, name)["unchanged"] == len(before) and stored() == again


@pytest.mark.slow
@each
@few
@given(
    records=st.lists(books(), min_size=1, max_size=4),
    others=st.lists(books(), min_size=4, max_size=4),
    fields=st.sets(st.sampled_from([*WRITABLE]), max_size=5),
)
def test_no_stored_value_disappears_that_a_file_does_not_speak_of(
    app, name, records, others, fields
):
    with app.app_context():
        empty()
        load(written("jsonl", [own(book) for book in records]), "jsonl")
        before = stored()
        known = ("id", "created_at", "title", *sorted(fields - {"title", "isbn"}))
        sent = [
            {
                field: {**other, **book}[field] if field in READ_ONLY else other[field]
                for field in known
            }
            for book, other in zip(before, others, strict=False)
        ]
        report = load(written(name, sent), name)
        assert report["created"] == report["rejected"] == 0
        for book, after in zip(before, stored(), strict=True):
            untold = [field for field in WRITABLE if field not in known]
            assert [after[field] for field in untold] == [book[field] for field in untold]


@each
@few
@given(
    records=st.lists(
        st.fixed_dictionaries(
            {
                "title": st.sampled_from(["Emma", "emma", "Other"]),
                "isbn": st.sampled_from([None, *SOME_ISBNS]),
                "series_number": st.sampled_from([None, "1", "2"]),
                "identifiers": st.lists(
                    st.fixed_dictionaries(
                        {"scheme": st.sampled_from("gh"), "value": st.sampled_from("12")}
                    ),
                    max_size=1,
                ),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_no_two_records_with_different_isbns_become_one_book(app, name, records):
    with app.app_context():
        empty()
        for _ in range(2):
            report = load(written(name, records), name)
            assert sum(report[what] for what in OUTCOMES) == report["read"] == len(records)
            found = [book["isbn"] for book in stored() if book["isbn"]]
            assert sorted(found) == sorted({book["isbn"] for book in records} - {None})
        after = stored()
        assert load(written(name, records), name)["unchanged"] == len(records)
        assert stored() == after
