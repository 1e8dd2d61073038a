"""The Flask extension: `db.read` and `db.write`."""

import functools
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, NamedTuple

from flask import Flask, current_app, has_request_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, Table
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.orm import DeclarativeBase

from .dialects import Dialect, dialect_of
from .failures import FAILURES, Busy, Lost, raise_translated
from .queue import ON_COMMIT, WriteQueue

EXTENSION = "bookapi.database"
OUTAGE_SECONDS = 4.0  # how long reads that lose their connection are tried again
CALM_SECONDS = 10.0  # without a lost connection, after which the next one begins another outage
PAUSE_SECONDS = 0.2  # before another try


class Base(DeclarativeBase):
    __table__: ClassVar[Table]  # never another FromClause here
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class Outage:
    """The time in which connections to the database get lost, one after the other."""

    def __init__(self) -> None:
        self._began, self._last = 0.0, -CALM_SECONDS

    def is_short(self) -> bool:
        """To be called where a connection was lost: whether to try again."""
        now = time.monotonic()
        if now - self._last > CALM_SECONDS:
            self._began = now
        self._last = now
        return now - self._began < OUTAGE_SECONDS


class _Handle(NamedTuple):
    """The database of one application."""

    engine: Engine
    dialect: Dialect
    queue: WriteQueue
    outage: Outage


class Reading:
    """The block of `db.read`. (A class: a generator-based context manager costs three times as
    much.)"""

    def __init__(self, engine: Engine, dialect: Dialect, seconds: float | None):
        self._engine, self._dialect, self._seconds = engine, dialect, seconds

    def __enter__(self) -> Connection:
        try:
            self._connection = self._dialect.begin_read(self._engine, self._seconds)
            return self._connection
        except FAILURES as error:
            raise_translated(error, self._dialect.access_fault())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        failed = error if isinstance(error, FAILURES) else None
        try:
            if failed is not None:
                self._connection.invalidate(failed)
            self._dialect.end(self._connection)
        except FAILURES as later:
            failed = failed or later
        if failed is not None:
            raise_translated(failed, self._dialect.access_fault())


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with one way to read and one way to write."""

    def init_app(self, app: Flask) -> None:
        """Give the application its engine and its write queue; nothing is connected yet."""
        url = make_url(app.config["DATABASE_URL"])
        wait = app.config["DATABASE_WAIT_SECONDS"]
        dialect = dialect_of(url, wait)
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = dialect.engine_options()
        super().init_app(app)
        with app.app_context():
            engine = self.engine
        dialect.listen(engine)
        app.extensions[EXTENSION] = _Handle(
            engine, dialect, WriteQueue(engine, dialect, wait), Outage()
        )

    @property
    def _handle(self) -> _Handle:
        handle: _Handle = current_app.extensions[EXTENSION]
        return handle

    @property
    def dialect(self) -> Dialect:
        """The dialect of the application's database."""
        return self._handle.dialect

    def read(self, limited: bool = True) -> Reading:
        """A `with` block that is given a Connection in one read transaction: all it reads is one
        state.

        In a request it is given up after QUERY_SECONDS (503), unless it is not `limited`: for what
        a client takes piece by piece. Commands are not limited.
        """
        seconds = current_app.config["QUERY_SECONDS"] if limited and has_request_context() else None
        handle: _Handle = current_app.extensions[EXTENSION]
        return Reading(handle.engine, handle.dialect, seconds)

    def ask(self, question: Callable[..., Any], *args: Any) -> Any:
        """What ``question(connection, *args)`` returns, without a limit."""
        with self.read(limited=False) as connection:
            return question(connection, *args)

    def retry(self, function: Callable[[], Any]) -> Any:
        """What a function that changes nothing returns. It is called again where the connection to
        the database was lost, but not for long, lest all threads wait."""
        while True:
            try:
                return function()
            except Lost:
                if not self._handle.outage.is_short():
                    raise
            time.sleep(PAUSE_SECONDS)

    def write(
        self,
        operation: Callable[..., Any],
        *args: Any,
        wait: float | None = None,
        alone: bool = False,
        **kwargs: Any,
    ) -> Any:
        """What ``operation(connection, *args, **kwargs)`` returns, once all it changed is
        committed; nothing of it is if it raises.

        An operation may run more than once (MySQL answers a deadlock so): it must change nothing
        but the connection. `wait`: seconds until it is given up (503), at most
        DATABASE_WAIT_SECONDS; `alone`: it takes long, so it shares no commit with others.
        """
        function = functools.partial(_call, operation, args, kwargs)
        return self._handle.queue.write(function, wait, alone)

    def on_commit(self, connection: Connection, function: Callable[..., Any], *args: Any) -> None:
        """Call ``function(*args)`` after the operation of this connection was committed."""
        connection.info[ON_COMMIT].append(functools.partial(function, *args))

    def close(self) -> None:
        """Close all connections. Where this was the last process, SQLite copies its log (`-wal`)
        into the file, which then holds everything. Not while a change is in progress: its locks
        would be lost (`FileGuard.forget`)."""
        self._handle.queue.if_idle(self.engine.dispose)

    def load(self) -> tuple[int, int]:
        """(open connections, changes that wait for their turn) of this process."""
        pool: Any = self.engine.pool
        return pool.checkedin() + pool.checkedout(), len(self._handle.queue)

    def keep_threads_for_reading(self, threads: int) -> None:
        """Let waiting changes hold at most half of the server's threads."""
        self._handle.queue.max_waiting = max(1, threads // 2 - 1)

    def limit_silence(self) -> None:
        """From here on, 503 where the database server hangs, or where a connection is silent for
        longer than any query may take: then its machine is gone, and nothing else ends the
        connection."""
        self.dialect.limit_silence(self.engine, current_app.config["QUERY_SECONDS"] + 1)

    def check_file(self) -> None:
        """503 where the SQLite file is not the one that was opened any more."""
        try:
            self.dialect.check_file()
        except FAILURES as error:
            raise_translated(error)

    def check_writable(self) -> None:
        """503 where no change is possible: the database is read-only, this process may not write to
        it, or has no thread that writes."""
        with suppress(Busy):
            self.ask(self.dialect.check_writable)
            self._handle.queue.check()


def _call(
    operation: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    connection: Connection,
) -> Any:
    return operation(connection, *args, **kwargs)


db = Database(model_class=Base)
