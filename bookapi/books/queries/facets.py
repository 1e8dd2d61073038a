"""Values with the number of their books: facets, and the lists of authors, subjects, publishers and
languages.

Spellings that differ by case and accents alone are one value, shown as the smallest of them.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Select, String, and_, bindparam, case, exists, func, select
from sqlalchemy.engine import Connection

from ...catalogue import revision_of
from ...db import JoinInOrder, db, fetch
from ...http.pagination import Page, PageParameters
from ...http.parameters import Parameter, choice
from ..models import Book, Term
from ..terms import KINDS, Kind, year
from .listing import WHOLE, Shape
from .matches import Matches
from .statements import Columns, Source, has_language_alone, in_walk, is_marked

COMMONEST = 20
# To look a row's book up among those found takes this part of reading the values of a book; to walk
# through all books as long as reading this part of them.
LOOKED_UP, WALKED = 16, 10


def _among(kind: Kind, shape: Shape, *columns: Any) -> Select[Any]:
    """A select of the values of the books of a shape."""
    source = Source(shape, Columns.OF_ID_INDEX if kind.in_id_index else Columns.ANY)
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
    """(key, number of books, smallest spelling) of the commonest values."""
    kind, counted = KINDS[name], func.count().label("number")
    return (
        _among(kind, shape, kind.key, counted, func.min(kind.spelling))
        .group_by(kind.key)
        .order_by(*_ORDERS["-count"](kind.key, counted))
        .limit(bindparam("limit"))
    )


@functools.lru_cache(maxsize=128)
def _counts_in_walk(name: str, shape: Shape | None) -> Select[Any]:
    """The same for many books, counted in the order of an index, so that none are sorted; see
    `statements.in_walk`."""
    column = Book.language if name == "language" else Book.published_key
    key: Any = KINDS[name].key
    each = (
        select(key.label("term_key"), func.count().label("number"))
        .where(*in_walk(shape), KINDS[name].has_value)
        .group_by(column)
        .subquery()
    )
    number: Any = func.sum(each.c.number)
    return (
        select(each.c.term_key, number, each.c.term_key)
        .group_by(each.c.term_key)
        .order_by(*_ORDERS["-count"](each.c.term_key, number))
        .limit(bindparam("limit"))
    )


@functools.lru_cache(maxsize=128)
def _counts_by_term(name: str) -> Select[Any]:
    """(key, number of books) of the same, of the terms alone that `least` books of the whole
    catalogue have."""
    kind, counted = KINDS[name], func.count().label("number")
    key: Any = Term.term_key
    of_term = kind.key == key
    if not kind.is_list:
        of_term = and_(Book.deleted_at.is_(None), of_term)
    return (
        select(key, counted)
        .select_from(JoinInOrder(Term.__table__, kind.table, of_term))
        .where(*_FREQUENT, is_marked(kind.book_id))
        .group_by(Term.books, Term.term_key)
        .order_by(*_ORDERS["-count"](Term.term_key, counted))
        .limit(bindparam("limit"))
    )


_FREQUENT = Term.kind == bindparam("kind"), Term.books >= bindparam("least")
_ROWS = select(func.coalesce(func.sum(Term.books), 0)).where(*_FREQUENT)


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
def _spellings(name: str, size: int) -> Select[Any]:
    """(key, smallest spelling) of these keys: mostly that of the whole catalogue, and then the
    first book found with it is enough to know."""
    kind, key = KINDS[name], Term.term_key
    keys = [bindparam(f"key_{index}", type_=String()) for index in range(size)]
    is_meant = kind.key == key, is_marked(kind.book_id)
    is_spelt_so = exists().where(kind.spelling == Term.spelling, *is_meant)
    smallest = select(func.min(kind.spelling)).where(*is_meant)
    if not kind.is_list:
        is_spelt_so = is_spelt_so.where(Book.deleted_at.is_(None))
        smallest = smallest.where(Book.deleted_at.is_(None))
    spelling = case((is_spelt_so, Term.spelling), else_=smallest.scalar_subquery())
    columns: list[Any] = [key, spelling]
    return select(*columns).where(Term.kind == bindparam("kind"), key.in_(keys))


def _value(name: str, spelling: str) -> str:
    return year(spelling) if name == "decade" else spelling


def _whole(
    connection: Connection, name: str, order: str, limit: int, offset: int = 0
) -> list[dict[str, Any]]:
    """The terms of the whole catalogue."""
    values = {"kind": name, "limit": limit, "offset": offset}
    found = fetch(connection, _all_terms(order), values)
    return [{"value": _value(name, spelling), "count": number} for spelling, number in found]


def commonest(name: str, matches: Matches) -> list[dict[str, Any]]:
    """The most frequent values among the books of a list, with the number of books."""
    shape, counts = matches.shape, None
    if shape == WHOLE:
        return _whole(matches.connection, name, "-count", COMMONEST)
    if not KINDS[name].in_id_index:
        counts = _by_term(name, matches) if matches.can_be_marked else None
    elif name == "language" and has_language_alone(shape):
        pass  # counted in its own index
    elif matches.can_be_marked and matches.total * WALKED > matches.catalogue_total:
        condition, values = matches.walk_by()
        counts = matches.rows(_counts_in_walk(name, condition), limit=COMMONEST, **values)
    if counts is None:
        counts = matches.rows(_counts(name, shape), limit=COMMONEST)
    # MySQL's sums are no integers.
    return [
        {"value": _value(name, spelling), "count": int(number)} for _, number, spelling in counts
    ]


def _by_term(name: str, matches: Matches) -> list[tuple[Any, ...]] | None:
    """The same by the commonest terms of the whole catalogue: those that are rarer than the last
    value found need not be counted. None where too many would be."""
    usual = _whole(matches.connection, name, "-count", 1, COMMONEST - 1)
    least = usual[0]["count"] * matches.total // matches.catalogue_total if usual else 1
    least -= int(2 * least**0.5)  # for chance
    for _ in range(2):
        values = {"kind": name, "least": least}
        if matches.column(_ROWS, **values)[0] > LOOKED_UP * matches.total:
            return None
        values |= matches.marked
        counts = matches.rows(_counts_by_term(name), limit=COMMONEST, **values)
        last = counts[-1][1] if len(counts) == COMMONEST else 1
        if last >= least:
            values |= {f"key_{at}": key for at, (key, _) in enumerate(counts)}
            query = _spellings(name, len(counts))
            spelt = dict(matches.rows(query, **values) if counts else ())
            return [(key, number, spelt[key]) for key, number in counts]
        least = last
    return None


class TermsParameters(PageParameters):
    sort = Parameter(
        choice(dict(zip(_ORDERS, _ORDERS))), "value", "by value or by number of books; - descending"
    )


terms_parameters = TermsParameters()


class Terms(NamedTuple):
    """A page of all values of one kind."""

    terms: list[dict[str, Any]]
    total: int
    revision: int


def terms(name: str, page: Page, order: str) -> Terms:
    """A page of all values of a kind, in one of the orders that the parameter `sort` has."""
    with db.read() as connection:
        total = fetch(connection, _TOTAL, {"kind": name})[0][0]
        found = _whole(connection, name, order, page.limit, page.offset)
        return Terms(found, total, revision_of(connection))
