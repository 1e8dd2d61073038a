"""Whether a database itself is intact, as its engine tells."""

from sqlalchemy import Connection, inspect

from ..failures import FAILURES
from ..integrity import fault_of
from ..search import INDEX

MAX_FAULTS = 5  # that are reported


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
