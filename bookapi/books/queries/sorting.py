"""In which order books stand: keys one behind the other, nulls last, ties by id ascending, whatever
the direction.

What a book may lack is sorted by another key in each direction; a book without it has a key that
stands behind all others (`models.LAST`).
"""

from collections.abc import Collection, Iterator
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
_DESCENDING = {"author": Book.author_desc_key, "published": Book.published_desc_key}
_DATED = frozenset(("published_from", "published_to"))
_NUMBERS = ("published", "id", "relevance")
_INSTANTS = ("created_at", "updated_at")
BY_ID, BY_RELEVANCE = ("id",), ("-relevance", "id")


def complete(sort: tuple[str, ...]) -> tuple[str, ...]:
    """The keys up to `id`, behind which nothing is left to be ordered; `id` at the end where it was
    not named."""
    at = next((at for at, name in enumerate(sort) if name in ("id", "-id")), None)
    return (*sort, "id") if at is None else sort[: at + 1]


class Key(NamedTuple):
    """One key of an order: its column and its direction."""

    name: str
    column: Any
    descending: bool

    @property
    def value(self) -> ColumnElement[Any]:
        """What a cursor keeps of it."""
        return rfc3339(self.column) if self.name in _INSTANTS else self.column

    def bind(self, name: str) -> BindParameter[Any]:
        return bindparam(name, type_=Integer() if self.name in _NUMBERS else String())


def keys(
    sort: tuple[str, ...],
    book_id: ColumnElement[Any],
    relevance: ColumnElement[Any] | None,
    filters: Collection[str] = (),
) -> tuple[Key, ...]:
    """The keys of this order, `id` and `relevance` being these columns. All books that pass the
    `filters` for a date have one: both directions are those of the same index then."""
    found = []
    for named in sort:
        name, is_descending = named.removeprefix("-"), named.startswith("-")
        column: Any = {"id": book_id, "relevance": relevance}.get(name, SORTS[name])
        if is_descending and (name != "published" or _DATED.isdisjoint(filters)):
            column = _DESCENDING.get(name, column)
        found.append(Key(name, column, is_descending))
    return tuple(found)


def order(
    keys: tuple[Key, ...], backwards: bool = False, by_index: bool = True
) -> Iterator[ColumnElement[Any]]:
    """The ORDER BY; `backwards`: from the end; `by_index`: whether it may be an index that is
    walked."""
    for key in keys:
        column = key.column if by_index else apart(key.column)
        yield column.desc() if key.descending != backwards else column.asc()


def behind(keys: tuple[Key, ...]) -> ColumnElement[Any]:
    """That a book stands behind the values `after_0`, …."""
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for index, key in enumerate(keys):
        value = key.bind(f"after_{index}")
        beyond = key.column < value if key.descending else key.column > value
        alternatives.append(and_(*equal, beyond))
        equal.append(key.column == value)
    first, value = keys[0], keys[0].bind("after_0")
    if len(keys) == 1:
        return alternatives[0]
    # said once more, for no planner sees through the alternatives
    return and_(
        first.column <= value if first.descending else first.column >= value, or_(*alternatives)
    )


def _fits(named: str, value: Any) -> bool:
    """Whether a cursor may have this value of a key."""
    name = named.removeprefix("-")
    if name in _NUMBERS:
        return type(value) is int and -(2**63) <= value < 2**63
    if type(value) is not str:
        return False
    return _is_instant(value) if name in _INSTANTS else True


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
    return len(values) == len(sort) and all(map(_fits, sort, values))


def to_compare(named: str, value: Any) -> Any:
    """A value of a cursor as the database compares it with the column of a key."""
    is_instant = named.removeprefix("-") in _INSTANTS
    return value[:-1].replace("T", " ") if is_instant else value
