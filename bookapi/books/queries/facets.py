"""Values with the number of their books: facets, and the lists of authors, subjects, publishers and
languages.

Spellings that differ by case and accents alone are one value, shown as the smallest of them.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Select, String, bindparam, func, select
from sqlalchemy.engine import Connection

from ...catalogue import revision_of
from ...db import db, fetch
from ...http.pagination import Page, PageParameters
from ...http.parameters import Arguments, Parameter, choice, load_parameters
from ..models import Term
from ..terms import KINDS, Kind, year
from .listing import Shape
from .statements import Source

COMMONEST = 20


def _among(kind: Kind, shape: Shape, *columns: Any) -> Select[Any]:
    """A select of the values of the books of a shape."""
    source = Source(shape, needs_books=True)
    if not kind.is_list:
        return source.select(*columns).where(kind.has_value)
    return select(*columns).where(kind.book_id.in_(source.select(source.book_id)))


_ORDERS: dict[str, Callable[..., Any]] = {
    "value": lambda key, number: (key.asc(),),
    "-value": lambda key, number: (key.desc(),),
    "count": lambda key, number: (number.asc(), key.asc()),
    "-count": lambda key, number: (number.desc(), key.asc()),
}


@functools.lru_cache(maxsize=128)
def _counts(name: str, shape: Shape) -> Select[Any]:
    kind, counted = KINDS[name], func.count().label("number")
    return (
        _among(kind, shape, kind.key, counted)
        .group_by(kind.key)
        .order_by(*_ORDERS["-count"](kind.key, counted))
        .limit(bindparam("limit"))
    )


@functools.cache
def _all_terms(order: str) -> Select[Any]:
    """(spelling, number) of the terms of the whole catalogue, `limit` of them from `offset` on."""
    columns: list[Any] = [Term.spelling, Term.books]
    return (
        select(*columns)
        .where(Term.kind == bindparam("kind"))
        .order_by(*_ORDERS[order](Term.term_key, Term.books))
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
    )


_TOTAL = select(func.count()).where(Term.kind == bindparam("kind"))


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


def _value(name: str, spelling: str) -> str:
    return year(spelling) if name == "decade" else spelling


def _whole(
    connection: Connection, name: str, order: str, limit: int, offset: int = 0
) -> list[dict[str, Any]]:
    """The terms of the whole catalogue."""
    values = {"kind": name, "limit": limit, "offset": offset}
    found = fetch(connection, _all_terms(order), values)
    return [{"value": _value(name, spelling), "count": number} for spelling, number in found]


def commonest(
    connection: Connection, name: str, shape: Shape, values: dict[str, Any]
) -> list[dict[str, Any]]:
    """The most frequent values among the books of a list, with the number of books."""
    if shape == Shape():
        return _whole(connection, name, "-count", COMMONEST)
    counts = fetch(connection, _counts(name, shape), {"limit": COMMONEST, **values})
    spelt = {key: key for key, _ in counts}
    if KINDS[name].key is not KINDS[name].spelling and counts:
        keys = {f"key_{index}": key for index, key in enumerate(spelt)}
        spelt = dict(fetch(connection, _spellings(name, shape, len(counts)), {**keys, **values}))
    return [{"value": _value(name, spelt[key]), "count": number} for key, number in counts]


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
        total = fetch(connection, _TOTAL, {"kind": name})[0][0]
        found = _whole(connection, name, order, page.limit, page.offset)
        return Terms(found, total, page, revision_of(connection))
