"""What was changed: the history of one book, and the feed of all changes (contract, section 5)."""

from typing import NamedTuple

import orjson
from sqlalchemy import bindparam, func, select
from werkzeug.datastructures import MultiDict

from ...db import db, fetch, revision_of, rfc3339
from ...http.pagination import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Errors,
    Page,
    asked_page,
    check_names,
    number,
)
from ...http.problems import bad_parameters
from ...http.routing import LARGEST_ID
from ..models import Book, History

_ENTRY = ("seq", "at", "action", "version", "username", "changes")
_CHANGE = ("seq", "at", "action", "book_id", "version")


def _selection(names: tuple[str, ...]):
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

    entries: list[dict]
    total: int
    page: Page


def history(book_id: int, args: MultiDict) -> Entries | None:
    """The page of a book's history that the parameters ask for; None where there never was such a book."""
    page = asked_page(args)
    with db.read() as connection:
        total = fetch(connection, _NUMBER, {"book_id": book_id})[0][0]
        if not total and not fetch(connection, _IS_THERE, {"book_id": book_id}):
            return None
        rows = fetch(
            connection, _OF_BOOK, {"book_id": book_id, "limit": page.limit, "offset": page.offset}
        )
    return Entries([_entry(row) for row in rows], total, page)


def _entry(row: tuple) -> dict:
    return {**dict(zip(_ENTRY, row)), "changes": orjson.loads(row[-1])}


class Changes(NamedTuple):
    """Changes behind a number, oldest first, and the number to go on behind (None: that was the newest)."""

    changes: list[dict]
    following: int | None
    revision: int


def feed(args: MultiDict) -> Changes:
    """The changes that the parameters ask for. Every committed change has a higher `seq` than those before it, so that
    nothing comes up later behind a number that was passed."""
    errors: Errors = []
    check_names(args, {"after", "limit", "format"}, set(), errors)
    limit = number("limit", args, DEFAULT_LIMIT, MAX_LIMIT, errors)
    after = number("after", args, 0, LARGEST_ID, errors, least=0)
    if errors:
        raise bad_parameters(errors)
    with db.read() as connection:
        rows = fetch(connection, _BEHIND, {"after": after, "limit": limit + 1})
        revision = revision_of(connection)
    changes = [dict(zip(_CHANGE, row)) for row in rows[:limit]]
    return Changes(changes, changes[-1]["seq"] if len(rows) > limit else None, revision)
