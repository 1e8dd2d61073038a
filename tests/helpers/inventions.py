"""Hypothesis strategies for texts and books, nasty on purpose. docs/api.md, A book."""

from datetime import datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bookapi.books.schemas import FIELDS
from bookapi.text import clean
from bookapi.timestamps import format_timestamp

bounded = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)

# Markup, line ends, what spreadsheets run, list separators; accents, right to left, invisible,
# outside the BMP.
_NASTY = (
    "&<>\"'\r\n\t |\\=+-@;,:]"
    "é\u0301\u05d0\u0627\u202e\u200b\ufeff\u2028\x7f\x85\x9f\xa0\ufffd"
    "📚𝔸\U0010fffd"
)
_ALLOWED = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
texts = st.text(
    st.one_of(st.sampled_from(_NASTY), st.sampled_from(_NASTY), _ALLOWED), min_size=1, max_size=25
)
stored = texts.map(clean).filter(bool)  # NFC, trimmed, not empty

_SCHEMES = st.text("abcxyz019._-", min_size=1, max_size=32).filter(lambda scheme: scheme != "isbn")
_INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(format_timestamp)
_YEARS = st.tuples(st.integers(1, 9999), st.booleans()).map(
    lambda made: "-" * made[1] + f"{made[0]:04d}"
)
dates = st.one_of(
    _YEARS,
    st.tuples(_YEARS, st.integers(1, 12)).map(lambda made: f"{made[0]}-{made[1]:02d}"),
    st.tuples(_YEARS, st.integers(1, 12), st.integers(1, 28)).map(
        lambda made: f"{made[0]}-{made[1]:02d}-{made[2]:02d}"
    ),
)


def with_check_digit(twelve):
    """The ISBN-13 that begins with these twelve digits."""
    return twelve + str(
        -sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(twelve)) % 10
    )


isbns = st.integers(0, 10**9 - 1).map(lambda number: with_check_digit(f"978{number:09d}"))


def _or_null(strategy):
    return st.none() | strategy


def books(text=stored):
    """Records as the service writes them: every field, in the documented order."""
    lists = st.lists(text, max_size=4)
    fields = {
        "id": st.integers(1, 2**63 - 1),
        "title": text,
        "subtitle": _or_null(text),
        "authors": lists,
        "isbn": _or_null(isbns),
        "publisher": _or_null(text),
        "published": _or_null(dates),
        "language": _or_null(st.sampled_from(["en", "pt-BR", "zh-Hant", "grc", "mul"])),
        "series": _or_null(text),
        "series_number": _or_null(text),
        "edition": _or_null(text),
        "pages": _or_null(st.integers(1, 100000)),
        "description": _or_null(text),
        "subjects": lists,
        "identifiers": st.lists(
            st.fixed_dictionaries({"scheme": _SCHEMES, "value": text}), max_size=3
        ),
        "cover_url": _or_null(
            st.sampled_from(["http://example.org/a?b=1&c='2'", "https://example.org/é/😀"])
        ),
        "location": _or_null(text),
        "call_number": _or_null(text),
        "copies": _or_null(st.integers(0, 100000)),
        "version": st.integers(1, 10**6),
        "created_at": _INSTANTS,
        "updated_at": _INSTANTS,
    }
    assert tuple(fields) == FIELDS
    return st.fixed_dictionaries(fields)


FULL = {
    "id": 7,
    "title": "Emma & <Co> \"quoted\" 'n' all",
    "subtitle": "=1+1",
    "authors": ["Jane Austen", "משה | ב"],
    "isbn": "9780141439587",
    "publisher": "John Murray",
    "published": "1815-12-23",
    "language": "en-GB",
    "series": "Novels",
    "series_number": "4",
    "edition": "1st\r\nprinting",
    "pages": 671,
    "description": "a\tb\nc 📚",
    "subjects": ["Fiction", "|"],
    "identifiers": [{"scheme": "goodreads", "value": "6969"}],
    "cover_url": "https://example.org/emma.jpg?a=1&b=2",
    "location": "Room 1 | shelf 2",
    "call_number": "-PR4034 .E5",
    "copies": 0,
    "version": 1,
    "created_at": "2024-01-02T03:04:05.000006Z",
    "updated_at": "2024-01-02T03:04:05.000006Z",
}
SPARSE = {
    **dict.fromkeys(FIELDS),
    "id": 1,
    "title": "T",
    "authors": [],
    "subjects": [],
    "identifiers": [],
    "version": 1,
    "created_at": "2024-01-02T03:04:05.000000Z",
    "updated_at": "2024-01-02T03:04:05.000000Z",
}
