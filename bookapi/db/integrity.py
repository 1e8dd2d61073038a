"""Whether a database is intact: its file, its foreign keys, its tables."""

from sqlalchemy import Engine

from .failures import busy, raise_translated, translate

# The tables of a SQLite file by their columns, for ALTER TABLE writes other text than CREATE TABLE.
_SCHEMA = """
    SELECT m.type, m.name, c.name, c.type, c."notnull", c.pk, c.hidden,
           CASE WHEN m.type <> 'table' OR m.sql LIKE 'CREATE VIRTUAL%' THEN m.sql END
    FROM sqlite_master m LEFT JOIN pragma_table_xinfo(m.name) c ON m.type = 'table'
    WHERE m.name NOT LIKE 'sqlite_stat%' AND m.name <> 'sqlite_sequence'"""


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
