"""Whether a database is intact: its files, its foreign keys, its tables, its full-text index."""

import time

from sqlalchemy import Connection, Engine, inspect, text

from .extension import db
from .failures import FAILURES, busy, raise_translated, translate
from .search import BARRIER, INDEX, TABLE
from .state import locked

MAX_FAULTS = 5  # that are reported
ATTEMPTS, PAUSE = 3, 0.5  # while InnoDB empties the cache of its index, a search may miss books
MYSQL_INDEX = "ft_book_words_words"

# The tables of a SQLite file by their columns, for ALTER TABLE writes other text than CREATE TABLE.
_SCHEMA = """
    SELECT m.type, m.name, CASE WHEN m.type <> 'table' OR m.sql LIKE 'CREATE VIRTUAL%' THEN m.sql END,
           c.name, c.type, c."notnull", c.pk, c.hidden
    FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c ON m.type = 'table'
    WHERE m.name NOT LIKE 'sqlite_stat%' AND m.name <> 'sqlite_sequence'"""


def structure_faults(connection: Connection) -> list[str]:
    """What is broken in the database itself, in its own words."""
    try:
        if connection.dialect.name == "sqlite":
            return _sqlite_faults(connection)
        tables = ", ".join(f"`{name}`" for name in inspect(connection).get_table_names())
        found = connection.exec_driver_sql(f"CHECK TABLE {tables}").all()
        return [f"{row[0]}: {row[3]}" for row in found if row[2] == "error" or row[3] == "Corrupt"]
    except FAILURES as error:  # too broken to be examined
        return [_fault(error)]


def _sqlite_faults(connection: Connection) -> list[str]:
    found = connection.exec_driver_sql(f"PRAGMA integrity_check({MAX_FAULTS})").scalars().all()
    if found != ["ok"]:  # newer versions examine the full-text index, too, which `index_fault` does
        return [" ".join(fault.split()) for fault in found if INDEX not in fault]
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MAX_FAULTS)
    return [
        f"{table}: row {row} refers to a row of {parent} that is missing"
        for table, row, parent, _ in orphans
    ]


def differing_tables(one: Engine, other: Engine) -> list[str]:
    """The tables, indexes, triggers and views that two SQLite databases do not have alike."""
    with one.connect() as connection, other.connect() as another:
        rows = (set(map(tuple, each.exec_driver_sql(_SCHEMA))) for each in (connection, another))
        return sorted({row[1] for row in next(rows) ^ next(rows)})


def _fault(error: Exception) -> str:
    """What the database says is wrong with it; raises where it only says that the lock is taken."""
    known = translate(error)
    if known is not None and known.description == busy().description:
        raise_translated(error)
    return str(getattr(error, "orig", error))


def index_fault() -> str | None:
    """What is wrong with the full-text index, if it does not find what its table holds.

    Writers wait meanwhile, about a second for 100,000 books: neither engine compares an older state.
    """
    try:
        if db.engine.dialect.name == "sqlite":
            _compare_sqlite_index()
            return None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE)
            stored, found = db.write(_count_mysql_index)
            if stored == found:
                return None
        return f"it finds {found} of {stored} books"
    except FAILURES as error:
        return _fault(error)


def _compare_sqlite_index() -> None:
    """FTS5 compares by an INSERT that inserts nothing, yet needs the write lock; rolled back in any case."""
    with db.engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
        # 1: compare with the table, too, not only within the index
        compare = f"INSERT INTO {INDEX} ({INDEX}, rank) VALUES ('integrity-check', 1)"  # nosec B608 # a constant
        connection.exec_driver_sql(compare)
        connection.rollback()


def _count_mysql_index(connection: Connection) -> tuple[int, int]:
    """How many books have a barrier between their texts, as nearly all do, and how many of them the index finds.
    (InnoDB has no comparison of its own.)"""
    locked(connection)
    count = f"SELECT count(*) FROM {TABLE} WHERE "  # nosec B608 # a constant
    stored = connection.scalar(text(f"{count} words LIKE :words"), {"words": f"% {BARRIER} %"})
    match = text(f"{count} MATCH (words) AGAINST (:word IN BOOLEAN MODE)")
    return stored or 0, connection.scalar(match, {"word": BARRIER}) or 0


def rebuild_index(connection: Connection) -> None:
    """An operation for `db.write`: rebuild the full-text index from its table, or create a missing one."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"INSERT INTO {INDEX} ({INDEX}) VALUES ('rebuild')")  # nosec B608 # a constant
        return
    names = {index["name"] for index in inspect(connection).get_indexes(TABLE)}
    drop = f"DROP INDEX {MYSQL_INDEX}, " if MYSQL_INDEX in names else ""
    # COPY: an index that is added in place to a table which had one before finds nothing (seen on MariaDB 10.11).
    connection.exec_driver_sql(
        f"ALTER TABLE {TABLE} {drop}ADD FULLTEXT INDEX {MYSQL_INDEX} (words), ALGORITHM = COPY"
    )
