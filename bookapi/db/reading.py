"""Reading for an answer: statements compiled once, and rows as the driver gives them."""
from collections.abc import Iterator
from typing import Any

import pymysql
from sqlalchemy import Select
from sqlalchemy.engine import Engine

STREAMED_ROWS = 200  # fetched at a time while streaming


class Query:
    """A Select compiled once for each dialect and run without SQLAlchemy's result layer, which would cost twice
    what SQLite does. Its columns must be plain ones: text, integers, `rfc3339`, lists still as JSON."""

    def __init__(self, statement: Select):
        self.statement = statement
        self._compiled: dict[str, tuple[str, dict, list | None]] = {}

    def prepare(self, engine: Engine, values: dict[str, Any]) -> tuple[str, list | dict]:
        """The statement as the driver takes it, and its values: in order, or by name where the driver wants that."""
        known = self._compiled.get(engine.dialect.name)
        if known is None:
            made = self.statement.compile(engine)
            known = self._compiled[engine.dialect.name] = (str(made), made.params, made.positiontup)
        sql, defaults, names = known
        if names is None:
            return sql, {**defaults, **values}
        return sql, [values[name] if name in values else defaults[name] for name in names]


class Reader:
    """One read transaction: what it shows is one state of the database."""

    def __init__(self, engine: Engine, connection):
        self.engine, self._connection, self._cursor = engine, connection, None

    def rows(self, query: Query, **values: Any) -> list[tuple]:
        """All rows of a query that has few."""
        if self._cursor is None:
            self._cursor = self._connection.driver_connection.cursor()
        self._cursor.execute(*query.prepare(self.engine, values))
        return self._cursor.fetchall()

    def stream(self, query: Query, **values: Any) -> Iterator[tuple]:
        """The rows of a query that may have many, in constant memory."""
        mysql_like = self.engine.dialect.name != "sqlite"
        cursor = self._connection.cursor(*([pymysql.cursors.SSCursor] if mysql_like else []))
        try:
            cursor.execute(*query.prepare(self.engine, values))
            while rows := cursor.fetchmany(STREAMED_ROWS):
                yield from rows
        finally:
            cursor.close()
