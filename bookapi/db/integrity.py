"""Whether a database holds together: its structure, its full-text index, and the catalogue's row beside its tables."""

import time

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from .extension import db
from .failures import FAILURES, busy, raise_translated, translate
from .search import BARRIER, INDEX, TABLE
from .state import locked

SHOWN = 5  # faults that are told: one says as much as a thousand
LOOKS, PAUSE = 3, 0.5  # while InnoDB empties the cache of its index, a search may miss books
MYSQL_INDEX = "ft_book_words_words"

# By the column of the catalogue's row: what its tables say it should be.
_TOTAL = "SELECT count(*) FROM books WHERE deleted_at IS NULL"
_NEWEST_ID = "SELECT max(id) FROM books"
_NEWEST_ID_EVER = (
    "SELECT max(id) FROM (SELECT id FROM books UNION ALL SELECT book_id FROM history) AS every"
)
_UNTOLD = (
    "SELECT count(*) FROM books WHERE version <> "
    "coalesce((SELECT max(version) FROM history WHERE history.book_id = books.id), 0)"
)


def structure(connection: Connection) -> list[str]:
    """What is broken in the database itself, in its own words; nothing where it is sound."""
    try:
        return (_sqlite_structure if connection.dialect.name == "sqlite" else _mysql_structure)(
            connection
        )
    except FAILURES as error:  # so broken that it cannot even be looked at
        return [_fault(error)]


def _fault(error: Exception) -> str:
    """What the database says is wrong with it; raises where it only says that somebody else has the lock."""
    told = translate(error)
    if told is not None and told.description == busy().description:
        raise_translated(error)
    return str(getattr(error, "orig", error))


def _mysql_structure(connection: Connection) -> list[str]:
    tables = ", ".join(f"`{name}`" for name in inspect(connection).get_table_names())
    told = connection.exec_driver_sql(f"CHECK TABLE {tables}").all()
    return [
        f"{name}: {words}" for name, _, kind, words in told if kind == "error" or words == "Corrupt"
    ]


def _sqlite_structure(connection: Connection) -> list[str]:
    told = connection.exec_driver_sql(f"PRAGMA integrity_check({SHOWN})").scalars().all()
    if told != [
        "ok"
    ]:  # newer libraries look at the full-text index, too: that is looked at, and mended, by itself
        return [" ".join(words.split()) for words in told if INDEX not in words]
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(SHOWN)
    return [
        f"{table}: row {row} belongs to one of {parent} that is not there"
        for table, row, parent, _ in lost
    ]


def figures(connection: Connection) -> dict[str, str]:
    """What is wrong in the catalogue's row, by column, beside what the tables hold. An older schema has less of it."""
    row = connection.execute(text("SELECT * FROM catalogue WHERE id = 1")).mappings().one_or_none()
    if row is None:
        return {"seq": "the catalogue has no row"}
    faults = {
        column: f"it says {row[column]!r}, which is no number"
        for column in ("seq", "last_id", "total")
        if column in row and not is_number(row[column])
    }
    if faults:
        return faults
    has_history = inspect(connection).has_table("history")
    books, newest = total(connection), newest_id(connection)
    if row.get("total", books) != books:
        faults["total"] = f"it says {row['total']}, there are {books}"
    if row["last_id"] < newest:
        faults["last_id"] = f"it says {row['last_id']}, there is {newest}"
    wrong = _wrong_history(connection, row["seq"]) if has_history else None
    return {**faults, "seq": wrong} if wrong else faults


def is_number(value: object) -> bool:
    """Whether it is one that the catalogue can count on from."""
    return isinstance(value, int) and 0 <= value < 2**53


def unreadable(connection: Connection) -> str | None:
    """Books whose lists are no lists, in words; None where there are none."""
    lists = [
        f"CASE WHEN json_valid({name}) THEN lower(json_type({name})) ELSE '' END <> 'array'"
        for name in ("authors", "subjects", "identifiers")
    ]
    query = f"SELECT id FROM books WHERE {' OR '.join(lists)} LIMIT {SHOWN}"  # nosec B608 # all of it is ours
    found = connection.scalars(text(query)).all()
    return f"lists of the books {', '.join(map(str, found))}" if found else None


def total(connection: Connection) -> int:
    """The number of books outside the trash."""
    return connection.scalar(text(_TOTAL))


def newest_id(connection: Connection) -> int:
    """The newest id that a book has, or had before it was purged; 0 where there is none."""
    has_history = inspect(connection).has_table("history")
    return connection.scalar(text(_NEWEST_ID_EVER if has_history else _NEWEST_ID)) or 0


def _wrong_history(connection: Connection, seq: int) -> str | None:
    last = connection.scalar(text("SELECT max(seq) FROM history")) or 0
    if last > seq:  # behind it there may be steps without an entry: those that a restore took back
        return f"the catalogue is at change {seq}, its history at {last}"
    untold = connection.scalar(text(_UNTOLD))
    return f"the history of {untold} books does not end at their version" if untold else None


# -- the full-text index ------------------------------------------------------------------------------------------


def index_fault() -> str | None:
    """What is wrong with the index of words, in words; None where it finds what its table holds.

    Writers wait meanwhile, about a second for 100,000 books: neither engine can look at a state that is over.
    """
    try:
        if db.engine.dialect.name == "sqlite":
            return _sqlite_index_fault()
        for attempt in range(LOOKS):
            if attempt:
                time.sleep(PAUSE)
            has, finds = db.write(_mysql_counts, alone=True)
            if has == finds:
                return None
        return f"it finds {finds} of {has} books"
    except FAILURES as error:
        return _fault(error)


def _sqlite_index_fault() -> None:
    """FTS5 compares by an INSERT that inserts nothing, yet needs the write lock; all is taken back, come what may."""
    with db.engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
        # 1: with the table, too, not only within the index.
        compare = f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('integrity-check', 1)"  # nosec B608 # a constant
        connection.exec_driver_sql(compare)
        connection.rollback()


def _mysql_counts(connection: Connection) -> tuple[int, int]:
    """A unit that only reads: how many books have a barrier between their texts, as nearly all do, and how many of
    them the index finds. (InnoDB itself compares nothing.)"""
    locked(connection)
    counted = f"SELECT count(*) FROM {TABLE} WHERE "  # nosec B608 # a constant
    return (
        connection.scalar(text(f"{counted} words LIKE :words"), {"words": f"% {BARRIER} %"}),
        connection.scalar(
            text(f"{counted} MATCH (words) AGAINST (:word IN BOOLEAN MODE)"), {"word": BARRIER}
        ),
    )


def rebuild_index(connection: Connection) -> None:
    """A unit for `db.write`: make the index of words again from its table; also where there is none on a server."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('rebuild')")  # nosec B608 # a constant
        return
    there = {index["name"] for index in inspect(connection).get_indexes(TABLE)}
    drop = f"DROP INDEX {MYSQL_INDEX}, " if MYSQL_INDEX in there else ""
    # COPY: an index that is added in place to a table which had one before finds nothing (seen on MariaDB 10.11).
    connection.exec_driver_sql(
        f"ALTER TABLE {TABLE} {drop}ADD FULLTEXT INDEX {MYSQL_INDEX} (words), ALGORITHM = COPY"
    )
