"""What can be done to a book: units for `db.write`. Everything that changes the catalogue passes here.

Each unit takes the catalogue's row first. Its lock puts writers in order on every database, and what is read
after it is the newest state, so a check made here (is this ISBN taken?) holds until the commit. `by` is who does
it (None: the command line): confirmed behind that lock, and named in the history.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from ..auth.permissions import Actor
from ..db import now
from ..http.problems import Problem, invalid
from . import store
from .schemas import FIELDS, LISTS, book_schema
from .store import CREATED, DELETED, RESTORED, UPDATED, Change, State

Check = Callable[[dict | None], None]
Document = Callable[[], Any]  # gives what was sent, or raises what is wrong with it


class Taken(NamedTuple):
    """An ISBN that another book has: that book's id (None: a book of the same request), and the place in the list of
    the one that wants it (None: there is no list)."""

    book_id: int | None
    place: int | None = None


class IsbnTaken(Exception):
    """Other books have these ISBNs."""

    def __init__(self, taken: list[Taken]):
        super().__init__(taken)
        self.taken = taken


# -- the units ----------------------------------------------------------------------------------------------------
def create(connection: Connection, values: dict[str, Any], by: Actor | None = None) -> dict:
    """A new book of valid values; returns its record."""
    state = State(connection, by)
    _refuse_taken(connection, values.get("isbn"))
    return _created(connection, state, values)


def create_all(
    connection: Connection, books: list[dict[str, Any]], by: Actor | None = None
) -> list[dict]:
    """New books of valid values, all of them or none; returns their records."""
    state = State(connection, by)
    _refuse_any_taken(connection, [values.get("isbn") for values in books])
    records = [made(state, values) for values in books]
    store.store(connection, state, [Change(None, record, CREATED) for record in records])
    return records


def replace(
    connection: Connection, book_id: int, document: Document, check: Check, by: Actor | None = None
) -> dict:
    """The book with all its fields from the document, those not sent cleared; returns its record."""
    state, record = State(connection, by), _fetch(connection, book_id)
    check(record)
    return _changed(connection, state, record, book_schema.load(document()))


def patch(
    connection: Connection, book_id: int, document: Document, check: Check, by: Actor | None = None
) -> dict:
    """The book with the fields of the document, those not sent as they were; returns its record."""
    state, record = State(connection, by), _fetch(connection, book_id)
    check(record)
    return _changed(connection, state, record, book_schema.load(document(), partial=True))


def delete(connection: Connection, book_id: int, check: Check, by: Actor | None = None) -> None:
    """The book goes to the trash; its ISBN is free again."""
    state, record = State(connection, by), _fetch(connection, book_id)
    check(record)
    state.total -= 1
    store.store(connection, state, [Change(record, _next(record, {}), DELETED)])


def restore(connection: Connection, book_id: int, check: Check, by: Actor | None = None) -> dict:
    """The book comes back from the trash; returns its record."""
    state = State(connection, by)
    record, in_trash = store.by_id(connection, book_id) or _missing()
    check(record)
    if not in_trash:
        raise Problem(409, "the book is not in the trash")
    _refuse_taken(connection, record["isbn"])
    state.total += 1
    after = _next(record, {})
    store.store(connection, state, [Change(record, after, RESTORED)])
    return after


def purge(connection: Connection, days: int, most: int) -> int:
    """Removes for good at most so many of the books that have been in the trash for so many days; returns how many.

    Of their history stays who did what and when. Nothing is added to it: to everyone else they were gone before.
    """
    return store.remove(connection, State(connection), now() - timedelta(days=days), most)


def put_isbn(
    connection: Connection, digits: str, document: Document, check: Check, by: Actor | None = None
) -> tuple[dict, bool]:
    """The book of that ISBN, created or replaced; returns its record and whether it is new."""
    state, record = State(connection, by), store.by_isbn(connection, digits)
    check(record)
    sent = document()
    values = book_schema.load(sent)
    if "isbn" in sent and values["isbn"] != digits:
        raise invalid(
            [
                {
                    "field": "isbn",
                    "detail": "is another one than the address names; leave it out or mend it",
                }
            ]
        )
    values["isbn"] = digits
    if record is None:
        return _created(connection, state, values), True
    return _changed(connection, state, record, values), False


# -- their parts --------------------------------------------------------------------------------------------------


def _fetch(connection: Connection, book_id: int) -> dict:
    """The record of that id; 404 where there never was one, 410 where it is in the trash."""
    record, in_trash = store.by_id(connection, book_id) or _missing()
    if in_trash:
        raise Problem(410, "the book is in the trash")
    return record


def _missing() -> None:
    raise Problem(404, "there is no book of that id")


def _refuse_taken(
    connection: Connection, digits: str | None, by_other_than: int | None = None
) -> None:
    """Raises IsbnTaken where another live book has the ISBN."""
    owner = store.by_isbn(connection, digits)
    if owner is not None and owner["id"] != by_other_than:
        raise IsbnTaken([Taken(owner["id"])])


def _refuse_any_taken(connection: Connection, isbns: list[str | None]) -> None:
    """Raises IsbnTaken where books of a list have the ISBN of a live book, or of one before them in the list."""
    owners: dict[str, int | None] = {
        record["isbn"]: record["id"]
        for record in store.by_isbns(connection, {digits for digits in isbns if digits})
    }
    taken = []
    for place, digits in enumerate(isbns):
        if digits in owners:
            taken.append(Taken(owners[digits], place))
        elif digits:
            owners[digits] = None
    if taken:
        raise IsbnTaken(taken)


def _instant() -> str:
    return now().isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


_BLANK = {name: [] if name in LISTS else None for name in FIELDS}


def made(state: State, values: dict[str, Any]) -> dict:
    """The record of a new book."""
    instant = _instant()
    state.total += 1
    return {
        **_BLANK,
        **values,
        "id": state.next_id(),
        "version": 1,
        "created_at": instant,
        "updated_at": instant,
    }


def _next(record: dict, values: dict[str, Any]) -> dict:
    return {**record, **values, "version": record["version"] + 1, "updated_at": _instant()}


def applied(record: dict, values: dict[str, Any]) -> dict | None:
    """The next version of a record, with these values; None where they change nothing."""
    if all(record[name] == value for name, value in values.items()):
        return None
    return _next(record, values)


def _created(connection: Connection, state: State, values: dict[str, Any]) -> dict:
    record = made(state, values)
    store.store(connection, state, [Change(None, record, CREATED)])
    return record


def _changed(connection: Connection, state: State, record: dict, values: dict[str, Any]) -> dict:
    _refuse_taken(connection, values.get("isbn"), by_other_than=record["id"])
    after = applied(record, values)
    if after is None:
        return record
    store.store(connection, state, [Change(record, after, UPDATED)])
    return after
