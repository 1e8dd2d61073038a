"""Whole databases, copied: SQLite by its pages, MySQL/MariaDB by the rows of its tables. Nobody waits for a copy."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from flask import current_app
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    StaticPool,
    create_engine,
    event,
    inspect,
    select,
)
from werkzeug.exceptions import Conflict

from .dialects.sqlite import SqliteDialect, begin
from .extension import db
from .failures import FAILURES
from .sqlite import sqlite3

BATCH = 500  # rows in memory at a time
REVISIONS = "alembic_version"
DONE = 101  # SQLITE_DONE, which the module of SQLite does not name


class Unfit(Conflict):
    """A backup cannot be made or put back; why, in words for the operator."""


@contextmanager
def workshop(folder: Path | None) -> Iterator[Engine]:
    """An engine on an empty SQLite file in a new folder, which only its owner enters and which is gone in the end."""
    try:
        room = tempfile.TemporaryDirectory(prefix=".bookapi-", dir=folder)
    except OSError as error:
        raise Unfit(f"{folder}: {error.strerror}") from None
    with room:
        path = Path(room.name) / "backup"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        engine = _engine(path)
        try:
            yield engine
        finally:
            engine.dispose()


def _engine(path: Path) -> Engine:
    """An engine that has one connection, made like the service's own but without a log: the file is all there is."""
    url = URL.create("sqlite", database=str(path))
    connection = SqliteDialect(url, current_app.config["DATABASE_WAIT_SECONDS"]).connect()
    # Not synchronous: `settle` flushes what is kept. A cache of 64 MB, for rows go into a dozen indexes at a time.
    for pragma in ("synchronous = OFF", "journal_mode = DELETE", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    engine = create_engine(
        url,
        module=sqlite3,
        creator=lambda: connection,
        poolclass=StaticPool,
    )
    event.listen(engine, "begin", begin)
    return engine


def settle(unfinished: Path, path: Path) -> None:
    """Give a finished file its name, and be sure that both survive a power cut."""
    _flush(unfinished)
    os.replace(unfinished, path)
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- pages of SQLite ----------------------------------------------------------------------------------------------


def copy_database(copy: Engine) -> None:
    """The service's SQLite database as it is now, into a file of our own."""
    _copy_pages(db.engine, copy)
    _without_log(copy)


def copy_file(path: Path, copy: Engine) -> None:
    """A SQLite file, which is not changed, into one of our own."""
    try:
        with closing(
            sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True)
        ) as source:
            source.backup(_driver(copy), progress=_patience())
        _without_log(copy)
    except FAILURES as error:
        raise Unfit(f"{path}: is not readable as a backup") from error


def replace_database(copy: Engine) -> None:
    """A file of our own in place of all that the service's SQLite database holds: one transaction, which readers that
    are under way do not see."""
    _copy_pages(copy, db.engine)


def _copy_pages(source: Engine, target: Engine) -> None:
    with closing(source.raw_connection()) as pages, closing(target.raw_connection()) as place:
        # In one step: of more, each change by others would make it begin anew, and it would be no one transaction.
        pages.driver_connection.backup(place.driver_connection, progress=_patience())


def _patience() -> Callable[[int, int, int], None]:
    end = time.monotonic() + current_app.config["DATABASE_WAIT_SECONDS"]

    def look(status: int, remaining: int, total: int) -> None:
        if (
            status != DONE and time.monotonic() > end
        ):  # a lock in the way; by itself it would try for ever
            raise Unfit("another change of the database took too long; try again")

    return look


def _without_log(copy: Engine) -> None:
    """Make it one file, whoever opens it: the pages of a database in use say that there is a log beside."""
    _driver(copy).execute("PRAGMA journal_mode = DELETE")


def _driver(engine: Engine):
    with closing(engine.raw_connection()) as connection:
        return connection.driver_connection


# -- rows of MySQL/MariaDB ----------------------------------------------------------------------------------------


def copy_snapshot(copy: Engine) -> None:
    """One state of the service's MySQL/MariaDB into a SQLite file that has the same schema."""
    with (
        db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
        copy.begin() as target,
    ):
        source.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        pour(source, target)


def pour(source: Connection, target: Connection) -> None:
    """All rows of the tables that both databases have, in place of the target's."""
    names = set(inspect(source).get_table_names()) & set(inspect(target).get_table_names()) - {
        REVISIONS
    }
    theirs, ours = MetaData(), MetaData()
    theirs.reflect(source, only=names)
    ours.reflect(target, only=names)
    for table in reversed(ours.sorted_tables):
        target.execute(table.delete())
    for table in ours.sorted_tables:
        columns = [
            theirs.tables[table.name].c[column.name]
            for column in table.c
            if column.computed is None
        ]
        for rows in source.execute(
            select(*columns).execution_options(yield_per=BATCH)
        ).partitions():
            target.execute(table.insert(), [dict(row._mapping) for row in rows])
