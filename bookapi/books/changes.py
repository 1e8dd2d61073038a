"""What can be done to a book: units for `db.write`. Everything that changes the catalogue passes here.

Each unit takes the catalogue's row first. Its lock puts writers in order on every database, and what is read
after it is the newest state, so a check made here (is this ISBN taken?) holds until the commit.
"""
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from ..db import Writer, now
from ..problems import Problem, invalid
from . import storing
from .schemas import FIELDS, LISTS, book_schema
from .storing import Change, State

Check = Callable[[dict | None], None]
Document = Callable[[], Any]  # gives what was sent, or raises what is wrong with it


class IsbnTaken(Exception):
    """Another book has this ISBN; `book_id` is its id."""

    def __init__(self, book_id: int):
        super().__init__(book_id)
        self.book_id = book_id


# -- the units ----------------------------------------------------------------------------------------------------

def create(session: Session, values: dict[str, Any]) -> dict:
    """A new book of valid values; returns its record."""
    writer = Writer(session)
    state = State(writer)
    _refuse_taken(writer, values.get("isbn"))
    return _created(writer, state, values)


def replace(session: Session, book_id: int, document: Document, check: Check) -> dict:
    """The book with all its fields from the document, those not sent cleared; returns its record."""
    writer = Writer(session)
    state, record = State(writer), _fetch(writer, book_id)
    check(record)
    return _changed(writer, state, record, book_schema.load(document()))


def patch(session: Session, book_id: int, document: Document, check: Check) -> dict:
    """The book with the fields of the document, those not sent as they were; returns its record."""
    writer = Writer(session)
    state, record = State(writer), _fetch(writer, book_id)
    check(record)
    return _changed(writer, state, record, book_schema.load(document(), partial=True))


def delete(session: Session, book_id: int, check: Check) -> None:
    """The book goes to the trash; its ISBN is free again."""
    writer = Writer(session)
    state, record = State(writer), _fetch(writer, book_id)
    check(record)
    state.total -= 1
    storing.store(writer, state, [Change(record, _next(record, {}), in_trash=True)])


def put_isbn(session: Session, digits: str, document: Document, check: Check) -> tuple[dict, bool]:
    """The book of that ISBN, created or replaced; returns its record and whether it is new."""
    writer = Writer(session)
    state, record = State(writer), storing.by_isbn(writer, digits)
    check(record)
    sent = document()
    values = book_schema.load(sent)
    if "isbn" in sent and values["isbn"] != digits:
        raise invalid([{"field": "isbn", "detail": "is another one than the address names; leave it out or mend it"}])
    values["isbn"] = digits
    if record is None:
        return _created(writer, state, values), True
    return _changed(writer, state, record, values), False


# -- their parts --------------------------------------------------------------------------------------------------

def _fetch(writer: Writer, book_id: int) -> dict:
    """The record of that id; 404 where there never was one, 410 where it is in the trash."""
    record, in_trash = storing.by_id(writer, book_id) or (None, False)
    if record is None:
        raise Problem(404, "there is no book of that id")
    if in_trash:
        raise Problem(410, "the book is in the trash")
    return record


def _refuse_taken(writer: Writer, digits: str | None, by_other_than: int | None = None) -> None:
    """Raises IsbnTaken where another live book has the ISBN."""
    owner = storing.by_isbn(writer, digits)
    if owner is not None and owner["id"] != by_other_than:
        raise IsbnTaken(owner["id"])


def _instant() -> str:
    return now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_BLANK = {name: [] if name in LISTS else None for name in FIELDS}


def made(state: State, values: dict[str, Any]) -> dict:
    """The record of a new book."""
    instant = _instant()
    state.total += 1
    return {**_BLANK, **values, "id": state.next_id(), "version": 1, "created_at": instant, "updated_at": instant}


def _next(record: dict, values: dict[str, Any]) -> dict:
    return {**record, **values, "version": record["version"] + 1, "updated_at": _instant()}


def applied(record: dict, values: dict[str, Any]) -> dict | None:
    """The next version of a record, with these values; None where they change nothing."""
    if all(record[name] == value for name, value in values.items()):
        return None
    return _next(record, values)


def _created(writer: Writer, state: State, values: dict[str, Any]) -> dict:
    record = made(state, values)
    storing.store(writer, state, [Change(None, record)])
    return record


def _changed(writer: Writer, state: State, record: dict, values: dict[str, Any]) -> dict:
    _refuse_taken(writer, values.get("isbn"), by_other_than=record["id"])
    after = applied(record, values)
    if after is None:
        return record
    storing.store(writer, state, [Change(record, after)])
    return after
