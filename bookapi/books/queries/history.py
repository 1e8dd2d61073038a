"""The history of a book and the change feed (docs/api.md, History and the change feed)."""

from typing import Any, NamedTuple

import orjson
from sqlalchemy import Select, bindparam, func, select

from ...catalogue import revision_of
from ...db import db, fetch, rfc3339
from ...http.pagination import DEFAULT_LIMIT, Page
from ...http.parameters import Parameter, Parameters, integer
from ...http.routing import LARGEST_ID
from ...schemas import MAX_LIMIT
from ..models import Book, History

_ENTRY = ("seq", "at", "action", "version", "username", "changes")
_CHANGE = ("seq", "at", "action", "book_id", "version")


def _selection(names: tuple[str, ...]) -> Select[Any]:
    return (
        select(*[rfc3339(History.at) if name == "at" else getattr(History, name) for name in names])
        .order_by(History.seq)
        .limit(bindparam("limit"))
    )


_OF_BOOK = (
    _selection(_ENTRY).where(History.book_id == bindparam("book_id")).offset(bindparam("offset"))
)
_NUMBER = select(func.count()).select_from(History).where(History.book_id == bindparam("book_id"))
_IS_THERE = select(Book.id).where(Book.id == bindparam("book_id"))
_BEHIND = _selection(_CHANGE).where(History.seq > bindparam("after"))


class Entries(NamedTuple):
    """A page of a book's history, oldest first, and how many entries there are on all pages."""

    entries: list[dict[str, Any]]
    total: int


def history(book_id: int, page: Page) -> Entries | None:
    """A page of a book's history; None if there never was such a book."""
    with db.read() as connection:
        total = fetch(connection, _NUMBER, {"book_id": book_id})[0][0]
        if not total and not fetch(connection, _IS_THERE, {"book_id": book_id}):
            return None
        rows = fetch(
            connection, _OF_BOOK, {"book_id": book_id, "limit": page.limit, "offset": page.offset}
        )
    entries = [{**dict(zip(_ENTRY, row)), "changes": orjson.loads(row[-1])} for row in rows]
    return Entries(entries, total)


class FeedParameters(Parameters):
    after = Parameter(integer(0, LARGEST_ID), 0, "the `seq` to continue after")
    limit = Parameter(integer(1, MAX_LIMIT), DEFAULT_LIMIT, "changes on a page")


feed_parameters = FeedParameters()


class Changes(NamedTuple):
    """Changes after a `seq`, oldest first, and the `seq` to continue after (None: no more)."""

    changes: list[dict[str, Any]]
    following: int | None
    revision: int


def feed(after: int, limit: int) -> Changes:
    """A page of the change feed. Changes are committed in the order of `seq`, so a client that
    continues after a `seq` misses none."""
    with db.read() as connection:
        rows = fetch(connection, _BEHIND, {"after": after, "limit": limit + 1})
        revision = revision_of(connection)
    changes = [dict(zip(_CHANGE, row)) for row in rows[:limit]]
    return Changes(changes, changes[-1]["seq"] if len(rows) > limit else None, revision)
