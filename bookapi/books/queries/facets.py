"""Values with the number of their books: facets, and the lists of authors, subjects, publishers and
languages.

A value is told as it is spelt somewhere; spellings that differ by case and accents alone are one
value.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Select, SQLColumnExpression, String, bindparam, func, select
from sqlalchemy.engine import Connection

from ...db import db, fetch, revision_of
from ...http.pagination import Page, PageParameters
from ...http.parameters import Arguments, Parameter, choice, load_parameters
from ..models import LAST, Book, BookAuthor, BookSubject
from .listing import Shape
from .statements import Source

COMMONEST = 20
_YEARS = 100000  # ten years in `published_key`


class Kind(NamedTuple):
    """The columns of a facet: the compared form of a value, its spelling, the book."""

    key: SQLColumnExpression[Any]
    spelling: SQLColumnExpression[Any]
    book_id: SQLColumnExpression[Any]

    @property
    def is_list(self) -> bool:
        return self.book_id is not Book.id


# Rounded down to the beginning of the decade, before year 0 too, where remainders are negative.
_DECADE = Book.published_key - (Book.published_key % _YEARS + _YEARS) % _YEARS
KINDS = {
    "author": Kind(BookAuthor.name_key, BookAuthor.name, BookAuthor.book_id),
    "subject": Kind(BookSubject.name_key, BookSubject.name, BookSubject.book_id),
    "publisher": Kind(Book.publisher_key, Book.publisher, Book.id),
    "series": Kind(Book.series_key, Book.series, Book.id),
    "location": Kind(Book.location_key, Book.location, Book.id),
    "language": Kind(Book.language, Book.language, Book.id),
    "decade": Kind(_DECADE, _DECADE, Book.id),
}


def _among(kind: Kind, shape: Shape, *columns: Any) -> Select[Any]:
    """A select of the values of the books of a shape."""
    source = Source(shape, needs_books=True)
    if not kind.is_list:
        has_value = (
            Book.published_key < LAST["published_key"]
            if kind.key is _DECADE
            else kind.key.is_not(None)
        )
        return source.select(*columns).where(has_value)
    if shape == Shape():  # the trash is small: the index of the values is used
        in_trash = select(Book.id).where(Book.deleted_at.is_not(None))
        return select(*columns).where(kind.book_id.not_in(in_trash))
    return select(*columns).where(kind.book_id.in_(source.select(source.book_id)))


_ORDERS: dict[str, Callable[..., Any]] = {
    "value": lambda key, number: (key.asc(),),
    "-value": lambda key, number: (key.desc(),),
    "count": lambda key, number: (number.asc(), key.asc()),
    "-count": lambda key, number: (number.desc(), key.asc()),
}


@functools.lru_cache(maxsize=128)
def _counts(name: str, shape: Shape, order: str) -> Select[Any]:
    kind, counted = KINDS[name], func.count().label("number")
    return (
        _among(kind, shape, kind.key, counted)
        .group_by(kind.key)
        .order_by(*_ORDERS[order](kind.key, counted))
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
    )


@functools.lru_cache(maxsize=64)
def _total(name: str) -> Select[Any]:
    kind = KINDS[name]
    return _among(kind, Shape(), func.count(kind.key.distinct()))


@functools.lru_cache(maxsize=128)
def _spellings(name: str, shape: Shape, size: int) -> Select[Any]:
    """The smallest spelling of each of these keys: the same on every database."""
    kind = KINDS[name]
    keys = [bindparam(f"key_{index}", type_=String()) for index in range(size)]
    return (
        _among(kind, shape, kind.key, func.min(kind.spelling))
        .where(kind.key.in_(keys))
        .group_by(kind.key)
    )


def _values_of(
    connection: Connection,
    name: str,
    shape: Shape,
    counts: list[tuple[Any, ...]],
    values: dict[str, Any],
) -> list[dict[str, Any]]:
    if name == "decade":
        return [{"value": _year(key), "count": counted} for key, counted in counts]
    if name == "language" or not counts:
        return [{"value": key, "count": counted} for key, counted in counts]
    keys = {f"key_{index}": key for index, (key, _) in enumerate(counts)}
    spelt = dict(fetch(connection, _spellings(name, shape, len(counts)), {**keys, **values}))
    return [{"value": spelt[key], "count": counted} for key, counted in counts]


def _year(decade: int) -> str:
    year = int(decade) // 10000
    return f"-{-year:04d}" if year < 0 else f"{year:04d}"


def commonest(
    connection: Connection, name: str, shape: Shape, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The most frequent values among the books of a list, with the number of books."""
    counts = fetch(
        connection, _counts(name, shape, "-count"), {"limit": COMMONEST, "offset": 0, **values}
    )
    return _values_of(connection, name, shape, counts, values)


class TermsParameters(PageParameters):
    sort = Parameter(
        choice(dict(zip(_ORDERS, _ORDERS))), "value", "by value or by number of books; - descending"
    )


terms_parameters = TermsParameters()


class Terms(NamedTuple):
    """A page of all values of one kind."""

    terms: list[dict[str, Any]]
    total: int
    page: Page
    revision: int


def terms(name: str, args: Arguments) -> Terms:
    """The page of values that the parameters ask for: by value, or by `sort=-count`; a 400 where
    they are wrong."""
    asked = load_parameters(terms_parameters, args)
    page, order = Page(asked["limit"], asked["page"]), asked["sort"]
    with db.read() as connection:
        total = fetch(connection, _total(name))[0][0]
        counts = (
            fetch(
                connection,
                _counts(name, Shape(), order),
                {"limit": page.limit, "offset": page.offset},
            )
            if page.offset < total
            else []
        )
        found = _values_of(connection, name, Shape(), counts, {})
        return Terms(found, total, page, revision_of(connection))
