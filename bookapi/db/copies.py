"""Copies of whole databases, as SQLite files.

SQLite is copied by its pages, MySQL/MariaDB by the rows of its tables. A copy is made ready in a
temporary file and takes its place in one step: by a rename, or in one transaction.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from flask import current_app
from sqlalchemy import Connection, Engine, inspect, text
from werkzeug.exceptions import Conflict

from .extension import db
from .failures import FAILURES
from .schema import upgrade_schema
from .sqlite import sqlite3

BATCH = 500  # rows in memory at a time
PAGES = 16  # copied in one step; every database of this program has more


class BackupError(Conflict):
    """A backup cannot be made or restored; the description tells the operator why."""


@contextmanager
def temporary_database(folder: Path | None) -> Iterator[Engine]:
    """An engine on an empty SQLite file in a new folder that only its owner may enter; deleted in
    the end."""
    with tempfile.TemporaryDirectory(prefix=".bookapi-", dir=folder) as directory:
        path = Path(directory) / "backup"
        path.touch(mode=0o600)
        engine = sa.create_engine(f"sqlite:///{path}", module=sqlite3, poolclass=sa.StaticPool)
        with engine.connect() as connection:
            # `publish` flushes what is kept. A cache of 64 MB: a row goes into a dozen indexes.
            for pragma in ("synchronous = OFF", "cache_size = -65536"):
                connection.exec_driver_sql(f"PRAGMA {pragma}")
        try:
            yield engine
        finally:
            engine.dispose()


def publish(unfinished: Path, path: Path) -> None:
    """Rename a finished file; file and name survive a power cut."""
    with unfinished.open("rb") as file:
        os.fsync(file)
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def copy_database(copy: Engine, revision: str) -> None:
    """Copy one state of the application's database, whose schema has this revision, into an empty
    one. Nobody waits for it."""
    if db.dialect.file:
        with closing(db.engine.raw_connection()) as source:
            _driver(source).execute("VACUUM INTO ?", [copy.url.database])
        return
    upgrade_schema(copy, revision)
    with db.engine.connect() as source, copy.begin() as target:
        source.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        copy_rows(source, target)


def copy_file(path: Path, copy: Engine) -> None:
    """Copy a SQLite file, which is not changed, into an empty database."""
    try:
        address = f"file:{quote(os.fsencode(path))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as source:
            # Of the file: its copy has new indexes, which hide that one is damaged.
            [fault] = source.execute("PRAGMA integrity_check(1)").fetchone()
            source.execute("VACUUM INTO ?", [copy.url.database])
    except FAILURES as error:
        raise BackupError(f"{path}: is not readable as a backup") from error
    if fault != "ok":
        raise BackupError(f"{path} is damaged: {fault}")


def replace_database(copy: Engine, prepare: Callable[[Connection, Connection], None]) -> None:
    """Put a copy in the place of all that the application's database holds, in one transaction.

    ``prepare(old, new)`` runs in it first, with connections to both (on a server it has to lock out
    other writers). It may change the new one, and prevents the replacement by raising.
    """
    path = db.dialect.file
    if path is None:
        db.write(_replace_rows, copy, prepare, alone=True)
        return
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        db.dialect.create_file()
    _copy_pages(copy, prepare)


def _replace_rows(
    connection: Connection, copy: Engine, prepare: Callable[[Connection, Connection], None]
) -> None:
    with copy.begin() as source:
        prepare(connection, source)
        copy_rows(source, connection)


def _copy_pages(copy: Engine, prepare: Callable[[Connection, Connection], None]) -> None:
    """Copy a file into the application's in one transaction. `prepare` runs once that has the write
    lock, and may change the copy by its own connection: such changes are copied, too
    (sqlite.org/c3ref/backup_finish.html)."""
    end = time.monotonic() + current_app.config["DATABASE_WAIT_SECONDS"]
    unprepared = [prepare]

    def progress(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() > end:
                raise BackupError("another change of the database took too long; try again")
        elif unprepared:
            with db.engine.connect() as old, copy.begin() as new:
                unprepared.pop()(old, new)
                _continue_ids(old, new)

    with closing(copy.raw_connection()) as source, closing(db.engine.raw_connection()) as target:
        _driver(source).backup(_driver(target), pages=PAGES, progress=progress, sleep=0.05)


def _driver(connection: sa.PoolProxiedConnection) -> Any:
    """The connection of Python's sqlite3, whose features SQLAlchemy does not know."""
    return connection.driver_connection


def _continue_ids(old: Connection, new: Connection) -> None:
    """Have AUTOINCREMENT continue after the ids that either database has given."""
    if inspect(old).has_table("sqlite_sequence"):
        query = text("SELECT name, seq FROM sqlite_sequence")
        given = [Counter(dict(map(tuple, each.execute(query)))) for each in (old, new)]
        new.execute(text("DELETE FROM sqlite_sequence"))
        for row in (given[0] | given[1]).items():
            new.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", row)


def copy_rows(source: Connection, target: Connection) -> None:
    """Replace the rows of all tables that both databases have, whatever the engine of either."""
    names = set(inspect(source).get_table_names()) & set(inspect(target).get_table_names())
    names.discard("alembic_version")
    theirs, ours = sa.MetaData(), sa.MetaData()
    theirs.reflect(source, only=sorted(names))
    ours.reflect(target, only=sorted(names))
    for table in reversed(ours.sorted_tables):
        target.execute(table.delete())
    for table in ours.sorted_tables:
        stored = [column.name for column in table.c if column.computed is None]
        query = sa.select(*[theirs.tables[table.name].c[name] for name in stored])
        for rows in source.execute(query.execution_options(yield_per=BATCH)).partitions():
            target.execute(table.insert(), [dict(row._mapping) for row in rows])
