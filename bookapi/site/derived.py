"""What is derived from a book, beside what is stored of it: search words, sort keys, the rows of its lists."""

import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection

from ..books import records, search, store
from ..books.models import LIST_TABLES, Book, BookWords, History, lists_of
from ..books.schemas import FIELDS
from ..db import Catalogue, integrity, locked

BATCH = 200  # books in memory at a time: of the longest 20 MB
SHOWN = 5
WORDS, KEYS = "search words", "sort keys"
LIST_SUBJECTS = {field: f"list of {field}" for field in LIST_TABLES}
SUBJECTS = (WORDS, KEYS, *LIST_SUBJECTS.values())


class IssueCount:
    """Books that something is wrong with: how many, and the first of them."""

    def __init__(self):
        self.number, self.first = 0, []

    def add(self, book_id: int) -> None:
        """One more."""
        self.number += 1
        if self.number <= SHOWN:
            self.first.append(str(book_id))

    @property
    def words(self) -> str | None:
        """`3 books (4, 7, 9)`; None where there is none."""
        more = ", …" if self.number > SHOWN else ""
        return (
            f"{self.number} book{'s' * (self.number > 1)} ({', '.join(self.first)}{more})"
            if self.number
            else None
        )


class Stored(NamedTuple):
    """A book as all the tables have it."""

    record: dict[str, Any]
    in_trash: bool
    keys: dict[str, Any]
    words: str | None
    lists: dict[str, list[dict]]
    history: list[tuple[str, int]]

    @property
    def id(self) -> int:
        return self.record["id"]


# -- as it is stored ----------------------------------------------------------------------------------------------

_KEYS = tuple(column.name for column in Book.__table__.c if column.name.endswith("_key"))
_BOOKS = (
    records.selection(FIELDS, Book.deleted_at, *[getattr(Book, name) for name in _KEYS])
    .where(Book.id > bindparam("after"))
    .order_by(Book.id)
    .limit(BATCH)
)


def _of_books(table, *columns, order) -> Select:
    return (
        select(*columns)
        .where(table.book_id.between(bindparam("first"), bindparam("last")))
        .order_by(table.book_id, order)
    )


_WORDS = _of_books(BookWords, BookWords.book_id, BookWords.words, order=BookWords.book_id)
_LISTS = {
    field: _of_books(table, *table.__table__.c, order=table.position)
    for field, table in LIST_TABLES.items()
}
_HISTORY = _of_books(History, History.book_id, History.action, History.version, order=History.seq)


def batches(connection: Connection) -> Iterator[list[Stored]]:
    """All books, some at a time, oldest first."""
    last = 0
    while books := batch(connection, last):
        yield books
        last = books[-1].id


def batch(connection: Connection, after: int) -> list[Stored]:
    """The books with the next ids."""
    rows = [tuple(row) for row in connection.execute(_BOOKS, {"after": after}).all()]
    if not rows:
        return []
    found = records.from_rows(FIELDS, rows)
    span = {"first": found[0]["id"], "last": found[-1]["id"]}
    words, history = (
        _by_book(connection.execute(query, span).all()) for query in (_WORDS, _HISTORY)
    )
    lists = {
        field: _by_book(connection.execute(query, span).all()) for field, query in _LISTS.items()
    }
    return [
        _stored(record, row[len(FIELDS) :], words, lists, history)
        for row, record in zip(rows, found)
    ]


def _by_book(rows: list[tuple]) -> dict[int, list[tuple]]:
    """The rows of each book, by its id, which stands in front."""
    found: dict[int, list[tuple]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(tuple(row))
    return found


def _stored(record: dict, more: tuple, words: dict, lists: dict, history: dict) -> Stored:
    number, (deleted_at, *keys) = record["id"], more
    [(_, text)] = words.get(number) or [(number, None)]
    return Stored(
        record,
        deleted_at is not None,
        dict(zip(_KEYS, keys)),
        text,
        {
            field: [
                dict(zip(LIST_TABLES[field].__table__.c.keys(), row))
                for row in every.get(number, [])
            ]
            for field, every in lists.items()
        },
        [row[1:] for row in history.get(number, [])],
    )


# -- as it should be ----------------------------------------------------------------------------------------------


def _keys(record: dict) -> dict[str, Any]:
    columns = store.columns_of(record, FIELDS)
    return {name: columns[name] for name in _KEYS}


def wrong(book: Stored) -> list[str]:
    """The subjects whose rows are not what the record makes of them."""
    found = [WORDS] if book.words != search.text_of(book.record, book.in_trash) else []
    if book.keys != _keys(book.record):
        found.append(KEYS)
    return found + [
        subject
        for field, subject in LIST_SUBJECTS.items()
        if book.lists[field] != lists_of(book.id, book.record[field])
    ]


def wrong_history(book: Stored) -> bool:
    """Whether the history does not lead, step by step, to the book as it is. It begins with the making; that of a book
    older than the history itself at a later version."""
    if not book.history:
        return True
    first, last = book.history[0], book.history[-1]
    return (
        first[0] != store.CREATED
        or (last[0] == store.DELETED) != book.in_trash
        or [version for _, version in book.history]
        != list(range(first[1], book.record["version"] + 1))
    )


# -- mending ------------------------------------------------------------------------------------------------------


def mend_batch(connection: Connection, after: int) -> tuple[int | None, list[tuple[str, int]]]:
    """A unit for `db.write`: what is wrong of the books with the next ids is made again. Returns the last of these ids
    (None: there were no more) and each (subject, id) that was wrong."""
    locked(connection)
    books = batch(connection, after)
    found = [(subject, book) for book in books for subject in wrong(book)]
    for subject, book in found:
        _mend(connection, subject, book)
    if found:
        _new_mark(connection)
    return books[-1].id if books else None, [(subject, book.id) for subject, book in found]


def _mend(connection: Connection, subject: str, book: Stored) -> None:
    if subject == KEYS:
        connection.execute(
            update(Book.__table__).where(Book.id == book.id).values(_keys(book.record))
        )
    elif subject == WORDS:
        _put(
            connection,
            BookWords,
            book.id,
            [{"book_id": book.id, "words": search.text_of(book.record, book.in_trash)}],
        )
    else:
        field = next(field for field, name in LIST_SUBJECTS.items() if name == subject)
        _put(connection, LIST_TABLES[field], book.id, lists_of(book.id, book.record[field]))


def _put(connection: Connection, table, book_id: int, rows: list[dict]) -> None:
    connection.execute(delete(table.__table__).where(table.book_id == book_id))
    if rows:
        connection.execute(insert(table.__table__), rows)


def mend_figures(connection: Connection) -> dict[str, str]:
    """A unit for `db.write`: the number of books and the newest id are found again. Returns what was wrong, by column;
    the number of changes is not derived from anything."""
    locked(connection)
    values = {"total": integrity.total(connection), "last_id": integrity.newest_id(connection)}
    faults = {
        column: words for column, words in integrity.figures(connection).items() if column in values
    }
    if faults:
        connection.execute(
            update(Catalogue.__table__).values({column: values[column] for column in faults})
        )
        _new_mark(connection)
    return faults


def _new_mark(connection: Connection) -> None:
    """No answer from before is given again."""
    connection.execute(update(Catalogue.__table__).values(revision=secrets.randbits(62)))
