"""Whether a database is intact: its file, its foreign keys, its tables."""

from sqlalchemy import Connection, Engine, inspect

from .failures import FAILURES, busy, raise_translated, translate
from .search import INDEX

MAX_FAULTS = 5  # that are reported

# The tables of a SQLite file by their columns, for ALTER TABLE writes other text than CREATE TABLE.
_SCHEMA = """
    SELECT m.type, m.name, c.name, c.type, c."notnull", c.pk, c.hidden,
           CASE WHEN m.type <> 'table' OR m.sql LIKE 'CREATE VIRTUAL%' THEN m.sql END
    FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c ON m.type = 'table'
    WHERE m.name NOT LIKE 'sqlite_stat%' AND m.name <> 'sqlite_sequence'"""


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
        return [fault_of(error)]
    # Newer versions examine the full-text index, too: that is what `search_index.index_fault` does.
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


def fault_of(error: Exception) -> str:
    """What the database says is wrong with it; raises if it only says that it is locked."""
    known = translate(error)
    if known is not None and known.description == busy().description:
        raise_translated(error)
    return str(getattr(error, "orig", error))
