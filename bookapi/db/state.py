"""One number for the state of the catalogue, and how to know it in a few microseconds."""

import threading

import pymysql
from flask import Flask
from sqlalchemy import BigInteger, Integer, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from .extension import db
from .prepared import fetch
from .sqlite import sqlite3
from .types import TABLE_OPTIONS


class Catalogue(db.Model):
    """One row. `seq` is the number of the newest change: it grows with every change of a book, inside the change's own
    transaction, and the row's lock makes its order the order of commits. `revision` names the state that this makes: a
    random number, for `seq` would come again in a catalogue that was put back and went on from there. `last_id` is the
    newest book's id, `last_user_id` the newest account's, `total` the number of books outside the trash."""

    __tablename__ = "catalogue"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(BigInteger)
    last_user_id: Mapped[int] = mapped_column(BigInteger, server_default="0")


def locked(connection: Connection) -> tuple[int, int, int]:
    """(seq, last_id, total) of the catalogue's row, locked until the commit. Its lock puts writers in order on every
    database, and what an operation reads behind it is the newest state."""
    return fetch(connection, _LOCKED)[0]


def revision_of(connection: Connection) -> int:
    """The revision of the catalogue that a read transaction shows."""
    revision: int = fetch(connection, _REVISION)[0][0]
    return revision


_REVISION = select(Catalogue.revision).where(Catalogue.id == 1)
_LOCKED = (
    select(Catalogue.seq, Catalogue.last_id, Catalogue.total)
    .where(Catalogue.id == 1)
    .with_for_update()
)


class State:
    """The newest committed state, read at each call: what an answer is worth is known exactly, across workers.

    Each thread has a connection of its own for it, outside the pool and outside any transaction.
    """

    def __init__(self, app: Flask):
        self._app, self._local = app, threading.local()

    def now(self) -> int | None:
        """The mark of the state that a read begun from here on shows at least; None while it cannot be known."""
        try:
            watch = getattr(self._local, "watch", None)
            if watch is None:
                watch = self._local.watch = self._opened()
            return watch.mark()
        except (DBAPIError, sqlite3.Error, pymysql.err.Error):
            self._local.watch = None
            return None

    def has_version(self, book_id: int, version: int, updated_at: str) -> bool:
        """Whether the book is still as it was; a book in the trash has another version."""
        try:
            return self._local.watch.version(book_id) == (version, updated_at)
        except (DBAPIError, sqlite3.Error, pymysql.err.Error):
            self._local.watch = None
            return False

    def _opened(self) -> "_Watch":
        with self._app.app_context():
            kind = _SqliteWatch if db.dialect.shares_commits else _Watch
            return kind(db.dialect.separate_connection(db.engine))


class _Watch:
    """Asks for the row each time."""

    def __init__(self, connection):
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        self._connection.autocommit(True)
        self._cursor = self._connection.cursor()

    def mark(self) -> int | None:
        self._cursor.execute("SELECT revision FROM catalogue")
        return (self._cursor.fetchone() or [None])[0]

    def version(self, book_id: int) -> tuple[int, str] | None:
        self._cursor.execute(
            "SELECT version, date_format(updated_at, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ') FROM books "
            "WHERE id = %s",
            [book_id],
        )
        return self._cursor.fetchone()

    def __del__(self):
        self._connection.close()


class _SqliteWatch(_Watch):
    """Asks for the row only where something was committed since: PRAGMA data_version tells on a connection that
    never writes, whichever process it was."""

    def _begin(self) -> None:
        self._version, self._mark = None, None

    def mark(self) -> int | None:
        [version] = self._connection.execute("PRAGMA data_version").fetchone()
        if (
            version != self._version
        ):  # read in this order, a commit in between is noticed at the next call
            [self._mark] = self._connection.execute(
                "SELECT revision FROM catalogue"
            ).fetchone() or [None]
            self._version = version
        return self._mark

    def version(self, book_id: int) -> tuple[int, str] | None:
        return self._connection.execute(
            "SELECT version, replace(updated_at, ' ', 'T') || 'Z' FROM books WHERE id = ?",
            [book_id],
        ).fetchone()
