"""The full-text index: whether it finds what its table holds, and how it is rebuilt."""

import time

from sqlalchemy import Connection, inspect, text

from ..extension import db
from ..failures import FAILURES
from ..integrity import fault_of
from ..search import BARRIER, INDEX, TABLE

ATTEMPTS, PAUSE = 3, 0.5  # while InnoDB empties the cache of its index, a search may miss books
MYSQL_INDEX = "ft_book_words_words"


def index_fault() -> str | None:
    """What is wrong with the full-text index, if it does not find what its table holds. No writer
    has to wait meanwhile."""
    if db.dialect.file:
        with db.read(limited=False) as connection:
            return _sqlite_index_fault(connection)
    try:
        return _mysql_index_fault()
    except FAILURES as error:  # there is no such index
        return fault_of(error)


def _sqlite_index_fault(connection: Connection) -> str | None:
    """FTS5 compares by an INSERT that inserts nothing, but locks the database: so a copy of the
    index, in memory, is compared with the table of this state."""
    run = connection.exec_driver_sql
    try:
        created = run("SELECT sql FROM sqlite_schema WHERE name = ?", (INDEX,)).scalar() or ""
        run(f"CREATE TEMP VIEW {TABLE} AS SELECT * FROM main.{TABLE}")  # noqa: S608
        run(created.replace("CREATE VIRTUAL TABLE ", "CREATE VIRTUAL TABLE temp.", 1))
        for part in ("data", "idx", "config"):
            run(f"DELETE FROM temp.{INDEX}_{part}")  # noqa: S608
            run(f"INSERT INTO temp.{INDEX}_{part} SELECT * FROM main.{INDEX}_{part}")  # noqa: S608
        # 1: with the table, too. What was created here ends with the transaction.
        run(f"INSERT INTO temp.{INDEX} ({INDEX}, rank) VALUES ('integrity-check', 1)")  # noqa: S608
    except FAILURES as error:
        return fault_of(error)
    return None


def _mysql_index_fault() -> str | None:
    """InnoDB has no comparison of its own: nearly all books have a barrier between their texts. A
    book that is changed while the index is read differs in one look, but not in all."""
    query = text(
        f"SELECT book_id FROM {TABLE} "  # noqa: S608
        "WHERE (words LIKE :words) <> (MATCH (words) AGAINST (:word IN BOOLEAN MODE) > 0)"
    )
    values = {"words": f"% {BARRIER} %", "word": BARRIER}
    wrong: set[int] | None = None
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE if attempt else 0)
        found = set(db.ask(lambda connection: connection.scalars(query, values).all()))
        wrong = found if wrong is None else wrong & found
        if not wrong:
            return None
    return f"it finds other books than its table holds: {len(wrong or ())} differ"


def rebuild_index(connection: Connection) -> None:
    """An operation of `db.write`: rebuild the full-text index from its table, or create it."""
    if connection.dialect.name == "sqlite":
        rebuild = f"INSERT INTO {INDEX} ({INDEX}) VALUES ('rebuild')"  # noqa: S608
        connection.exec_driver_sql(rebuild)
        return
    names = {index["name"] for index in inspect(connection).get_indexes(TABLE)}
    drop = f"DROP INDEX {MYSQL_INDEX}, " if MYSQL_INDEX in names else ""
    # COPY: an index added in place to a table that had one before finds nothing (MariaDB 10.11).
    add = f"ADD FULLTEXT INDEX {MYSQL_INDEX} (words), ALGORITHM = COPY"
    connection.exec_driver_sql(f"ALTER TABLE {TABLE} {drop}{add}")
