"""Whether a database itself is intact: its structure, its tables, its full-text index; and how that
index is rebuilt."""

import time

from sqlalchemy import Connection, Engine, inspect, text

from ..extension import db
from ..failures import FAILURES, Busy, driver_error, raise_translated, translate
from ..search import BARRIER, INDEX, TABLE

MAX_FAULTS = 5  # that are reported
ATTEMPTS, PAUSE = 3, 0.5  # while InnoDB empties the cache of its index, a search may miss books
MYSQL_INDEX = "ft_book_words_words"

# The tables of a SQLite file by their columns, for ALTER TABLE writes other text than CREATE TABLE.
_SCHEMA = """
    SELECT m.type, m.name, c.name, c.type, c."notnull", c.pk, c.hidden,
           CASE WHEN m.type <> 'table' OR m.sql LIKE 'CREATE VIRTUAL%' THEN m.sql END
    FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c ON m.type = 'table'
    WHERE m.name NOT LIKE 'sqlite_stat%' AND m.name <> 'sqlite_sequence'"""


def _fault_of(error: Exception) -> str:
    """What the database says is wrong with it; raises if it only says that it is locked."""
    if isinstance(translate(error), Busy):
        raise_translated(error)
    return str(driver_error(error))


def structure_faults(connection: Connection) -> list[str]:
    """What is broken in the database itself, in its own words."""
    try:
        if connection.dialect.name != "sqlite":
            tables = ", ".join(f"`{name}`" for name in inspect(connection).get_table_names())
            found = connection.exec_driver_sql(f"CHECK TABLE {tables}").all()
            return [f"{row[0]}: {row[3]}" for row in found if "error" in row or "Corrupt" in row]
        lines = connection.exec_driver_sql(f"PRAGMA integrity_check({MAX_FAULTS})").scalars().all()
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MAX_FAULTS)
    except FAILURES as error:  # too broken to be examined
        return [_fault_of(error)]
    # Newer versions examine the full-text index, too: that is what `index_fault` does.
    return [
        *[" ".join(line.split()) for line in lines if line != "ok" and INDEX not in line],
        *[f"{row[0]}: row {row[1]} refers to a row of {row[2]} that is missing" for row in orphans],
    ]


def differing_tables(one: Engine, other: Engine) -> list[str]:
    """The tables, indexes, triggers and views that two SQLite databases do not have alike."""
    found = []
    for engine in (one, other):
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(_SCHEMA).all()
            found.append({tuple(" ".join(str(value).split()) for value in row) for row in rows})
    return sorted({row[1] for row in found[0] ^ found[1]})


def index_fault() -> str | None:
    """What is wrong with the full-text index, if it does not find what its table holds. No writer
    has to wait meanwhile."""
    if db.dialect.file:
        found: str | None = db.ask(_sqlite_index_fault)
        return found
    try:
        return _mysql_index_fault()
    except FAILURES as error:  # there is no such index
        return _fault_of(error)


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
        return _fault_of(error)
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
