"""The full-text index: whether it finds what its table holds, and how it is rebuilt."""

import time
from collections.abc import Callable

from sqlalchemy import Connection, inspect, text

from ..extension import db
from ..failures import FAILURES
from ..integrity import fault_of
from ..search import BARRIER, INDEX, TABLE

ATTEMPTS, PAUSE = 3, 0.5  # while InnoDB empties the cache of its index, a search may miss books
MYSQL_INDEX = "ft_book_words_words"


def index_fault(lock: Callable[[Connection], object]) -> str | None:
    """What is wrong with the full-text index, if it does not find what its table holds.

    `lock` keeps other writers waiting meanwhile, about a second for 100,000 books: no engine
    compares an older state.
    """
    try:
        if db.engine.dialect.name != "sqlite":
            return _mysql_index_fault(lock)
        with db.engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
            # FTS5 compares by an INSERT that inserts nothing; 1: with the table, too.
            columns = f"{INDEX} ({INDEX}, rank)"
            compare = f"INSERT INTO {columns} VALUES ('integrity-check', 1)"  # noqa: S608
            connection.exec_driver_sql(compare)
            connection.rollback()
    except FAILURES as error:
        return fault_of(error)
    return None


def _mysql_index_fault(lock: Callable[[Connection], object]) -> str | None:
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE if attempt else 0)
        stored, found = db.write(_count_mysql_index, lock)
        if stored == found:
            return None
    return f"it finds {found} of {stored} books"


def _count_mysql_index(
    connection: Connection, lock: Callable[[Connection], object]
) -> tuple[int, ...]:
    """How many books have a barrier between their texts, as nearly all do, and how many of them the
    index finds. (InnoDB has no comparison of its own.)"""
    lock(connection)
    matching = ("words LIKE :words", "MATCH (words) AGAINST (:word IN BOOLEAN MODE)")
    values = {"words": f"% {BARRIER} %", "word": BARRIER}
    count = f"SELECT count(*) FROM {TABLE} WHERE "  # noqa: S608
    queries = [text(count + match) for match in matching]
    return tuple(connection.scalar(query, values) or 0 for query in queries)


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
