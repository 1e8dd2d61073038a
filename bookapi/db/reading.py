"""Reading for an answer: statements compiled once, and rows as the driver gives them."""

import time
from collections.abc import Iterator
from typing import Any

import pymysql
from sqlalchemy import Select, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from . import limits
from .failures import raise_translated
from .sqlite import sqlite3

FAILURES = (DBAPIError, sqlite3.Error, pymysql.err.Error)
STREAMED_ROWS = 200  # fetched at a time where there may be many


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

    def __init__(self, engine: Engine, connection, deadline: limits.Deadline | None = None):
        self.engine, self.connection, self.deadline = engine, connection, deadline
        self._cursor = connection.cursor()

    def rows(self, query: Query, **values: Any) -> list[tuple]:
        """All rows of a query that has few."""
        self._cursor.execute(*query.prepare(self.engine, values))
        return self._cursor.fetchall()

    def batches(self, query: Query, **values: Any) -> Iterator[list[tuple]]:
        """The rows of a query that may have many, some at a time: in constant memory. They come as fast as taken:
        for a block that is not limited."""
        mysql_like = self.engine.dialect.name != "sqlite"
        cursor = self.connection.cursor(*([pymysql.cursors.SSCursor] if mysql_like else []))
        try:
            cursor.execute(*query.prepare(self.engine, values))
            while rows := cursor.fetchmany(STREAMED_ROWS):
                yield rows
        finally:
            cursor.close()


class LimitedReader(Reader):
    """A read transaction on a server that may take so many seconds."""

    def __init__(self, engine: Engine, connection, seconds: float):
        super().__init__(engine, connection)
        self._end = time.monotonic() + seconds

    def rows(self, query: Query, **values: Any) -> list[tuple]:
        """All rows of a query that has few, if they are found in time."""
        sql, bound = query.prepare(self.engine, values)
        self._cursor.execute(
            limits.limited(sql, self._end - time.monotonic(), self.engine.dialect), bound
        )
        return self._cursor.fetchall()


class Pooled:
    """Connections of the engine's own pool, which knows how to mend those that a server has dropped."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def take(self, seconds: float | None) -> Reader:
        """A transaction that may take so many seconds; None: any number."""
        connection = self._engine.raw_connection()
        return (
            Reader(self._engine, connection)
            if seconds is None
            else LimitedReader(self._engine, connection, seconds)
        )

    def give(self, reader: Reader, failed: bool) -> None:
        """Take a connection back; its transaction is over."""
        reader.connection.close()  # the pool rolls back


class SqliteReaders:
    """Connections to a file, which nobody drops: a pool that asks no questions is a fifth of a small answer faster."""

    def __init__(self, engine: Engine):
        self._engine, self._idle = engine, []
        event.listen(engine, "engine_disposed", lambda engine: self._close())

    def take(self, seconds: float | None) -> Reader:
        """A transaction that may take so many seconds; None: any number."""
        try:
            connection, deadline = self._idle.pop()
        except IndexError:
            connection, deadline = self._opened()
        deadline.set(seconds)
        connection.execute("BEGIN")
        return Reader(self._engine, connection, deadline)

    def _opened(self) -> tuple[Any, limits.Deadline]:
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        return connection, limits.Deadline(connection)

    def give(self, reader: Reader, failed: bool) -> None:
        """Take a connection back; its transaction is over."""
        if failed:
            reader.connection.close()
        else:
            reader.deadline.set(None)  # the end of the transaction is no more to be interrupted
            reader.connection.rollback()
            self._idle.append((reader.connection, reader.deadline))

    def _close(self) -> None:
        while self._idle:
            self._idle.pop()[0].close()


class Reading:
    """A block that reads. (As a class: a generator would cost three times as much, and every answer has one.)"""

    def __init__(self, readers: Pooled | SqliteReaders, seconds: float | None):
        self._readers, self._seconds, self._reader = readers, seconds, None

    def __enter__(self) -> Reader:
        try:
            self._reader = self._readers.take(self._seconds)
            return self._reader
        except FAILURES as error:
            raise_translated(error)

    def __exit__(self, kind, error, traceback) -> None:
        failed = error if isinstance(error, FAILURES) else None
        try:
            self._readers.give(self._reader, failed is not None)
        except FAILURES as later:
            failed = failed or later
        if failed is not None:
            raise_translated(failed)
