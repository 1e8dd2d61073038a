"""Statements that are compiled once and run by the driver: for what most requests read and write.

The result layer of SQLAlchemy costs more than all that SQLite does for a list. So here rows come as
the driver gives them: the columns must be plain ones (text, numbers, `rfc3339`, lists as JSON), and
values are passed as they are.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.sql.elements import ClauseElement

MAX_STATEMENTS = 1024  # that stay compiled


def fetch(
    connection: Connection, statement: ClauseElement, values: Mapping[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """All rows of a statement, for few rows."""
    return list(each(connection, statement, values).fetchall())


def each(
    connection: Connection, statement: ClauseElement, values: Mapping[str, Any] | None = None
) -> Any:
    """The driver's cursor, for the rows of a statement one by one."""
    sql, bind = compiled(statement, connection.dialect)
    cursor = connection.connection.cursor()
    cursor.execute(sql, bind(values or {}))
    return cursor


def run(
    connection: Connection, statement: ClauseElement, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Run a change once for each of these values."""
    if not rows:
        return
    sql, bind = compiled(statement, connection.dialect)
    cursor = connection.connection.cursor()
    if len(rows) == 1:
        cursor.execute(sql, bind(rows[0]))
    else:
        cursor.executemany(sql, [bind(values) for values in rows])


@functools.lru_cache(MAX_STATEMENTS)
def compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, Any]:
    """(SQL, a function that gives the values as the driver takes them: in order, or by name)."""
    made: Any = statement.compile(dialect=dialect)
    names = made.positiontup
    required = {bind.key for bind in made.binds.values() if bind.required}
    defaults = {name: value for name, value in made.params.items() if name not in required}
    if names is None:
        return str(made), lambda values: {**defaults, **values}
    if defaults or len(names) < 2:
        return str(made), lambda values: [
            (values if name in values else defaults)[name] for name in names
        ]
    return str(made), operator.itemgetter(*names)
