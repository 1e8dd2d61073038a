"""The catalogue's row, whose revision names each state of the catalogue, and how to read it in a
few microseconds."""

import threading
from typing import Any

from flask import Flask
from sqlalchemy import BigInteger, Integer, bindparam, column, select, table
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, mapped_column

from .db import FAILURES, TABLE_OPTIONS, Base, db, fetch, rfc3339
from .db.dialects import Watch


class Catalogue(Base):
    """One row. `seq` is the number of the latest change; the row is locked by each change, so
    changes are committed in the order of `seq`. `revision` is a random number per state: after a
    restore `seq` would repeat. `last_id` and `last_user_id` are the highest ids ever given, `total`
    the number of books outside the trash."""

    __tablename__ = "catalogue"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(BigInteger)
    last_user_id: Mapped[int] = mapped_column(BigInteger, server_default="0")


def lock_catalogue(connection: Connection) -> tuple[int, int, int]:
    """(seq, last_id, total) of the catalogue's row, locked until the commit: what an operation
    reads after this is the latest state."""
    return fetch(connection, _LOCK)[0]


def revision_of(connection: Connection) -> int:
    """The revision of the catalogue that a read transaction shows."""
    revision: int = fetch(connection, _REVISION)[0][0]
    return revision


_REVISION = select(Catalogue.revision).where(Catalogue.id == 1)
_LOCK = (
    select(Catalogue.seq, Catalogue.last_id, Catalogue.total)
    .where(Catalogue.id == 1)
    .with_for_update()
)


_COLUMNS: list[Any] = [column("version"), rfc3339(column("updated_at"))]
_VERSION = (
    select(*_COLUMNS)
    .select_from(table("books"))
    .where(column("id") == bindparam("id", type_=Integer()))
)


class CurrentRevision:
    """The newest committed revision, read at each call: whether a cached response is current is
    known exactly, across workers. Each thread has a connection of its own for it, outside the pool
    and outside any transaction."""

    def __init__(self, app: Flask):
        self._app, self._local = app, threading.local()

    def now(self) -> int | None:
        """The revision that a read which begins now sees, or an older one; None if it cannot be
        read."""
        try:
            watch: Watch | None = getattr(self._local, "watch", None)
            if watch is None:
                with self._app.app_context():
                    watch = self._local.watch = db.dialect.watch(db.engine)
            row = watch.newest(_REVISION)
            return None if row is None else int(row[0])
        except FAILURES:
            self._local.watch = None
            return None

    def has_version(self, book_id: int, version: int, updated_at: str) -> bool:
        """Whether the book still has this version; moving to the trash changes the version. Call
        `now` first."""
        try:
            row = self._local.watch.row(_VERSION, {"id": book_id})
            return row is not None and tuple(row) == (version, updated_at)
        except FAILURES:
            self._local.watch = None
            return False
