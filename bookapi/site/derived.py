"""What is derived from the books: sort keys, search words, rows of lists, the catalogue's counters.

`check` compares it with the books, `check --mend` rebuilds it. Books and history are what people
gave: they are never changed.
"""

import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Table,
    bindparam,
    delete,
    insert,
    inspect,
    select,
    text,
    update,
)

from ..books import store, terms
from ..books.models import lists_of
from ..books.schemas import FIELDS, LISTS
from ..books.search import text_of
from ..catalogue import Catalogue, lock_catalogue
from ..db import Base

BATCH = 200  # books in memory at a time: at most 20 MB
MAX_FAULTS = 5  # books that are named

_TABLES = Base.metadata.tables
_BOOKS, _WORDS = _TABLES["books"], _TABLES["book_words"]
_LISTS = {field: _TABLES[f"book_{field}"] for field in LISTS}
_KEYS = [name for name in list(_BOOKS.c.keys()) if name.endswith("_key")]
# Where derived values are stored; the first column is the id of the book.
_COLUMNS: dict[Table, list[Column[Any]]] = {
    _BOOKS: [_BOOKS.c[name] for name in ("id", *_KEYS)],
    **{table: list(table.c) for table in (_WORDS, *_LISTS.values())},
}
_NEXT = select(_BOOKS).where(_BOOKS.c.id > bindparam("after")).order_by(_BOOKS.c.id).limit(BATCH)

Rows = dict[Table, set[tuple[Any, ...]]]  # values in the order of `_COLUMNS`


def next_batch(connection: Connection, after: int) -> tuple[int | None, set[int], Rows]:
    """Of the books whose ids follow `after`: the last id (None: there are no more), the ids of
    those whose derived values are wrong, and the values that should be stored."""
    books = connection.execute(_NEXT, {"after": after}).mappings().all()
    if not books:
        return None, set(), {}
    wanted: Rows = {table: set() for table in _COLUMNS}
    for book in books:
        record = {name: book[name] for name in FIELDS if name not in ("created_at", "updated_at")}
        keys = store.columns_of(record, record)
        wanted[_BOOKS].add((book["id"], *[keys[name] for name in _KEYS]))
        wanted[_WORDS].add((book["id"], text_of(record, book["deleted_at"] is not None)))
        for field, table in _LISTS.items():
            rows, names = lists_of(book["id"], record[field]), list(table.c.keys())
            wanted[table] |= {tuple(row[name] for name in names) for row in rows}
    wrong: set[int] = set()
    for table, columns in _COLUMNS.items():
        query = select(*columns).where(columns[0].between(books[0]["id"], books[-1]["id"]))
        wrong |= {row[0] for row in wanted[table] ^ set(map(tuple, connection.execute(query)))}
    return books[-1]["id"], wrong, wanted


def wrong_books(connection: Connection) -> list[int]:
    """The books whose derived values are wrong, all seen in one state of the database."""
    last: int | None = 0
    found: list[int] = []
    while last is not None:
        last, wrong, _ = next_batch(connection, last)
        found += wrong
    return found


def rebuild_batch(connection: Connection, after: int) -> None:
    """An operation of `db.write`: rebuild what is derived from the next books."""
    lock_catalogue(connection)
    _, wrong, wanted = next_batch(connection, after)
    for table, rows in wanted.items():
        names = [column.name for column in _COLUMNS[table]]
        values = [dict(zip(names, row, strict=True)) for row in rows if row[0] in wrong]
        if table is _BOOKS:
            for row in values:
                connection.execute(update(table).where(table.c.id == row["id"]).values(row))
        else:
            connection.execute(delete(table).where(table.c.book_id.in_(wrong)))
            connection.execute(insert(table), values) if values else None


def rebuild_counters(connection: Connection) -> None:
    """An operation of `db.write`: count again what is wrong and can be counted, and give the
    catalogue a new revision, so that no response that was cached before is used."""
    lock_catalogue(connection)
    if terms.wrong_terms(connection):
        terms.rebuild(connection)
    found = counted(connection)
    values = {name: found[name] for name in counter_faults(connection) if name != "seq"}
    connection.execute(update(Catalogue).values(revision=secrets.randbits(62), **values))


_COUNTED = """
    SELECT (SELECT count(*) FROM books WHERE deleted_at IS NULL) AS total,
           (SELECT max(id) FROM (SELECT id FROM books UNION ALL SELECT book_id FROM history) AS a)
               AS last_id,
           (SELECT max(id) FROM users) AS last_user_id,
           (SELECT max(seq) FROM history) AS seq"""

# Books whose history does not lead, version by version, from their creation to what they are.
_BROKEN_HISTORY = """
    SELECT id FROM books LEFT JOIN (
        SELECT book_id, min(version) AS first, max(version) AS last, count(*) AS entries,
               sum(CASE action WHEN 'created' THEN 1 ELSE 0 END) AS created,
               sum(CASE action WHEN 'deleted' THEN 1 WHEN 'restored' THEN -1 ELSE 0 END) AS deleted
        FROM history GROUP BY book_id) AS found ON book_id = id
    WHERE book_id IS NULL OR last <> version OR entries <> last - first + 1 OR created <> 1
          OR deleted <> CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END"""

_BROKEN_LISTS = "SELECT id FROM books WHERE " + " OR ".join(  # noqa: S608
    f"CASE WHEN json_valid({name}) THEN lower(json_type({name})) ELSE '' END <> 'array'"
    for name in LISTS
)


def counted(connection: Connection) -> dict[str, int]:
    """The catalogue's counters as the tables have them. A purged book's id is in the history still;
    `seq` may be higher, for a restore takes changes back, but not their numbers."""
    row = connection.execute(text(_COUNTED)).mappings().one()
    return {name: number or 0 for name, number in row.items()}


def counter_faults(connection: Connection) -> dict[str, str]:
    """What is wrong with the catalogue's counters, by column."""
    row = connection.execute(text("SELECT * FROM catalogue WHERE id = 1")).mappings().one_or_none()
    if row is None:
        return {"seq": "the catalogue has no row"}
    return {
        name: f"{name} is {row[name]!r}, should be {number}"
        for name, number in counted(connection).items()
        if not is_counter(row[name])
        or (row[name] != number if name == "total" else row[name] < number)
    }


def is_counter(value: object) -> bool:
    """Whether the catalogue can count on from it."""
    return isinstance(value, int) and 0 <= value < 2**53


def faults(connection: Connection) -> list[tuple[str, str | None, bool]]:
    """(what was compared, what is wrong with it, whether it can be rebuilt)."""
    counters = counter_faults(connection)
    return [
        ("number of changes", counters.pop("seq", None), False),
        ("counters", "; ".join(counters.values()), True),
        ("terms", terms_fault(connection), True),
        ("history", list_books(connection.scalars(text(_BROKEN_HISTORY))), False),
        ("lists", list_books(connection.scalars(text(_BROKEN_LISTS))), False),
    ]


def terms_fault(connection: Connection) -> str | None:
    """How many authors, subjects, … have another number of books than is stored."""
    if not inspect(connection).has_table("terms"):  # of a schema before 0007
        return None
    wrong = terms.wrong_terms(connection)
    return f"{wrong} numbers of books of authors, subjects, … are wrong" if wrong else None


def list_books(ids: Iterable[int]) -> str | None:
    """`3 books (4, 7, 9)`; None where there are none."""
    every = sorted(ids)
    shown = [*map(str, every[:MAX_FAULTS]), *["…"] * (len(every) > MAX_FAULTS)]
    number = "1 book" if len(every) == 1 else f"{len(every)} books"
    return f"{number} ({', '.join(shown)})" if every else None
