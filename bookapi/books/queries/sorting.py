"""In which order books stand: keys one behind the other, nulls last, ties by id ascending, whatever
the direction."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Integer, String, and_, bindparam, or_

from ...db import apart, rfc3339
from ..models import Book

SORTS = {
    "title": Book.title_key,
    "author": Book.author_key,
    "published": Book.published_key,
    "created_at": Book.created_at,
    "updated_at": Book.updated_at,
    "id": Book.id,
    "relevance": None,
}
NULLABLE = frozenset(("author", "published"))
_NUMBERS = ("published", "id", "relevance")
_INSTANTS = ("created_at", "updated_at")
BY_ID, BY_RELEVANCE = ("id",), ("-relevance", "id")


def complete(sort: tuple[str, ...]) -> tuple[str, ...]:
    """The keys up to `id`, behind which nothing is left to be ordered; `id` at the end where it was
    not named."""
    at = next((at for at, name in enumerate(sort) if name in ("id", "-id")), None)
    return (*sort, "id") if at is None else sort[: at + 1]


class Key(NamedTuple):
    """One key of an order: its column, its direction, and whether it may be null here."""

    name: str
    column: Any
    descending: bool
    nullable: bool

    @property
    def value(self) -> ColumnElement[Any]:
        """What a cursor keeps of it."""
        return rfc3339(self.column) if self.name in _INSTANTS else self.column

    def bind(self, name: str) -> BindParameter[Any]:
        return bindparam(name, type_=Integer() if self.name in _NUMBERS else String())


class Segment(NamedTuple):
    """A part of a list. Nulls come last: a list that is sorted by a field that may be null is two
    lists, one behind the other, and each of them is the order of an index on every database."""

    condition: ColumnElement[Any] | None
    keys: tuple[Key, ...]
    is_missing: bool = False


def segments(
    sort: tuple[str, ...],
    book_id: ColumnElement[Any],
    relevance: ColumnElement[Any] | None,
    nullable: frozenset[str],
    by_index: bool,
) -> list[Segment]:
    """The parts of a list in this order; `nullable`: the keys that may be null here; `by_index`:
    whether an index may be walked for the order's sake."""
    keys = []
    for named in sort:
        name = named.removeprefix("-")
        column = {"id": book_id, "relevance": relevance}.get(name, SORTS[name])
        keys.append(Key(name, column, named.startswith("-"), name in nullable))
    first = keys[0]
    if not first.nullable:
        return [Segment(None, tuple(keys))]
    told_by = first.column if by_index else apart(first.column)
    present, missing = told_by.is_not(None), told_by.is_(None)
    return [
        Segment(present, (first._replace(nullable=False), *keys[1:])),
        Segment(missing, tuple(keys[1:]), True),
    ]


def order(
    keys: tuple[Key, ...], backwards: bool = False, by_index: bool = True
) -> Iterator[ColumnElement[Any]]:
    """The ORDER BY; `backwards`: from the end; `by_index`: whether it may be an index that is
    walked."""
    for key in keys:
        if key.nullable:
            yield key.column.is_(None).desc() if backwards else key.column.is_(None)
        column = key.column if by_index else apart(key.column)
        yield column.desc() if key.descending != backwards else column.asc()


def behind(keys: tuple[Key, ...], nulls: tuple[bool, ...]) -> ColumnElement[Any]:
    """That a book stands behind the values `after_0`, …; `nulls` tells which of these are null."""
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for index, (key, is_null) in enumerate(zip(keys, nulls, strict=True)):
        value = key.bind(f"after_{index}")
        if is_null:
            equal.append(key.column.is_(None))
            continue
        beyond = key.column < value if key.descending else key.column > value
        alternatives.append(
            and_(*equal, or_(beyond, key.column.is_(None)) if key.nullable else beyond)
        )
        equal.append(key.column == value)
    first = keys[0]
    if nulls[0] or first.nullable or len(keys) == 1:
        return or_(*alternatives)
    value = first.bind("after_0")  # said once more, for no planner sees through the alternatives
    return and_(
        first.column <= value if first.descending else first.column >= value, or_(*alternatives)
    )


def _fits(name: str, value: Any) -> bool:
    """Whether a cursor may have this value of a key."""
    if value is None:
        return name in NULLABLE
    if name in _NUMBERS:
        return type(value) is int and -(2**63) <= value < 2**63
    return type(value) is str and (name not in _INSTANTS or _is_instant(value))


def _is_instant(text: str) -> bool:
    try:
        return (
            text.isascii()
            and len(text) == 27
            and bool(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ"))
        )
    except ValueError:
        return False


def fit(sort: tuple[str, ...], values: list[Any]) -> bool:
    """Whether these can be the values of the last book of a page in this order."""
    names = [named.removeprefix("-") for named in sort]
    return len(values) == len(names) and all(map(_fits, names, values))


def to_compare(key: Key, value: Any) -> Any:
    """A value of a cursor as the database compares it with the key's column."""
    return value[:-1].replace("T", " ") if key.name in _INSTANTS else value
