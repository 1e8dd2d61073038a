"""Writing: the transaction of a unit of `db.write`, for the ORM and for statements that are compiled once."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from .failures import is_lost
from .reading import FAILURES, Query


def begun(engine: Engine, seconds: float) -> PoolProxiedConnection:
    """A connection in a transaction that may change things; on SQLite it waits so long for the lock of another process.

    A plain BEGIN that reads and then writes either loses updates or fails at once as locked.
    """
    pooled = engine.raw_connection()
    if engine.dialect.name == "sqlite":  # MySQL begins by itself
        try:
            pooled.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
            pooled.execute("BEGIN IMMEDIATE")
        except FAILURES:
            pooled.close()
            raise
    return pooled


class Work(Session):
    """The session of a unit, its transaction begun by hand: what SQLAlchemy makes of beginning, of each statement and
    of the commit costs more than the database takes, and is done only where a unit uses the ORM."""

    def __init__(self, engine: Engine, seconds: float):
        super().__init__(expire_on_commit=False, autoflush=False)
        self.engine, self._connection = engine, None
        self.pooled = begun(engine, seconds)

    def get_bind(self, *args, **kwargs) -> Connection:
        """The connection that the transaction was begun on."""
        if self._connection is None:
            self._connection = Connection(self.engine, self.pooled)
        return self._connection

    def finish(self) -> None:
        """Commit."""
        if self._connection is None:
            self.pooled.commit()
        else:
            self.commit()

    def __exit__(self, kind, error, traceback) -> None:
        if is_lost(error) and self.pooled.is_valid:
            self.pooled.invalidate(error)
        self.close()

    def close(self) -> None:
        """End the transaction, if it was not committed by taking it all back, and give the connection back."""
        with suppress(*FAILURES):  # a connection that was lost
            super().close()
        self.pooled.close()


class Writer:
    """The transaction of a unit, for statements with plain values."""

    def __init__(self, session: Work):
        self.engine, self._cursor = session.engine, session.pooled.cursor()

    def rows(self, query: Query, **values: Any) -> list[tuple]:
        """All rows of a query that has few."""
        self._cursor.execute(*query.prepare(self.engine, values))
        return self._cursor.fetchall()

    def run(self, query: Query, every: Iterable[dict[str, Any]]) -> None:
        """Run a change once for each of these values."""
        prepared = [query.prepare(self.engine, values) for values in every]
        if len(prepared) == 1:
            self._cursor.execute(*prepared[0])
        elif prepared:
            self._cursor.executemany(prepared[0][0], [values for _, values in prepared])
