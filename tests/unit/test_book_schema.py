"""Validation of books: the fields and their text. docs/api.md, A book."""

import re
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from marshmallow import ValidationError

from bookapi.books.schemas import FIELDS, LISTS, READ_ONLY, WRITABLE, book_schema
from bookapi.http.problems import from_validation
from helpers.book_schema import errors_of, is_refused, loaded
from helpers.inventions import FULL, SPARSE, books, bounded

CONTRACT = [
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
    "location",
    "call_number",
    "copies",
    "version",
    "created_at",
    "updated_at",
]
LONGEST = {
    "title": 2000,
    "subtitle": 2000,
    "publisher": 500,
    "series": 500,
    "series_number": 50,
    "edition": 200,
    "description": 20000,
    "location": 200,
    "call_number": 100,
}
OPTIONAL = [name for name in CONTRACT if name not in ("title", *LISTS, *READ_ONLY)]
TEXTS = [*LONGEST, "isbn", "published", "language", "cover_url"]
GOOD = {
    "isbn": "9780306406157",
    "published": "1815",
    "language": "en",
    "cover_url": "https://example.org/a",
    "pages": "671",
    "copies": "0",
}
# -- the fields --------------------------------------------------------------------------


def test_every_list_of_fields_is_in_the_documented_order():
    assert list(FIELDS) == CONTRACT
    assert [*WRITABLE, *READ_ONLY] == [name for name in CONTRACT if name not in READ_ONLY] + list(
        READ_ONLY
    )


def test_only_the_title_is_required_and_other_fields_default_to_null_or_empty():
    assert loaded() == {
        "title": "T",
        **dict.fromkeys(OPTIONAL),
        "authors": [],
        "subjects": [],
        "identifiers": [],
    }


@bounded
@given(books())
def test_a_valid_record_is_loaded_unchanged(record):
    sent = {name: record[name] for name in WRITABLE}
    assert book_schema.load(sent) == sent


@pytest.mark.parametrize("document", [None, [], "title", 5, True, [{"title": "T"}], []])
def test_a_body_that_is_not_an_object_is_rejected(document):
    assert errors_of(document) == {"_schema": ["must be an object: a book"]}


@pytest.mark.parametrize("name", READ_ONLY)
@pytest.mark.parametrize("value", [None, 1, "2024-01-02T03:04:05.000006Z"])
def test_a_read_only_field_is_reported_as_read_only(value, name):
    assert is_refused(**{name: value}) == {name: ["is set by the service and cannot be sent"]}


@pytest.mark.parametrize(
    "name",
    [
        "Title",
        "author",
        "rating",
        "",
        " title",
        "title ",
        "título",
        "__class__",
        "deleted_at",
        "title_key",
        "_schema",
        "live_isbn",
        "$ref",
    ],
)
def test_an_unknown_field_is_reported_by_name(name):
    with pytest.raises(ValidationError) as failure:
        loaded(**{name: None})
    assert list(from_validation(failure.value)) == [
        {"field": name, "detail": "is not a field of a book"}
    ]


def test_all_errors_are_reported_at_once():
    messages = errors_of(
        {"title": " ", "id": 1, "pages": 0, "isbn": "1", "x": 1, "authors": "a", "published": "y"}
    )
    assert set(messages) == {"title", "id", "pages", "isbn", "x", "authors", "published"}


# -- text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (" Emma \n", "Emma"),
        ("E\u0301mile", "Émile"),
        ("\u00a0Emma\u3000", "Emma"),
        ("a\r\nb\tc", "a\r\nb\tc"),
        ("=1+1", "=1+1"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("'", "'"),
        ("📚", "📚"),
        ("null", "null"),
        ("\u200f", "\u200f"),
    ],
)
@pytest.mark.parametrize("name", ["title", "publisher", "description", "series_number"])
def test_text_is_normalized_to_nfc_and_trimmed(name, sent, kept):
    assert loaded(**{name: sent})[name] == kept


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("sent", ["", " \t\r\n", "\u00a0\u2003", None])
def test_empty_text_becomes_null(sent, name):
    assert loaded(**{name: sent})[name] is None


@pytest.mark.parametrize(
    "document", [{}, {"title": None}, {"title": ""}, {"title": " \n"}, {"title": "\u00a0\u2003"}]
)
def test_a_title_is_required(document):
    assert list(errors_of(document)) == ["title"]


@pytest.mark.parametrize("document", [{"title": None}, {"title": ""}, {"title": " "}])
def test_a_patch_may_omit_the_title_but_not_clear_it(document):
    assert book_schema.load({}, partial=True) == {}
    assert list(errors_of(document, partial=True)) == ["title"]


@pytest.mark.parametrize("name", [*TEXTS, "pages"])
@pytest.mark.parametrize(
    "character", ["\x00", "\x0b", "\x1c", "\x1f", "\ud800", "\udfff", "\ufffe", "\uffff"]
)
def test_characters_that_xml_forbids_are_rejected_in_every_field(character, name):
    good = GOOD.get(name, "good")
    for text in (character, good + character, character + good, f" {good}{character} "):
        assert list(is_refused(**{name: text})) == [name]


@pytest.mark.parametrize(
    "field",
    [
        {"authors": ["a", "b\x00"]},
        {"subjects": ["\x0c"]},
        {"identifiers": [{"scheme": "a", "value": "\ufffe"}]},
        {"identifiers": [{"scheme": "a\x00", "value": "b"}]},
    ],
)
def test_characters_that_xml_forbids_are_rejected_in_lists(field):
    with pytest.raises(ValidationError, match=r"U\+"):
        loaded(**field)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [5, 5.5, True, ["a"], {"a": "b"}, Decimal(5), b"a"])
def test_values_that_are_not_text_are_rejected(value, name):
    assert is_refused(**{name: value}) == {name: ["must be a string"]}


@pytest.mark.parametrize("name", LONGEST)
@pytest.mark.parametrize("letter", ["x", "é", "日", "📚"])
def test_lengths_count_code_points(letter, name):
    limit = LONGEST[name]
    assert loaded(**{name: letter * limit})[name] == letter * limit
    assert is_refused(**{name: letter * (limit + 1)}) == {
        name: [f"must have at most {limit} characters, this has {limit + 1}"]
    }


@pytest.mark.parametrize("name", LONGEST)
def test_lengths_are_measured_after_trimming_and_nfc(name):
    limit = LONGEST[name]
    assert loaded(**{name: " " * 9 + "x" * limit + "\n" * 9})[name] == "x" * limit
    assert loaded(**{name: "e\u0301" * limit})[name] == "é" * limit


def test_cover_url_has_a_length_limit():
    address = "https://example.org/".ljust(2000, "a")
    assert loaded(cover_url=address)["cover_url"] == address
    assert list(is_refused(cover_url=address + "a")) == ["cover_url"]


# -- written -----------------------------------------------------------------------------


def test_a_book_is_written_with_every_field_in_order():
    instant = datetime(2024, 1, 2, 3, 4, 5, 6, UTC)
    assert list(
        book_schema.dump({**FULL, "created_at": instant, "updated_at": instant}).items()
    ) == list(FULL.items())
    assert (
        list(book_schema.dump({**SPARSE, "created_at": instant, "updated_at": instant})) == CONTRACT
    )


@pytest.mark.parametrize(
    ("microsecond", "written"), [(0, "000000"), (6, "000006"), (999999, "999999")]
)
def test_timestamps_are_written_with_microseconds_and_z(microsecond, written):
    instant = datetime(2024, 1, 2, 3, 4, 5, microsecond, UTC)
    shown = book_schema.dump({"created_at": instant})["created_at"]
    assert shown == f"2024-01-02T03:04:05.{written}Z"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", shown)


def test_a_number_of_many_combining_characters_is_rejected_quickly():
    begun = time.process_time()
    assert "pages" in book_schema.validate({"title": "a", "pages": "a" + "\u0315\u0300" * 20_000})
    assert time.process_time() - begun < 0.3
