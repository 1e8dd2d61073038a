"""The database as the application has it: one way to read and one way to write."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, current_app, has_request_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.exc import StaleDataError

from . import engines
from .failures import raise_translated, unavailable, worth_another_try
from .reading import FAILURES, Pooled, Reading, SqliteReaders
from .turns import Turns
from .writing import Work

READERS = "bookapi.readers"  # in the application's extensions: the connections that `read` reads by
TURNS = "bookapi.turns"  # and how writers take turns
ATTEMPTS = 5  # of a unit that lost a deadlock or its connection


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with one way to read and one way to write."""

    def init_app(self, app: Flask) -> None:
        url = make_url(app.config["DATABASE_URL"])
        wait = app.config["DATABASE_WAIT_SECONDS"]
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        on_sqlite = url.get_backend_name() == "sqlite"
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = (
            engines.sqlite_options(Path(url.database), wait, app.extensions)
            if on_sqlite
            else engines.mysql_options(wait)
        )
        super().init_app(app)
        with app.app_context():
            if on_sqlite:
                event.listen(self.engine, "begin", engines.begin_on_sqlite)
            else:
                event.listen(self.engine, "handle_error", engines.know_galera)
            app.extensions[READERS] = (SqliteReaders if on_sqlite else Pooled)(self.engine)
            app.extensions[TURNS] = Turns(self.engine, wait)

    def read(self, limited: bool = True) -> Reading:
        """A read transaction, for as long as the block of a `with` runs; it gives a `Reader`.

        What a request asks for is given up after QUERY_SECONDS (503), unless it is not `limited`: for what a client
        takes piece by piece. Commands take their time.
        """
        seconds = current_app.config["QUERY_SECONDS"] if limited and has_request_context() else None
        return Reading(current_app.extensions[READERS], seconds)

    def ask(self, question: Callable) -> Any:
        """What ``question(connection)`` returns: for what is about the database itself, not about what it holds."""
        try:
            with self.engine.connect() as connection:
                return question(connection)
        except DBAPIError as error:
            raise_translated(error)

    def write(self, operation: Callable, *args: Any, **kwargs: Any) -> Any:
        """What ``unit(session, …)`` returns, once all it changed is committed; nothing of it if it raises.

        A unit may run more than once (MySQL answers a deadlock so), hence it must not change anything but
        the session. On SQLite it holds the only write lock from its first line (BEGIN IMMEDIATE).
        """
        self.check_file()
        turns = current_app.extensions[TURNS]
        if hasattr(operation, "shares_commit") and self.engine.dialect.name == "sqlite":
            return turns.together(lambda part: operation(part, *args, **kwargs))
        with turns.alone(getattr(operation, "seconds", None)) as left:
            return self._written(left, operation, args, kwargs)

    def keep_threads_for_reading(self, threads: int) -> None:
        """Have changes that wait for a lock take no more than half of a service's threads."""
        current_app.extensions[TURNS].patient = max(1, threads // 2 - 1)

    def _written(self, seconds: float, operation: Callable, args: tuple, kwargs: dict) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            committing = False
            try:
                with Work(self.engine, seconds) as work:
                    result = operation(work, *args, **kwargs)
                    work.flush()
                    committing = True  # lost from here on, nobody knows whether it was stored: not to be run again
                    work.finish()
                return result
            except (*FAILURES, StaleDataError) as error:
                if committing or attempt == ATTEMPTS or not worth_another_try(error):
                    raise_translated(error)

    def check_file(self) -> None:
        """503 when the SQLite file is gone or is not the one that was opened: never write beside the catalogue."""
        if self.engine.dialect.name != "sqlite":
            return
        try:
            identity = engines.identity(self.engine.url.database)
        except OSError:
            if has_request_context():  # a command tells it in its own one line
                current_app.logger.error("the database file is gone: %s", self.engine.url.database)
            raise unavailable() from None
        if current_app.extensions.get(engines.OPENED_FILE, identity) != identity:
            current_app.logger.error(
                "the database file was replaced while serving; restart the service"
            )
            raise unavailable()


db = Database(model_class=Base)
