"""Writing by statements that are compiled once, inside a unit of `db.write`."""
from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from .reading import Query


class Writer:
    """The connection of a unit, for statements with plain values: what the ORM would make of them costs five times as
    much as the database takes."""

    def __init__(self, session: Session):
        self._connection = session.connection()
        self.engine = self._connection.engine

    def rows(self, query: Query, **values: Any) -> list[tuple]:
        """All rows of a query that has few."""
        sql, prepared = query.prepare(self.engine, values)
        return self._connection.exec_driver_sql(sql, _as_driver_wants(prepared)).all()

    def run(self, query: Query, every: Iterable[dict[str, Any]]) -> None:
        """Run a change once for each of these values."""
        prepared = [query.prepare(self.engine, values) for values in every]
        if prepared:
            self._connection.exec_driver_sql(prepared[0][0], [_as_driver_wants(values) for _, values in prepared])


def _as_driver_wants(values: list | dict) -> tuple | dict:
    return tuple(values) if isinstance(values, list) else values
