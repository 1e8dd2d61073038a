"""Storing changes of books: every table that holds a part of a record is updated here."""

import functools
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    Insert,
    Select,
    String,
    Update,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Connection

from ..auth.permissions import SignedIn
from ..catalogue import Catalogue, lock_catalogue
from ..db import db, fetch, run
from ..text import KEY_LENGTH, key
from ..timestamps import stored, stored_text
from . import records, search, terms
from .fields import dates
from .models import LAST, LIST_TABLES, Book, BookIdentifier, BookWords, History, lists_of
from .schemas import FIELDS, LISTS, WRITABLE

_AT_A_TIME = 100  # values or rows in one statement
MAX_STATEMENT = 1024 * 1024  # characters of it, for MySQL's max_allowed_packet

CREATED, UPDATED, DELETED, RESTORED = "created", "updated", "deleted", "restored"

# Columns to compare and sort by: the function that derives them from a field, and their names.
_KEYS: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "title": (key, ("title_key",)),
    "authors": (lambda names: _sorted_by(names[0]), ("author_key", "author_desc_key")),
    "publisher": (key, ("publisher_key",)),
    "series": (key, ("series_key",)),
    "location": (key, ("location_key",)),
    "call_number": (key, ("call_number_key",)),
    "published": (dates.sort_key, ("published_key", "published_desc_key")),
}
_INSTANTS = ("created_at", "updated_at")
BLANK: dict[str, Any] = {name: [] if name in LISTS else None for name in FIELDS}


class Change(NamedTuple):
    """The record of a book before a change (None: it is new) and after it, version and timestamps
    included."""

    before: dict[str, Any] | None
    after: dict[str, Any]
    action: str

    @property
    def fields(self) -> set[str]:
        """The fields that differ."""
        if self.before is None:
            return set(FIELDS)
        return {name for name in FIELDS if self.before[name] != self.after[name]}

    @property
    def to_trash(self) -> bool:
        """Whether this moves the book to the trash."""
        return self.action == DELETED

    @property
    def entries(self) -> list[dict[str, Any]]:
        """{field, before, after} of each writable field that differs."""
        before, after = self.before or BLANK, self.after
        return [
            {"field": name, "before": before[name] if self.before else None, "after": after[name]}
            for name in WRITABLE
            if after[name] != before[name]
        ]


class State:
    """The catalogue's row, locked until the commit, so that one writer at a time changes books.
    `by` is the account (None: the command line); raises 401 or 403 if it has lost its access."""

    def __init__(self, connection: Connection, by: SignedIn | None = None):
        self.seq, self.last_id, self.total = lock_catalogue(connection)
        if by is not None:
            by.confirm(connection)
        self.by = None if by is None else by.username

    def next_id(self) -> int:
        """The id of a new book."""
        self.last_id += 1
        return self.last_id


def _plain(names: Iterable[str]) -> dict[str, Any]:
    """Bound parameters for columns, passed to the driver unconverted."""
    return {name: bindparam(name, type_=String()) for name in names}


_INSERT_BOOK = insert(Book.__table__).values(
    _plain((*FIELDS, *[name for _, names in _KEYS.values() for name in names]))
)
_FREE_ISBN = update(Book.__table__).where(Book.id == bindparam("book_id")).values(isbn=None)
_UPDATE_CATALOGUE = (
    update(Catalogue.__table__)
    .where(Catalogue.id == 1)
    .values(_plain(("seq", "revision", "last_id", "total")))
)
_WORDS_COLUMNS = ("book_id", "words")
_INSERT_WORDS = insert(BookWords.__table__).values(_plain(_WORDS_COLUMNS))
_UPDATE_WORDS = (
    update(BookWords.__table__)
    .where(BookWords.book_id == bindparam("of_book"))
    .values(_plain(("words",)))
)
_INSERT_HISTORY = insert(History.__table__).values(
    _plain([column.name for column in History.__table__.c])
)
_INSERT_LIST_ROWS = {
    field: insert(table.__table__).values(_plain([column.name for column in table.__table__.c]))
    for field, table in LIST_TABLES.items()
}
_DELETE_LIST_ROWS = {
    field: delete(table.__table__).where(table.book_id == bindparam("book_id"))
    for field, table in LIST_TABLES.items()
}


@functools.lru_cache(maxsize=256)
def _update(columns: tuple[str, ...]) -> Update:
    return update(Book.__table__).where(Book.id == bindparam("of_book")).values(_plain(columns))


def store(connection: Connection, state: State, changes: list[Change]) -> None:
    """Write the changes and their history, each a step of the catalogue's `seq`."""
    changed = [(change, change.fields) for change in changes if change.before is not None]
    # An ISBN that moves from one book to another is released first.
    freed = [
        {"book_id": change.after["id"]}
        for change, fields in changed
        if change.before and "isbn" in fields and change.before["isbn"]
    ]
    run(connection, _FREE_ISBN, freed)
    _add(connection, [change.after for change in changes if change.before is None])
    _change_all(connection, changed)
    states = [
        (
            None if change.action == RESTORED else change.before,
            None if change.to_trash else change.after,
        )
        for change in changes
    ]
    terms.count_changes(connection, states)
    entries = [_entry(seq, change, state.by) for seq, change in enumerate(changes, state.seq + 1)]
    run(connection, _INSERT_HISTORY, entries)
    state.seq += len(changes)
    _new_state(connection, state)


def _add(connection: Connection, new: list[dict[str, Any]]) -> None:
    """Insert new books, each table once for all of them."""
    run(connection, _INSERT_BOOK, [columns_of(book, FIELDS) for book in new])
    words = [{"book_id": book["id"], "words": search.text_of(book)} for book in new]
    for start in range(0, len(words), _AT_A_TIME):
        some = words[start : start + _AT_A_TIME]
        if len(some) < _AT_A_TIME or sum(len(row["words"]) for row in some) > MAX_STATEMENT:
            run(connection, _INSERT_WORDS, some)
        else:
            of_all = {f"{name}_{i}": row[name] for i, row in enumerate(some) for name in row}
            run(connection, _insert_many_words(), [of_all])
    for field in LIST_TABLES:
        _add_rows(connection, field, new)


def _change_all(connection: Connection, changed: list[tuple[Change, set[str]]]) -> None:
    """Update books, each in the tables that the fields are in."""
    for change, fields in changed:
        columns = columns_of(change.after, fields)
        moved_at = stored_text(change.after["updated_at"]) if change.to_trash else None
        columns |= {"deleted_at": moved_at}
        statement = _update(tuple(sorted(columns)))
        run(connection, statement, [{**columns, "of_book": change.after["id"]}])
    words = [
        {"of_book": change.after["id"], "words": search.text_of(change.after, change.to_trash)}
        for change, fields in changed
        if fields & search.SEARCHED or change.action != UPDATED
    ]
    run(connection, _UPDATE_WORDS, words)
    for field in LIST_TABLES:
        books = [change.after for change, fields in changed if field in fields]
        run(connection, _DELETE_LIST_ROWS[field], [{"book_id": book["id"]} for book in books])
        _add_rows(connection, field, books)


@functools.cache
def _insert_many_words() -> Insert:
    """Words of many books by one statement: FTS5 writes to its index at the end of each."""
    rows = [
        {name: bindparam(f"{name}_{index}", type_=String()) for name in _WORDS_COLUMNS}
        for index in range(_AT_A_TIME)
    ]
    return insert(BookWords.__table__).values(rows)


def _add_rows(connection: Connection, field: str, books: list[dict[str, Any]]) -> None:
    rows = [row for book in books for row in lists_of(book["id"], book[field])]
    run(connection, _INSERT_LIST_ROWS[field], rows)


def _new_state(connection: Connection, state: State) -> None:
    counted = {"seq": state.seq, "last_id": state.last_id, "total": state.total}
    run(connection, _UPDATE_CATALOGUE, [{**counted, "revision": secrets.randbits(62)}])


def _entry(seq: int, change: Change, by: str | None) -> dict[str, Any]:
    """The history row of a change."""
    after = change.after
    return {
        "seq": seq,
        "book_id": after["id"],
        "at": stored_text(after["updated_at"]),
        "action": change.action,
        "version": after["version"],
        "username": by,
        "changes": orjson.dumps(change.entries).decode(),
    }


def columns_of(record: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The columns of these fields and the keys derived from them, as the driver takes them."""
    columns = {name: record[name] for name in names}
    for name in LISTS:
        if name in columns:
            columns[name] = orjson.dumps(record[name]).decode()
    for name in _INSTANTS:
        if name in columns:
            columns[name] = stored_text(record[name])
    for name, (make_key, derived) in _KEYS.items():
        if name in columns:
            made = make_key(record[name]) if record[name] else None
            for column in derived:
                columns[column] = LAST.get(column) if made is None else made
    return columns


def _sorted_by(text: str) -> str:
    """The key of a text that a book may lack: before the `LAST` one in either direction."""
    return f"1{key(text)}"[:KEY_LENGTH]


_LONG_IN_TRASH = (
    select(Book.id)
    .where(Book.deleted_at < bindparam("before", type_=String()))
    .order_by(Book.id)
    .limit(bindparam("limit"))
)
_DELETE_BOOK = delete(Book.__table__).where(Book.id == bindparam("book_id"))
_CLEAR_HISTORY = (
    update(History.__table__)
    .where(History.book_id == bindparam("of_book"))
    .values(_plain(("changes",)))
)
_DELETE_ROWS = [
    delete(table.__table__).where(table.book_id == bindparam("book_id"))
    for table in (BookWords, *LIST_TABLES.values())
]


def remove(connection: Connection, state: State, before: datetime, limit: int) -> int:
    """Delete at most `limit` books that were moved to the trash before an instant, and the field
    values from their history; returns the number of books."""
    found = fetch(connection, _LONG_IN_TRASH, {"before": stored(before), "limit": limit})
    books = [{"book_id": book_id} for (book_id,) in found]
    for query in (*_DELETE_ROWS, _DELETE_BOOK):
        run(connection, query, books)
    run(
        connection,
        _CLEAR_HISTORY,
        [{"of_book": book["book_id"], "changes": "[]"} for book in books],
    )
    _new_state(connection, state)
    return len(books)


# -- reading inside a change ------------------------------------------------------------

_ONE = records.selection(FIELDS, Book.deleted_at).where(Book.id == bindparam("id"))
_BY_ISBN = records.selection().where(Book.live_isbn == bindparam("isbn"))


def by_id(connection: Connection, book_id: int) -> tuple[dict[str, Any], bool] | None:
    """The record of that id and whether it is in the trash; None if there never was one."""
    rows = db.dialect.fetch_wide(connection, _ONE, {"id": book_id})
    return (records.from_rows(FIELDS, rows)[0], rows[0][-1] is not None) if rows else None


def by_isbn(connection: Connection, digits: str | None) -> dict[str, Any] | None:
    """The record of the book whose own ISBN this is."""
    rows = digits and db.dialect.fetch_wide(connection, _BY_ISBN, {"isbn": digits})
    return records.from_rows(FIELDS, rows)[0] if rows else None


def by_isbns(connection: Connection, digits: Iterable[str]) -> list[dict[str, Any]]:
    """The records of the books outside the trash whose own ISBN is one of these."""
    found = []
    for some in _some_at_a_time(digits):
        values = {f"isbn_{index}": value for index, value in enumerate(some)}
        rows = db.dialect.fetch_wide(connection, _with_isbns(len(some)), values)
        found += records.from_rows(FIELDS, rows)
    return found


def by_identifiers(
    connection: Connection, wanted: Iterable[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """The records of the books outside the trash with one of these identifiers (scheme, value)."""
    by_scheme: dict[str, set[str]] = {}
    for scheme, value in wanted:
        by_scheme.setdefault(scheme, set()).add(value)
    for scheme, every in by_scheme.items():
        for some in _some_at_a_time(every):
            values = {f"value_{index}": value for index, value in enumerate(some)}
            values["scheme"] = scheme
            rows = db.dialect.fetch_wide(connection, _with_identifiers(len(some)), values)
            yield from records.from_rows(FIELDS, rows)


def _some_at_a_time(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of one value or of `_AT_A_TIME`, the last one padded, so that only two statements are
    compiled."""
    every = sorted(values)
    for start in range(0, len(every), _AT_A_TIME):
        some = every[start : start + _AT_A_TIME]
        yield some if len(some) == 1 else some + some[-1:] * (_AT_A_TIME - len(some))


@functools.cache
def _with_isbns(number: int) -> Select[Any]:
    return records.selection().where(
        Book.live_isbn.in_([bindparam(f"isbn_{index}", type_=String()) for index in range(number)])
    )


@functools.cache
def _with_identifiers(number: int) -> Select[Any]:
    values = [bindparam(f"value_{index}", type_=String()) for index in range(number)]
    of_identifier = BookIdentifier.scheme == bindparam("scheme", type_=String())
    return (
        records.selection()
        .join(BookIdentifier, BookIdentifier.book_id == Book.id)
        .where(Book.deleted_at.is_(None), of_identifier, BookIdentifier.value.in_(values))
    )
