"""The filters of a list: parsing and condition of each (docs/api.md, Filters)."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, and_, exists, or_, select, union_all

from ...db import apart
from ...text import clean, key
from ...timestamps import parse_timestamp, stored
from ..fields import isbn, languages
from ..models import LAST, Book, BookAuthor, BookIdentifier, BookSubject

Values = list[BindParameter[Any]]


class Filter(NamedTuple):
    """`read` parses a value into what is compared (a tuple: several values), or raises ValueError;
    `condition` is given those values as bound parameters, and whether the list is the trash;
    `holds` is the same condition, for looking at one book after the other (None: it is no other).
    """

    read: Callable[[str], Any]
    condition: Callable[[Values, bool], ColumnElement[Any]]
    repeatable: bool = False
    holds: Callable[[Values, bool], ColumnElement[Any]] | None = None


# -- reading ---------------------------------------------------------------------------------------


def _text(text: str) -> str:
    cleaned = clean(text)
    if cleaned is None:
        raise ValueError("may not be empty")
    return cleaned


def _text_key(text: str) -> str:
    return key(_text(text))


_YEAR = re.compile("-?[0-9]{1,4}")


def _year(text: str) -> int:
    if not _YEAR.fullmatch(text):
        raise ValueError("must be a year, such as 1969 or -720")
    return int(text)


def _first_day(text: str) -> int:
    return _year(text) * 10000


def _last_day(text: str) -> int:
    return _year(text) * 10000 + 9999


def _instant(text: str) -> str:
    """The timestamp in UTC, as stored."""
    return stored(parse_timestamp(text))


_SCHEME = re.compile("[a-z0-9._-]{1,32}")


def _identifier(text: str) -> tuple[str, str]:
    scheme, colon, value = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise ValueError("must be scheme:value, the scheme of the characters a-z, 0-9, . _ and -")
    return scheme, isbn.parse(value) if scheme == "isbn" else _text(value)


# -- conditions ------------------------------------------------------------------------------------


def _equal(column: Any) -> Callable[[Values, bool], ColumnElement[Any]]:
    return lambda values, in_trash: column.in_(values)


def _listed(table: Any) -> Callable[[Values, bool], ColumnElement[Any]]:
    return lambda values, in_trash: Book.id.in_(
        select(table.book_id).where(table.name_key.in_(values))
    )


def _listed_of_book(table: Any) -> Callable[[Values, bool], ColumnElement[Any]]:
    return lambda values, in_trash: (
        exists()
        .where(table.name_key.in_(values), table.book_id == Book.id)
        .correlate(Book.__table__)
    )


def has_isbn(values: Values, in_trash: bool = False) -> ColumnElement[Any]:
    """Books with one of these ISBNs, as their own or among their identifiers."""
    other = Book.__table__.alias("other")
    own = (
        [other.c.deleted_at.is_not(None), other.c.isbn.in_(values)]
        if in_trash
        else [other.c.live_isbn.in_(values)]
    )
    found = union_all(
        select(other.c.id).where(*own),
        select(BookIdentifier.book_id).where(
            BookIdentifier.scheme == "isbn", BookIdentifier.value.in_(values)
        ),
    ).subquery()
    # A table of its own: MariaDB looks at a UNION in IN for each book.
    return Book.id.in_(select(found.c.id))


def in_language(column: Any, values: Values) -> ColumnElement[Any]:
    """`en` also finds `en-GB`: of the characters of a tag only `-` sorts before `.`."""
    return or_(*[and_(column >= value, column < value.concat(".")) for value in values])


def _published_from(values: Values, in_trash: bool) -> ColumnElement[Any]:
    # `apart`: SQLite takes one upper bound for the index, which is to be that of `published_to`.
    has_date = apart(Book.published_key) < LAST["published_key"]
    return and_(Book.published_key >= values[0], has_date)


def _identified(values: Values, in_trash: bool) -> ColumnElement[Any]:
    scheme, value = values
    return Book.id.in_(
        select(BookIdentifier.book_id).where(
            BookIdentifier.scheme == scheme, BookIdentifier.value == value
        )
    )


FILTERS = {
    "title": Filter(_text_key, _equal(Book.title_key), True),
    "author": Filter(_text_key, _listed(BookAuthor), True, _listed_of_book(BookAuthor)),
    "publisher": Filter(_text_key, _equal(Book.publisher_key), True),
    "subject": Filter(_text_key, _listed(BookSubject), True, _listed_of_book(BookSubject)),
    "series": Filter(_text_key, _equal(Book.series_key), True),
    "location": Filter(_text_key, _equal(Book.location_key), True),
    "call_number": Filter(_text_key, _equal(Book.call_number_key), True),
    "isbn": Filter(isbn.parse, has_isbn),
    "language": Filter(
        languages.canonical,
        lambda values, in_trash: in_language(Book.language, values),
        True,
        lambda values, in_trash: in_language(apart(Book.language), values),
    ),
    "identifier": Filter(_identifier, _identified),
    "published_from": Filter(_first_day, _published_from),
    "published_to": Filter(_last_day, lambda values, in_trash: Book.published_key <= values[0]),
    "updated_since": Filter(_instant, lambda values, in_trash: Book.updated_at >= values[0]),
}
