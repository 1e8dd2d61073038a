"""In which order books stand: keys one after the other, nulls last, ties by id ascending, whatever
the direction.

What a book may lack is sorted by another key in each direction; a book without it has a key that
comes after all others (`models.LAST`).
"""

from collections.abc import Collection, Iterable, Iterator
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
NUMBERS = ("published", "id", "relevance")
INSTANTS = ("created_at", "updated_at")
BY_ID, BY_RELEVANCE = ("id",), ("-relevance", "id")


def complete(sort: tuple[str, ...]) -> tuple[str, ...]:
    """The keys up to `id`, after which nothing is left to be ordered; `id` at the end where it was
    not named."""
    at = next((at for at, name in enumerate(sort) if name in ("id", "-id")), None)
    return (*sort, "id") if at is None else sort[: at + 1]


class Key(NamedTuple):
    """One key of an order: its column, and the direction in which it is read."""

    name: str
    column: Any
    descending: bool

    @property
    def value(self) -> ColumnElement[Any]:
        """What a cursor keeps of it."""
        return rfc3339(self.column) if self.name in INSTANTS else self.column

    def bind(self, name: str) -> BindParameter[Any]:
        return bindparam(name, type_=Integer() if self.name in NUMBERS else String())

    def is_before(self, value: Any) -> Any:
        return self.column > value if self.descending else self.column < value

    def is_after(self, value: Any) -> Any:
        return self.column < value if self.descending else self.column > value

    def is_from(self, value: Any) -> Any:
        return self.column <= value if self.descending else self.column >= value

    def is_up_to(self, value: Any) -> Any:
        return self.column >= value if self.descending else self.column <= value


Keys = tuple[Key, ...]


def keys(
    sort: tuple[str, ...],
    backwards: bool = False,
    filters: Collection[str] = (),
    book_id: Any = Book.id,
    relevance: ColumnElement[Any] | None = None,
) -> Keys:
    """The keys of this order, read from its end where `backwards`; `id` and `relevance` are these
    columns. All books that pass the `filters` for a date have one: both directions are those of the
    same index then."""
    found = []
    for named in sort:
        name, is_descending = named.removeprefix("-"), named.startswith("-")
        column: Any = {"id": book_id, "relevance": relevance}.get(name, SORTS[name])
        if is_descending and (name != "published" or _DATED.isdisjoint(filters)):
            column = _DESCENDING.get(name, column)
        found.append(Key(name, column, is_descending != backwards))
    return tuple(found)


def order(keys: Iterable[Key], by_index: bool = True) -> Iterator[ColumnElement[Any]]:
    """The ORDER BY; `by_index`: whether it may be an index that is walked."""
    for key in keys:
        column = key.column if by_index else apart(key.column)
        yield column.desc() if key.descending else column.asc()


def after(keys: Keys) -> ColumnElement[Any]:
    """That a book comes after the values `after_0`, …."""
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for index, key in enumerate(keys):
        value = key.bind(f"after_{index}")
        alternatives.append(and_(*equal, key.is_after(value)))
        equal.append(key.column == value)
    if len(keys) == 1:
        return alternatives[0]
    # The first key said once more, for no planner sees through the alternatives.
    return and_(keys[0].is_from(keys[0].bind("after_0")), or_(*alternatives))
