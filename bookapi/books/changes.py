"""The operations on books, for `db.write`. Everything that changes the catalogue goes through here.

Each locks the catalogue's row first (`State`): that puts writers in order on every database, and
what is read after it is the newest state, so a check (is this ISBN taken?) holds until the commit.
`by` is the account that makes the change (None: the command line); it is confirmed after that lock,
and named in the history.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn

from sqlalchemy.engine import Connection

from ..auth.permissions import SignedIn
from ..db import now
from ..http.conditional import Preconditions
from ..http.problems import Problem
from ..timestamps import format_timestamp
from . import store
from .edits import Edit
from .store import CREATED, DELETED, RESTORED, UPDATED, Change, State

Record = dict[str, Any]


class Taken(NamedTuple):
    """An ISBN of another book: its id (None: it is in the same request), and the position in the
    request of the book that wants the ISBN (None: the request is of one book).
    """

    book_id: int | None
    position: int | None = None


class IsbnTaken(Exception):
    """Other books have these ISBNs."""

    def __init__(self, taken: list[Taken]):
        super().__init__(taken)
        self.taken = taken


def create(connection: Connection, values: Mapping[str, Any], by: SignedIn | None = None) -> Record:
    """Add a book of valid values; returns its record."""
    state = State(connection, by)
    _refuse_taken(connection, values.get("isbn"))
    return _created(connection, state, values)


def create_all(
    connection: Connection, books: list[dict[str, Any]], by: SignedIn | None = None
) -> list[Record]:
    """Add books of valid values, all or none; returns their records."""
    state = State(connection, by)
    _refuse_any_taken(connection, [values.get("isbn") for values in books])
    records = [new_record(state, values) for values in books]
    store.store(connection, state, [Change(None, record, CREATED) for record in records])
    return records


def change(
    connection: Connection,
    book_id: int,
    edit: Edit,
    preconditions: Preconditions,
    by: SignedIn | None = None,
) -> Record:
    """Change the fields of the edit; returns the record."""
    state, record = State(connection, by), _fetch(connection, book_id)
    preconditions.check(record)
    return _changed(connection, state, record, edit.values_for(record))


def put_isbn(
    connection: Connection,
    isbn: str,
    edit: Edit,
    preconditions: Preconditions,
    by: SignedIn | None = None,
) -> tuple[Record, bool]:
    """Create or replace the book of an ISBN; returns its record and whether it is new."""
    state, record = State(connection, by), store.by_isbn(connection, isbn)
    preconditions.check(record)
    values = edit.values_for(record)
    if record is None:
        return _created(connection, state, values), True
    return _changed(connection, state, record, values), False


def delete(
    connection: Connection, book_id: int, preconditions: Preconditions, by: SignedIn | None = None
) -> None:
    """Move a book to the trash; its ISBN is free again."""
    state, record = State(connection, by), _fetch(connection, book_id)
    preconditions.check(record)
    state.total -= 1
    store.store(connection, state, [Change(record, _next_version(record, {}), DELETED)])


def restore(
    connection: Connection, book_id: int, preconditions: Preconditions, by: SignedIn | None = None
) -> Record:
    """Take a book out of the trash; returns its record."""
    state = State(connection, by)
    record, in_trash = store.by_id(connection, book_id) or refuse_missing()
    preconditions.check(record)
    if not in_trash:
        raise Problem(409, "the book is not in the trash")
    _refuse_taken(connection, record["isbn"])
    state.total += 1
    after = _next_version(record, {})
    store.store(connection, state, [Change(record, after, RESTORED)])
    return after


def purge(connection: Connection, days: int, limit: int) -> int:
    """Remove for good at most `limit` of the books that have been in the trash for so many days;
    returns how many.

    Their history keeps the changes without the values, and gets no new entry.
    """
    return store.remove(connection, State(connection), now() - timedelta(days=days), limit)


def _fetch(connection: Connection, book_id: int) -> Record:
    """The record of a book; 404 if there never was one, 410 if it is in the trash."""
    record, in_trash = store.by_id(connection, book_id) or refuse_missing()
    if in_trash:
        refuse_in_trash()
    return record


def refuse_missing() -> NoReturn:
    """Raise 404 for an id or ISBN that no book has."""
    raise Problem(404, "no such book")


def refuse_in_trash() -> NoReturn:
    """Raise 410 for a book in the trash."""
    raise Problem(410, "the book is in the trash", type="in-trash")


def _refuse_taken(connection: Connection, isbn: str | None, other_than: int | None = None) -> None:
    """Raise IsbnTaken where another book has the ISBN."""
    owner = store.by_isbn(connection, isbn)
    if owner is not None and owner["id"] != other_than:
        raise IsbnTaken([Taken(owner["id"])])


def _refuse_any_taken(connection: Connection, isbns: list[str | None]) -> None:
    """Raise IsbnTaken where books have the ISBN of a stored book, or of one before them."""
    owners: dict[str, int | None] = {
        record["isbn"]: record["id"]
        for record in store.by_isbns(connection, {isbn for isbn in isbns if isbn})
    }
    taken = []
    for index, isbn in enumerate(isbns):
        if isbn in owners:
            taken.append(Taken(owners[isbn], index))
        elif isbn:
            owners[isbn] = None
    if taken:
        raise IsbnTaken(taken)


def new_record(state: State, values: Mapping[str, Any]) -> Record:
    """The record of a new book."""
    created_at = format_timestamp(now())
    state.total += 1
    return {
        **store.BLANK,
        **values,
        "id": state.next_id(),
        "version": 1,
        "created_at": created_at,
        "updated_at": created_at,
    }


def changed_record(record: Record, values: Mapping[str, Any]) -> Record | None:
    """The next version of a record with these values; None where they change nothing."""
    if all(record[name] == value for name, value in values.items()):
        return None
    return _next_version(record, values)


def _next_version(record: Record, values: Mapping[str, Any]) -> Record:
    return {
        **record,
        **values,
        "version": record["version"] + 1,
        "updated_at": format_timestamp(now()),
    }


def _created(connection: Connection, state: State, values: Mapping[str, Any]) -> Record:
    record = new_record(state, values)
    store.store(connection, state, [Change(None, record, CREATED)])
    return record


def _changed(
    connection: Connection, state: State, record: Record, values: Mapping[str, Any]
) -> Record:
    _refuse_taken(connection, values.get("isbn"), other_than=record["id"])
    after = changed_record(record, values)
    if after is None:
        return record
    store.store(connection, state, [Change(record, after, UPDATED)])
    return after
