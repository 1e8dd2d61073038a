"""What is derived from the books: sort keys, search words, rows of their lists, the catalogue's counters.

`check` compares it with the books, `check --mend` rebuilds it. Books and history are what people gave: never changed.
"""

import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, text, update

from ..books import store
from ..books.models import LIST_TABLES, Book, BookWords, lists_of
from ..books.schemas import FIELDS
from ..books.search import text_of
from ..db import Catalogue, locked

BATCH = 200  # books in memory at a time: at most 20 MB
MAX_FAULTS = 5  # books that are named
BOOKS: Table = Book.__table__
TABLES: dict[str, Table] = {
    "words": BookWords.__table__,
    **{field: model.__table__ for field, model in LIST_TABLES.items()},
}
_KEYS = [name for name in BOOKS.c.keys() if name.endswith("_key")]
_NEXT = select(BOOKS).where(BOOKS.c.id > bindparam("after")).order_by(BOOKS.c.id).limit(BATCH)


class Batch(NamedTuple):
    """The next books: the last of their ids (None: there are none), the ids of those whose derived data is wrong, and
    what it should be: sort keys by id, and rows by table, a tuple of values in the order of the columns."""

    last: int | None
    wrong: set[int]
    keys: dict[int, dict[str, Any]]
    rows: dict[str, set[tuple[Any, ...]]]


def next_batch(connection: Connection, after: int) -> Batch:
    """Compare the books whose ids follow `after` with what is derived from them."""
    books = connection.execute(_NEXT, {"after": after}).mappings().all()
    keys, rows = {}, {name: set() for name in TABLES}
    for book in books:
        record = {name: book[name] for name in FIELDS if name not in ("created_at", "updated_at")}
        columns = store.columns_of(record, record)
        keys[book["id"]] = {name: columns[name] for name in _KEYS}
        rows["words"].add((book["id"], text_of(record, book["deleted_at"] is not None)))
        for field in LIST_TABLES:
            rows[field] |= {
                tuple(row[name] for name in TABLES[field].c.keys())
                for row in lists_of(book["id"], record[field])
            }
    wrong = {book["id"] for book in books if any(book[k] != v for k, v in keys[book["id"]].items())}
    for name, table in TABLES.items() if books else ():
        span = table.c.book_id.between(books[0]["id"], books[-1]["id"])
        stored = set(map(tuple, connection.execute(select(table).where(span))))
        wrong |= {row[0] for row in stored ^ rows[name]}
    return Batch(books[-1]["id"] if books else None, wrong, keys, rows)


def rebuild_batch(connection: Connection, after: int) -> int | None:
    """An operation for `db.write`: rebuild what is derived from the next books; returns the last of their ids."""
    locked(connection)
    last, wrong, keys, rows = next_batch(connection, after)
    for book_id in wrong:
        connection.execute(update(BOOKS).where(BOOKS.c.id == book_id).values(keys[book_id]))
    for name, table in TABLES.items():
        connection.execute(delete(table).where(table.c.book_id.in_(wrong)))
        wanted = [dict(zip(table.c.keys(), row)) for row in rows[name] if row[0] in wrong]
        if wanted:
            connection.execute(insert(table), wanted)
    return last


def rebuild_counters(connection: Connection) -> None:
    """An operation for `db.write`: count again what is wrong and can be counted, and give the catalogue a new revision,
    so that no cached response from before is used."""
    locked(connection)
    found = counted(connection)
    values = {name: found[name] for name in counter_faults(connection) if name != "seq"}
    revision = secrets.randbits(62)
    connection.execute(update(Catalogue.__table__).values(revision=revision, **values))


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
          OR deleted <> CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END
    ORDER BY id"""

_UNREADABLE_LISTS = "SELECT id FROM books WHERE {} ORDER BY id".format(
    " OR ".join(
        f"CASE WHEN json_valid({name}) THEN lower(json_type({name})) ELSE '' END <> 'array'"
        for name in LIST_TABLES
    )
)


def counted(connection: Connection) -> dict[str, int]:
    """The catalogue's counters as the tables have them. A purged book's id is in the history still; `seq` may be higher,
    for a restore takes changes back, but not their numbers."""
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
        or row[name] < number
        or (name == "total" and row[name] != number)
    }


def is_counter(value: object) -> bool:
    """Whether the catalogue can count on from it."""
    return isinstance(value, int) and 0 <= value < 2**53


def broken_history(connection: Connection) -> str | None:
    """The books whose history is incomplete."""
    return list_books(connection.scalars(text(_BROKEN_HISTORY)), "the history of ")


def unreadable_lists(connection: Connection) -> str | None:
    """The books whose lists are no JSON lists."""
    return list_books(connection.scalars(text(_UNREADABLE_LISTS)), "the lists of ")


def all_faults(connection: Connection) -> list[str]:
    """What contradicts itself, but for what can be rebuilt."""
    found = (broken_history(connection), unreadable_lists(connection))
    return [*counter_faults(connection).values(), *filter(None, found)]


def list_books(ids: Iterable[int], prefix: str = "") -> str | None:
    """`3 books (4, 7, 9)`; None where there are none."""
    every = sorted(ids)
    shown = [*map(str, every[:MAX_FAULTS]), *["…"] * (len(every) > MAX_FAULTS)]
    return (
        f"{prefix}{len(every)} book{'s' * (len(every) > 1)} ({', '.join(shown)})" if every else None
    )
