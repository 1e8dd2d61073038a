"""The statements of lists, built and compiled once a shape: first which books, by indexes alone,
then their rows."""

import functools
from enum import Enum
from typing import Any

from sqlalchemy import (
    BindParameter,
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
from .filters import FILTERS, WALKED_SORTS, in_language
from .listing import WHOLE, Shape
from .sorting import Keys

_MAX_STATEMENTS = 128  # statements of each kind

# -- where the books come from ---------------------------------------------------------------------


class Columns(Enum):
    """Which columns of the books a statement reads, beside those of filters and their ids."""

    NONE = 0
    OF_ID_INDEX = 1  # what SQLite's index of all books by id has
    ANY = 2


class Source:
    """Where the books of a shape come from: the search, the table of books, or both.

    `ranked`: with their relevance; `level`: only those found at this level of relevance."""

    def __init__(
        self,
        shape: Shape,
        columns: Columns = Columns.NONE,
        ranked: bool = False,
        level: str = "",
    ):
        self.table: FromClause = Book.__table__
        self.book_id: Any = Book.id
        self.relevance: ColumnElement[Any] | None = None
        self.conditions = conditions(shape)
        if shape.search == "terms":
            self.table = hits = _hits(ranked, level)
            self.book_id, self.relevance = hits.c.id, hits.c.get("relevance")
            if columns is Columns.NONE and not shape.filters:
                return  # the search knows by itself what is in the trash
            index = "" if columns is Columns.ANY else _id_index(shape)
            self.table = JoinInOrder(hits, Book.__table__, Book.id == hits.c.id, index)
        elif shape.search == "without":
            self.conditions.append(Book.id.not_in(select(_found("q_without").c.id)))
        elif shape.search:
            self.conditions.append(false())
        deleted = Book.deleted_at
        self.conditions.insert(0, deleted.is_not(None) if shape.in_trash else deleted.is_(None))

    def select(self, *columns: Any) -> Select[Any]:
        return select(*columns).select_from(self.table).where(*self.conditions)


def _hits(ranked: bool, level: str) -> TableValuedAlias:
    nearer = LEVELS[: LEVELS.find(level)][-1:]  # found there, it is not to be found once more
    levels = LEVELS if ranked else level + nearer
    return _found(*([f"q_{each}" for each in levels] or ["q"]), "q_less", ranked=ranked)


def _found(*names: str, ranked: bool = False) -> TableValuedAlias:
    values = [bindparam(name, type_=String()) for name in names]
    columns = [column("id", Integer), *([column("relevance", Integer)] if ranked else [])]
    return found(*values).table_valued(*columns, name="found")


def _bound(name: str, number: int) -> list[BindParameter[Any]]:
    """So many values of a filter."""
    return [bindparam(f"{name}_{at}", type_=FILTERS[name].type) for at in range(number)]


def conditions(shape: Shape, by_row: bool = False) -> list[ColumnElement[Any]]:
    """Of the filters of a shape; `by_row`: to look at one book after the other."""
    made = []
    for name, number in shape.filters:
        rule = FILTERS[name]
        special = rule.trash_condition if shape.in_trash else rule.row_condition if by_row else None
        made.append((special or rule.condition)(_bound(name, number)))
    return made


def _id_index(shape: Shape) -> str:
    """The index in which one book after the other is looked at; "": none has it all."""
    has_all = all(FILTERS[name].in_id_index for name in shape.names)
    return "ix_books_deleted_at_id" if has_all else ""


def is_marked(book_id: Any) -> ColumnElement[bool]:
    """That a book is one of those in `Matches.marked`."""
    marked = bindparam("marked", type_=LargeBinary())
    return func.substr(marked, book_id, 1) == literal_column("x'31'")


def in_walk(shape: Shape | None) -> list[ColumnElement[Any]]:
    """The conditions for an index to be walked past all books: those of a shape that this index
    answers by itself (None: those that are marked)."""
    are_meant = conditions(shape, by_row=True) if shape else [is_marked(Book.id)]
    return [Book.deleted_at.is_(None), *are_meant]


# -- what is known of a shape ----------------------------------------------------------------------


def _is_in_order(shape: Shape, key: str) -> bool:
    """Whether the books of this shape are found in the order of this sort key, or may be walked
    through in it for enough of them."""
    if shape.search == "terms":
        return key == "id"
    if shape.in_trash or not shape.filters:
        return not shape.in_trash
    has_one_value = all(number == 1 for _, number in shape.filters)
    is_one_range = len(shape.filters) == 1 or key == "published"
    return has_one_value and is_one_range and {FILTERS[name].order for name in shape.names} == {key}


def is_sorted_by_index(shape: Shape, sort: tuple[str, ...]) -> bool:
    """Whether the books of this shape are found in this order, so that none are sorted."""
    return _is_in_order(shape, sort[0].removeprefix("-")) and len(sort) <= 2


def can_walk(shape: Shape, sort: tuple[str, ...]) -> bool:
    """Whether the books of this shape may be found by walking an index in the order of the sort and
    looking at each book."""
    key = sort[0].removeprefix("-")
    return (
        shape != WHOLE
        and not shape.in_trash
        and shape.search != "nothing"
        and len(sort) <= 2
        and key in WALKED_SORTS
        and all(key in FILTERS[name].walks for name in shape.names)
    )


def has_language_alone(shape: Shape) -> bool:
    """Whether a language is all that books are found by."""
    return not shape.search and shape.names == ("language",)


# -- which books -----------------------------------------------------------------------------------


def _source(
    shape: Shape, sort: tuple[str, ...], backwards: bool = False, columns: Columns = Columns.NONE
) -> tuple[Source, Keys]:
    names = {name.removeprefix("-") for name in sort}
    if not names <= {"relevance", "id"}:
        columns = Columns.ANY
    source = Source(shape, columns, ranked="relevance" in names)
    return source, sorting.keys(sort, backwards, shape.names, source.book_id, source.relevance)


def _ordered(made: Select[Any], keys: Keys, shape: Shape = WHOLE) -> Select[Any]:
    """The first of the books of a shape, or of a part of the whole catalogue, in this order."""
    if shape == WHOLE:
        named = "_".join(dict.fromkeys((keys[0].column.key, "id")))
        made = in_order_of(f"ix_books_deleted_at_{named}", Book, made)
    by_index = _is_in_order(shape, keys[0].name)
    return made.order_by(*sorting.order(keys, by_index)).limit(bindparam("limit"))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def page(shape: Shape, sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """The ids from `offset` on, `limit` of them, counted from the end where `backwards`."""
    source, keys = _source(shape, sort, backwards)
    return _ordered(source.select(source.book_id), keys, shape).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def among(shape: Shape | None, sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """The same for many books: all of the sort's index is walked, see `in_walk`."""
    made = select(Book.id).where(*in_walk(shape))
    return _ordered(made, sorting.keys(sort, backwards)).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def walked(
    shape: Shape, sort: tuple[str, ...], backwards: bool, begun: bool, marked: bool
) -> Select[Any]:
    """The ids with their sort values, of the books that pass the filters of this shape among the
    first `most` of the whole catalogue in this order, or among the last ones; where `begun`, after
    `after_0`, …; or of the first `most` that are `marked`. With a search: and the tokens that are
    still to be looked at."""
    keys = sorting.keys(sort, backwards)
    whole = select(Book.id, *[key.column.label(key.name) for key in keys if key.name != "id"])
    whole = whole.where(Book.deleted_at.is_(None), *([sorting.after(keys)] if begun else []))
    whole = whole.where(is_marked(Book.id)) if marked else whole
    walk = _ordered(whole, keys).limit(bindparam("most")).subquery("walk")
    in_walk = [key._replace(column=walk.c[key.name]) for key in keys]
    columns: list[Any] = [walk.c.id, *[key.column for key in in_walk]]
    table: FromClause = walk
    are_meant = [] if marked else conditions(shape, by_row=True)
    if are_meant:
        are_meant.append(Book.deleted_at.is_(None))
        table = JoinInOrder(table, Book.__table__, Book.id == walk.c.id, _id_index(shape))
    if shape.search:
        table = JoinInOrder(table, BookWords.__table__, BookWords.book_id == walk.c.id)
        columns.append(BookWords.words)
    order = sorting.order(in_walk)
    return select(*columns).select_from(table).where(*are_meant).order_by(*order)


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def at_level(shape: Shape, level: str, begun: bool = False) -> Select[Any]:
    """The ids found at a level of relevance, by id, `limit` of them from `offset` on; where
    `begun`, after `after_0`."""
    source = Source(shape, level=level)
    made = source.select(source.book_id)
    if begun:
        made = made.where(source.book_id > bindparam("after_0", type_=Integer()))
    return made.order_by(source.book_id).limit(bindparam("limit")).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def edge(sort: tuple[str, ...], backwards: bool, begun: bool = False) -> Select[Any]:
    """The first sort key of the book at the place `offset` of the whole catalogue, counted from the
    end where `backwards`, as in the next two; where `begun`, after the first key `after_0`.
    """
    keys = sorting.keys(sort[:1], backwards)
    made = select(keys[0].column).where(Book.deleted_at.is_(None))
    if begun:
        made = made.where(sorting.after(keys))
    return _ordered(made, keys).limit(1).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def before_edge(sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """How many books of the whole catalogue stand before the first sort key `edge`."""
    [key] = sorting.keys(sort[:1], backwards)
    is_before = key.is_before(key.bind("edge"))
    return select(func.count()).where(Book.deleted_at.is_(None), is_before)


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def between_edges(sort: tuple[str, ...], backwards: bool) -> Select[Any]:
    """The ids of the books whose first sort key is from `edge` to `other_edge`, in order."""
    keys = sorting.keys(sort, backwards)
    first = keys[0]
    # No BETWEEN: MariaDB 10.11 makes it an equality where both ends are equal in the collation of
    # the connection, which takes all characters beyond U+FFFF for the same.
    within = first.is_from(first.bind("edge")), first.is_up_to(first.bind("other_edge"))
    made = select(Book.id).where(Book.deleted_at.is_(None), *within)
    return _ordered(made, keys).offset(bindparam("offset"))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def onward(shape: Shape, sort: tuple[str, ...], begun: bool, ends: bool = False) -> Select[Any]:
    """The ids with their sort values, `limit` of them; where `begun`, after `after_0`, …; where it
    `ends`, with first keys up to `edge`."""
    source, keys = _source(shape, sort)
    made = source.select(source.book_id, *[key.value for key in keys])
    if ends:
        made = made.where(keys[0].is_up_to(keys[0].bind("edge")))
    if begun:
        made = made.where(sorting.after(keys))
    return _ordered(made, keys, shape)


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def ids(shape: Shape) -> Select[Any]:
    """All ids, in no order, as one array."""
    source = Source(shape)
    return source.select(json_arrayagg(source.book_id))


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def among_hits(shape: Shape, counted: bool = False) -> Select[Any]:
    """The same, or their number, of those marked books that pass the one filter of this shape."""
    [(name, _)] = shape.filters
    kind = KINDS[name]
    if kind.is_list:
        pass_filter = [kind.key == _bound(name, 1)[0]]
    else:
        pass_filter = [Book.deleted_at.is_(None), *conditions(shape)]
    column = func.count() if counted else json_arrayagg(kind.book_id)
    return select(column).where(*pass_filter, is_marked(kind.book_id))


# -- how many --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def count(shape: Shape, level: str = "") -> Select[Any]:
    """How many books there are, or are found at this level of relevance."""
    return Source(shape, level=level).select(func.count())


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def counted_already(shape: Shape) -> Select[Any] | None:
    """How many books there are, by the table of terms; None where it does not tell."""
    if shape.search or shape.in_trash or len(shape.filters) != 1:
        return None
    [(name, number)] = shape.filters
    if number > FILTERS[name].counted:
        return None
    key: Any = Term.term_key
    values = _bound(name, number)
    are_meant = in_language(key, values) if name == "language" else key.in_(values)
    return select(func.coalesce(func.sum(Term.books), 0)).where(Term.kind == name, are_meant)


@functools.cache
def count_excluded() -> Select[Any]:
    """How many books a search finds of which only is said what must not occur."""
    return select(func.count()).select_from(_found("q_without"))


# -- rows ------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def everything(shape: Shape, sort: tuple[str, ...], fields: tuple[str, ...]) -> Select[Any]:
    """The whole rows of a list, in order."""
    source, keys = _source(shape, sort, columns=Columns.ANY)
    order = sorting.order(keys, by_index=_is_in_order(shape, keys[0].name))
    return source.select(*records.columns(fields)).order_by(*order)


@functools.lru_cache(maxsize=_MAX_STATEMENTS)
def rows(fields: tuple[str, ...], number: int) -> Select[Any]:
    """The rows of `id_0`, …, in no order."""
    ids = [bindparam(f"id_{index}", type_=Integer()) for index in range(number)]
    return records.selection(fields).where(Book.id.in_(ids))
