"""The statements of lists, built and compiled once a shape: first which books, by indexes alone,
then their rows."""

import functools
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    TableValuedAlias,
    bindparam,
    column,
    false,
    func,
    select,
)

from ...db import found
from ...db.search import LEVELS
from .. import records
from ..models import Book
from . import sorting
from .filters import FILTERS
from .listing import Shape
from .sorting import Key

_REMEMBERED = 128  # statements of each kind


class Source:
    """Where the books of a shape come from: the search, the table of books, or both."""

    def __init__(self, shape: Shape, ranked: bool = False, needs_books: bool = False):
        self.conditions = [
            FILTERS[name].condition(
                [bindparam(f"{name}_{index}", type_=_type(name)) for index in range(count)],
                shape.in_trash,
            )
            for name, count in shape.filters
        ]
        self.relevance: ColumnElement[Any] | None = None
        self.book_id: Any = Book.id
        self.table: FromClause = Book.__table__
        if shape.search == "terms":
            self._search(ranked, needs_books or bool(shape.filters))
        elif shape.search == "without":
            self.conditions.append(Book.id.not_in(select(_found("q_without").c.id)))
        elif shape.search:
            self.conditions.append(false())
        if self.book_id is Book.id:
            self.conditions.insert(
                0, Book.deleted_at.is_not(None) if shape.in_trash else Book.deleted_at.is_(None)
            )

    def _search(self, ranked: bool, with_books: bool) -> None:
        hits = _found(*([f"q_{level}" for level in LEVELS] if ranked else ["q"]), "q_less")
        self.table, self.relevance = hits, hits.c.get("relevance")
        if with_books:
            self.table = hits.join(Book.__table__, Book.id == hits.c.id)
        else:  # the search knows by itself what is in the trash
            self.book_id = hits.c.id

    def select(self, *columns: Any) -> Select[Any]:
        return select(*columns).select_from(self.table).where(*self.conditions)


# The filters that leave books in the order of an index, and what they then can be sorted by.
_IN_ORDER = {
    ("title",): ("id",),
    ("publisher",): ("id",),
    ("series",): ("id",),
    ("updated_since",): ("updated_at",),
    ("published_from",): ("published",),
    ("published_to",): ("published",),
    ("published_from", "published_to"): ("published",),
}


def _by_index(shape: Shape, sort: tuple[str, ...]) -> bool:
    """Whether the books of this shape are found in this order, or may be walked through in it for
    enough of them."""
    if shape.in_trash:
        return False
    single = all(number == 1 for _, number in shape.filters)
    names = tuple(name for name, _ in shape.filters)
    return not names or single and sort[0].removeprefix("-") in _IN_ORDER.get(names, ())


def _type(name: str) -> Integer | String:
    return Integer() if name in ("published_from", "published_to") else String()


def _found(*values: str) -> TableValuedAlias:
    columns = [
        column("id", Integer),
        *([column("relevance", Integer)] if len(values) > len(LEVELS) else []),
    ]
    return found(*[bindparam(value, type_=String()) for value in values]).table_valued(
        *columns, name="found"
    )


def _source(shape: Shape, sort: tuple[str, ...]) -> tuple[Source, tuple[Key, ...]]:
    names = {name.removeprefix("-") for name in sort}
    source = Source(
        shape, ranked="relevance" in names, needs_books=not names <= {"relevance", "id"}
    )
    return source, _keys(source, shape, sort)


def _keys(source: Source, shape: Shape, sort: tuple[str, ...]) -> tuple[Key, ...]:
    return sorting.keys(sort, source.book_id, source.relevance, dict(shape.filters))


@functools.lru_cache(maxsize=_REMEMBERED)
def page(shape: Shape, sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """The ids from `offset` on, `limit` of them, counted from the end where `backwards`."""
    source, keys = _source(shape, sort)
    return (
        source.select(source.book_id)
        .order_by(*sorting.order(keys, backwards, _by_index(shape, sort)))
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def onward(shape: Shape, sort: tuple[str, ...], begun: bool) -> Select[Any]:
    """The ids with their sort values, `limit` of them; where `begun`, behind `after_0`, …."""
    source, keys = _source(shape, sort)
    made = source.select(source.book_id, *[key.value for key in keys])
    if begun:
        made = made.where(sorting.behind(keys))
    return made.order_by(*sorting.order(keys, by_index=_by_index(shape, sort))).limit(
        bindparam("limit")
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def count(shape: Shape) -> Select[Any]:
    """How many books there are."""
    return Source(shape).select(func.count())


@functools.lru_cache(maxsize=_REMEMBERED)
def everything(shape: Shape, sort: tuple[str, ...], fields: tuple[str, ...]) -> Select[Any]:
    """The whole rows of a list, in order."""
    source = Source(shape, ranked=any("relevance" in name for name in sort), needs_books=True)
    keys = _keys(source, shape, sort)
    return source.select(*records.columns(fields)).order_by(
        *sorting.order(keys, by_index=_by_index(shape, sort))
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def rows(fields: tuple[str, ...], number: int) -> Select[Any]:
    """The rows of `id_0`, …, in no order."""
    ids = [bindparam(f"id_{index}", type_=Integer()) for index in range(number)]
    return records.selection(fields).where(Book.id.in_(ids))
