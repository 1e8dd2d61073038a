"""The filters of a list (docs/api.md, Filters): all that is known of each."""

import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    String,
    and_,
    exists,
    or_,
    select,
    union_all,
)

from ...db import apart
from ...text import clean, key
from ...timestamps import parse_timestamp, stored
from ..fields import isbn, languages
from ..models import LAST, Book, BookAuthor, BookIdentifier, BookSubject

Values = list[BindParameter[Any]]
Condition = Callable[[Values], ColumnElement[Any]]


class Filter(NamedTuple):
    """A filter. The members from `row_condition` on decide how its books are found, not which.

    `read` parses a value into what is compared (a tuple: several values), or raises ValueError;
    `condition` is given those values as bound parameters.
    """

    read: Callable[[str], Any]
    condition: Condition
    schema: dict[str, Any] = {"type": "string", "minLength": 1}  # JSON Schema of a value
    meaning: str = ""  # where it does not compare text
    repeatable: bool = False
    type: Integer | String = String()  # of the values
    trash_condition: Condition | None = None  # for books in the trash, where that is another one
    row_condition: Condition | None = None  # to look at one book after the other
    # Whether SQLite's index of all books by id, or another table, has what is compared.
    in_id_index: bool = False
    # The sort in whose order the filter's index has the books.
    order: str = ""
    # The sorts in whose index the books that pass may stand anywhere, so that walking it finds some
    # soon.
    walks: tuple[str, ...] = ()
    # For how many values at once the table `terms` knows the number of books: one where a book may
    # have several.
    counted: int = 0


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


def _published_from(values: Values) -> ColumnElement[Any]:
    # `apart`: SQLite takes one upper bound for the index, which is to be that of `published_to`.
    has_date = apart(Book.published_key) < LAST["published_key"]
    return and_(Book.published_key >= values[0], has_date)


def _identified(values: Values) -> ColumnElement[Any]:
    scheme, value = values
    return Book.id.in_(
        select(BookIdentifier.book_id).where(
            BookIdentifier.scheme == scheme, BookIdentifier.value == value
        )
    )


# -- all of them -----------------------------------------------------------------------------------

_YEARS: dict[str, Any] = {
    "schema": {"type": "string", "pattern": "^-?[0-9]{1,4}$"},
    "meaning": "a year, included",
    "in_id_index": True,
    "order": "published",
    "walks": ("title", "author"),
    "type": Integer(),
}
WALKED_SORTS = ("id", "title", "author", "published")


def _text_filter(column: Any, **more: Any) -> Filter:
    return Filter(_text_key, lambda values: column.in_(values), repeatable=True, **more)


def _name_filter(table: Any, walks: tuple[str, ...]) -> Filter:
    """A filter by one of a book's authors or subjects."""
    of_book, book = table.book_id == Book.id, Book.__table__
    return Filter(
        _text_key,
        lambda values: Book.id.in_(select(table.book_id).where(table.name_key.in_(values))),
        repeatable=True,
        row_condition=lambda values: (
            exists().where(table.name_key.in_(values), of_book).correlate(book)
        ),
        in_id_index=True,
        walks=walks,
        counted=1,
    )


FILTERS = {
    "title": _text_filter(Book.title_key, order="id"),
    "author": _name_filter(BookAuthor, ("id", "title", "published")),
    "publisher": _text_filter(Book.publisher_key, order="id", walks=WALKED_SORTS, counted=99),
    "subject": _name_filter(BookSubject, WALKED_SORTS),
    "series": _text_filter(Book.series_key, order="id", walks=("id",), counted=99),
    "location": _text_filter(Book.location_key, walks=WALKED_SORTS, counted=99),
    "call_number": _text_filter(Book.call_number_key),
    "isbn": Filter(
        isbn.parse,
        has_isbn,
        {"type": "string", "format": "isbn"},
        "ISBN-10 or ISBN-13, hyphens allowed; further ISBNs are found, too",
        trash_condition=functools.partial(has_isbn, in_trash=True),
        in_id_index=True,
    ),
    "language": Filter(
        languages.canonical,
        lambda values: in_language(Book.language, values),
        {"type": "string", "format": "language-tag"},
        "a tag; en also finds en-GB",
        repeatable=True,
        row_condition=lambda values: in_language(apart(Book.language), values),
        in_id_index=True,
        walks=WALKED_SORTS,
        counted=99,
    ),
    "identifier": Filter(
        _identifier,
        _identified,
        {"type": "string", "pattern": "^[a-z0-9._-]{1,32}:.+$"},
        "scheme:value",
        in_id_index=True,
    ),
    "published_from": Filter(_first_day, _published_from, **_YEARS),
    "published_to": Filter(_last_day, lambda values: Book.published_key <= values[0], **_YEARS),
    "updated_since": Filter(
        _instant,
        lambda values: Book.updated_at >= values[0],
        {"type": "string", "format": "date-time"},
        "an RFC 3339 instant",
        order="updated_at",
    ),
}
