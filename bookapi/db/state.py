"""One number for the state of the catalogue, and how to know it in a few microseconds."""
import sqlite3
import threading

import pymysql
from flask import Flask
from sqlalchemy import BigInteger, Integer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from .extension import db
from .types import TABLE_OPTIONS


class Catalogue(db.Model):
    """One row. `seq` is the state of the catalogue: it grows with every change of a book, inside the change's own
    transaction, and the row's lock makes its order the order of commits. `last_id` is the newest book's id, `total`
    the number of books outside the trash."""
    __tablename__ = "catalogue"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)


class State:
    """The newest committed `seq`, read at each call: what an answer is worth is known exactly, across workers.

    Each thread has a connection of its own for it, outside the pool and outside any transaction.
    """

    def __init__(self, app: Flask):
        self._app, self._local = app, threading.local()

    def seq(self) -> int | None:
        """The state that a read begun from here on shows at least; None while the database cannot be asked."""
        try:
            watch = getattr(self._local, "watch", None)
            if watch is None:
                watch = self._local.watch = self._opened()
            return watch.seq()
        except (DBAPIError, sqlite3.Error, pymysql.err.Error):
            self._local.watch = None
            return None

    def has_version(self, book_id: int, version: int) -> bool:
        """Whether the book still has this version; a book in the trash has another one."""
        try:
            return self._local.watch.version(book_id) == version
        except (DBAPIError, sqlite3.Error, pymysql.err.Error):
            self._local.watch = None
            return False

    def _opened(self) -> "_Watch":
        with self._app.app_context():
            kind = _SqliteWatch if db.engine.dialect.name == "sqlite" else _Watch
            pooled = db.engine.raw_connection()
            connection = pooled.driver_connection
            pooled.detach()
            return kind(connection)


class _Watch:
    """Asks for the row each time."""

    def __init__(self, connection):
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        self._connection.autocommit(True)
        self._cursor = self._connection.cursor()

    def seq(self) -> int:
        self._cursor.execute("SELECT seq FROM catalogue")
        return self._cursor.fetchone()[0]

    def version(self, book_id: int) -> int | None:
        self._cursor.execute("SELECT version FROM books WHERE id = %s", [book_id])
        return (self._cursor.fetchone() or [None])[0]

    def __del__(self):
        self._connection.close()


class _SqliteWatch(_Watch):
    """Asks for the row only where something was committed since: PRAGMA data_version tells on a connection that
    never writes, whichever process it was."""

    def _begin(self) -> None:
        self._version, self._seq = None, 0

    def seq(self) -> int:
        [version] = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:  # read in this order, a commit in between is noticed at the next call
            [self._seq] = self._connection.execute("SELECT seq FROM catalogue").fetchone()
            self._version = version
        return self._seq

    def version(self, book_id: int) -> int | None:
        found = self._connection.execute("SELECT version FROM books WHERE id = ?", [book_id]).fetchone()
        return found and found[0]
