"""The statements of lists, built and compiled once a shape: first which books, by indexes alone,
then their rows."""

import functools
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    String,
    TableValuedAlias,
    bindparam,
    column,
    false,
    func,
    literal_column,
    select,
)

from ...db import JoinInOrder, in_order_of, json_arrayagg
from ...db.search import LEVELS, found
from .. import records
from ..models import Book, BookWords, Term
from ..terms import KINDS
from . import sorting
from .filters import FILTERS, in_language
from .listing import Shape
from .sorting import Key

_REMEMBERED = 128  # statements of each kind


class Source:
    """Where the books of a shape come from: the search, the table of books, or both.

    `ranked`: with their relevance; `level`: what is found at this level of relevance alone;
    `narrow`: no more is asked of the books than what SQLite's index by id has."""

    def __init__(
        self,
        shape: Shape,
        ranked: bool = False,
        needs_books: bool = False,
        level: str = "",
        narrow: bool = False,
    ):
        self.conditions = conditions(shape)
        self.relevance: ColumnElement[Any] | None = None
        self.book_id: Any = Book.id
        self.table: FromClause = Book.__table__
        has_books = True
        if shape.search == "terms":
            has_books = needs_books or bool(shape.filters)
            narrow = _NARROW.issuperset(dict(shape.filters)) and (narrow or not needs_books)
            self._search(ranked, has_books, level, narrow)
        elif shape.search == "without":
            self.conditions.append(Book.id.not_in(select(_found("q_without").c.id)))
        elif shape.search:
            self.conditions.append(false())
        if has_books:
            self.conditions.insert(
                0, Book.deleted_at.is_not(None) if shape.in_trash else Book.deleted_at.is_(None)
            )

    def _search(self, ranked: bool, with_books: bool, level: str, narrow: bool) -> None:
        if ranked:
            hits = _found(*[f"q_{each}" for each in LEVELS], "q_less")
        else:  # what the level above has is not found at this one once more
            nearer = LEVELS[: LEVELS.index(level)][-1:] if level else ""
            hits = _found(
                f"q_{level}" if level else "q", *[f"q_{each}" for each in nearer], "q_less"
            )
        self.table, self.relevance, self.book_id = hits, hits.c.get("relevance"), hits.c.id
        if with_books:  # or else the search knows by itself what is in the trash
            index = "ix_books_deleted_at_id" if narrow else ""
            self.table = JoinInOrder(hits, Book.__table__, Book.id == hits.c.id, index=index)

    def select(self, *columns: Any) -> Select[Any]:
        return select(*columns).select_from(self.table).where(*self.conditions)


# Filters that the index by id answers, or other tables.
_NARROW = {"author", "subject", "isbn", "identifier", "language", "published_from", "published_to"}


def conditions(shape: Shape, by_book: bool = False) -> list[ColumnElement[Any]]:
    """Of the filters of a shape; `by_book`: to be looked at book by book."""
    made = []
    for name, count in shape.filters:
        rule = FILTERS[name]
        values = [bindparam(f"{name}_{index}", type_=_type(name)) for index in range(count)]
        holds = rule.holds if by_book and rule.holds else rule.condition
        made.append(holds(values, shape.in_trash))
    return made


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
    if shape.search == "terms":
        return sort[0].removeprefix("-") == "id"
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


def _ordered(
    made: Select[Any], keys: tuple[Key, ...], backwards: bool, shape: Shape | None = None
) -> Select[Any]:
    """A part of the books of a shape, or of the whole catalogue, in the order of these keys."""
    if shape in (None, Shape()):
        named = "_".join(dict.fromkeys((keys[0].column.key, "id")))
        made = in_order_of(f"ix_books_deleted_at_{named}", Book, made)
    by_index = shape is None or _by_index(shape, (keys[0].name,))
    return made.order_by(*sorting.order(keys, backwards, by_index)).limit(bindparam("limit"))


@functools.lru_cache(maxsize=_REMEMBERED)
def page(shape: Shape, sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """The ids from `offset` on, `limit` of them, counted from the end where `backwards`."""
    source, keys = _source(shape, sort)
    made = _ordered(source.select(source.book_id), keys, backwards, shape)
    return made.offset(bindparam("offset"))


# Filters that say nothing about where in the order of these keys the books stand.
_ANYWHERE = {"author", "subject", "publisher", "language", "location"}
_DATES = {"published_from", "published_to"}
_WALKED = {
    "id": {*_ANYWHERE, "series"},
    "title": {*_ANYWHERE, *_DATES},
    "author": {*_ANYWHERE, *_DATES} - {"author"},
    "published": _ANYWHERE,
}


def can_walk(shape: Shape, sort: tuple[str, ...]) -> bool:
    """Whether the books of this shape may be found by walking an index in the order of the sort and
    looking at each book."""
    filters = {name for name, _ in shape.filters}
    return (
        bool(filters or shape.search)
        and not shape.in_trash
        and len(sort) <= 1 + (sort[-1] != sort[0])
        and shape.search != "nothing"
        and sort[0].removeprefix("-") in _WALKED
        and filters <= _WALKED[sort[0].removeprefix("-")]
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def walked(
    shape: Shape,
    sort: tuple[str, ...],
    backwards: bool = False,
    begun: bool = False,
    marked: bool = False,
) -> Select[Any]:
    """The ids with their sort values, of the books that pass the filters of this shape among the
    first `most` of the whole catalogue in this order, or among the last ones; where `begun`, behind
    `after_0`, …; or of the first `most` that are `marked`. With a search: and the tokens that are
    still to be looked at."""
    keys = _keys(Source(Shape()), shape, sort)
    whole = select(Book.id, *[key.column.label(key.name) for key in keys if key.name != "id"])
    whole = whole.where(Book.deleted_at.is_(None), *([sorting.behind(keys)] if begun else []))
    whole = whole.where(is_marked(Book.id)) if marked else whole
    walk = _ordered(whole, keys, backwards).limit(bindparam("most")).subquery("walk")
    columns: list[Any] = [walk.c.id, *[walk.c[key.name] for key in keys]]
    table: FromClause = walk
    are_meant = [] if marked else conditions(shape, by_book=True)
    if are_meant:
        are_meant.append(Book.deleted_at.is_(None))
        index = "ix_books_deleted_at_id" if _NARROW.issuperset(dict(shape.filters)) else ""
        table = JoinInOrder(table, Book.__table__, Book.id == walk.c.id, index)
    if shape.search:
        table = JoinInOrder(table, BookWords.__table__, BookWords.book_id == walk.c.id)
        columns.append(BookWords.words)
    in_walk = [key._replace(column=walk.c[key.name]) for key in keys]
    order = sorting.order(tuple(in_walk), backwards)
    return select(*columns).select_from(table).where(*are_meant).order_by(*order)


@functools.lru_cache(maxsize=_REMEMBERED)
def among(shape: Shape, sort: tuple[str, ...], backwards: bool, by_language: bool) -> Select[Any]:
    """As `page`, for many books: all of the sort's index is walked."""
    keys = _keys(Source(Shape()), shape, sort)
    made = _ordered(select(Book.id).where(*in_walk(shape, by_language)), keys, backwards)
    return made.offset(bindparam("offset"))


def has_language_alone(shape: Shape) -> bool:
    """Whether a language is all that books are found by."""
    return not shape.search and [name for name, _ in shape.filters] == ["language"]


def in_walk(shape: Shape, by_language: bool) -> list[ColumnElement[Any]]:
    """The conditions for an index to be walked past all books: those that are marked, or
    `by_language`."""
    is_meant = conditions(shape, True) if by_language else [is_marked(Book.id)]
    return [Book.deleted_at.is_(None), *is_meant]


def is_marked(book_id: Any) -> ColumnElement[bool]:
    """That a book is one of those found, by `shared.Found.marked`."""
    marked = bindparam("marked", type_=LargeBinary())
    return func.substr(marked, book_id, 1) == literal_column("x'31'")


@functools.lru_cache(maxsize=_REMEMBERED)
def ids(shape: Shape) -> Select[Any]:
    """All ids, in no order, as one array."""
    source = Source(shape)
    return source.select(json_arrayagg(source.book_id))


@functools.lru_cache(maxsize=_REMEMBERED)
def among_hits(shape: Shape, counted: bool = False) -> Select[Any]:
    """The same, or their number, of those marked books that pass the one filter of this shape."""
    [(name, _)] = shape.filters
    kind = KINDS[name]
    if kind.is_list:
        made = [kind.key == bindparam(f"{name}_0", type_=String())]
    else:
        made = [Book.deleted_at.is_(None), *conditions(shape)]
    column = func.count() if counted else json_arrayagg(kind.book_id)
    return select(column).where(*made, is_marked(kind.book_id))


@functools.lru_cache(maxsize=_REMEMBERED)
def at_level(shape: Shape, level: str, begun: bool = False) -> Select[Any]:
    """The ids found at a level of relevance, by id, `limit` of them from `offset` on; where
    `begun`, behind `after_0`."""
    source = Source(shape, level=level)
    made = source.select(source.book_id)
    if begun:
        made = made.where(source.book_id > bindparam("after_0", type_=Integer()))
    return made.order_by(source.book_id).limit(bindparam("limit")).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_REMEMBERED)
def count_level(shape: Shape, level: str) -> Select[Any]:
    """How many are found at a level of relevance."""
    return Source(shape, level=level).select(func.count())


@functools.lru_cache(maxsize=_REMEMBERED)
def edge(sort: tuple[str, ...], backwards: bool, begun: bool = False) -> Select[Any]:
    """The first sort key of the book at the place `offset` of the whole catalogue, counted from the
    end where `backwards`, as in the next two; where `begun`, from behind the first key `after_0`.
    """
    keys = _keys(Source(Shape()), Shape(), sort[:1])
    made = select(keys[0].column).where(Book.deleted_at.is_(None))
    if begun:
        made = made.where(sorting.behind(keys))
    return _ordered(made, keys, backwards).limit(1).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_REMEMBERED)
def before_edge(sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """How many books of the whole catalogue stand before the first sort key `edge`."""
    [key] = _keys(Source(Shape()), Shape(), sort[:1])
    edge = key.bind("edge")
    before = key.column > edge if key.descending != backwards else key.column < edge
    return select(func.count()).where(Book.deleted_at.is_(None), before)


@functools.lru_cache(maxsize=_REMEMBERED)
def between_edges(sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """The ids of the books whose first sort key is from `edge` to `other_edge`, in order."""
    keys = _keys(Source(Shape()), Shape(), sort)
    first, last = keys[0].bind("edge"), keys[0].bind("other_edge")
    low, high = (last, first) if keys[0].descending != backwards else (first, last)
    # No BETWEEN: MariaDB 10.11 makes it an equality where both ends are equal in the collation of
    # the connection, which takes all characters beyond U+FFFF for the same.
    within = keys[0].column >= low, keys[0].column <= high
    made = select(Book.id).where(Book.deleted_at.is_(None), *within)
    return _ordered(made, keys, backwards).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_REMEMBERED)
def onward(shape: Shape, sort: tuple[str, ...], begun: bool, ends: bool = False) -> Select[Any]:
    """The ids with their sort values, `limit` of them; where `begun`, behind `after_0`, …; where it
    `ends`, with first keys up to `edge`."""
    source, keys = _source(shape, sort)
    made = source.select(source.book_id, *[key.value for key in keys])
    if ends:
        edge = keys[0].bind("edge")
        made = made.where(keys[0].column >= edge if keys[0].descending else keys[0].column <= edge)
    if begun:
        made = made.where(sorting.behind(keys))
    return _ordered(made, keys, False, shape)


@functools.lru_cache(maxsize=_REMEMBERED)
def count(shape: Shape) -> Select[Any]:
    """How many books there are."""
    return Source(shape).select(func.count())


_TERMS = {"author": 1, "subject": 1, "publisher": 99, "series": 99, "location": 99, "language": 99}


@functools.lru_cache(maxsize=_REMEMBERED)
def counted_already(shape: Shape) -> Select[Any] | None:
    """How many books there are, by the table of terms; None where it does not tell. (A book may
    have several authors or subjects, but one language.)"""
    if shape.search or shape.in_trash or len(shape.filters) != 1:
        return None
    [(name, number)] = shape.filters
    if number > _TERMS.get(name, 0):
        return None
    values: list[Any] = [bindparam(f"{name}_{at}", type_=String()) for at in range(number)]
    are_meant = (
        in_language(Term.term_key, values) if name == "language" else Term.term_key.in_(values)
    )
    return select(func.coalesce(func.sum(Term.books), 0)).where(Term.kind == name, are_meant)


@functools.cache
def count_excluded() -> Select[Any]:
    """How many books a search finds of which only is said what must not occur."""
    return select(func.count()).select_from(_found("q_without"))


def is_sorted_by_index(shape: Shape, sort: tuple[str, ...]) -> bool:
    """Whether the books of this shape are found in this order, so that none are sorted."""
    return _by_index(shape, sort) and len(sort) <= 1 + (sort[-1] != sort[0])


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
