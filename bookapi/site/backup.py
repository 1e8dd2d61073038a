"""``bookapi backup`` and ``restore``: the whole database as one SQLite file, whichever engine it
comes from and goes back to.

A backup is one consistent state. A restore first prepares a copy of it (verified, upgraded to this
program's schema, without sessions), then replaces the database in one transaction: whole or not at
all, also beside a running service.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection, Engine, inspect, select, text

from ..cli import command
from ..db import FAILURES, copies, db
from ..db.copies import BackupError, temporary_database
from ..db.dialects.integrity import differing_tables, structure_faults
from ..db.schema import known_revisions, schema_error, schema_revision, upgrade_schema
from . import derived

FILE = click.argument("file", type=click.Path(path_type=Path))


@command("backup")
@FILE
@click.option("--force", is_flag=True, help="Replace an older backup.")
def backup(file: Path, force: bool) -> None:
    """Write the whole database to FILE, one SQLite file whichever the engine; the service may run.

    FILE is verified before it gets its name. It holds the accounts, too: protect it like the
    database.
    """
    db.check_file()
    revision = _usable(db.ask(schema_revision), "the database")
    if os.path.lexists(file):
        _refuse_other_files(file)
        if not force:
            raise BackupError(f"{file}: exists already; --force replaces a backup")
        with file.open("rb") as older:
            if older.read(16) not in (b"", b"SQLite format 3\0"):
                raise BackupError(f"{file}: exists already and is no backup")
    try:
        with _in_one_line(f"{file}: no backup was made"), temporary_database(file.parent) as copy:
            copies.copy_database(copy, revision)
            summary = _verify(copy, "the database", "; bookapi check shows more")
            copy.dispose()
            copies.publish(Path(copy.url.database or ""), file)
    except OSError as error:
        error.filename = str(file)  # not the temporary one
        raise
    click.echo(f"{file}: {summary}")


@command("restore")
@FILE
@click.option("--force", is_flag=True, help="Replace the books that the database holds.")
def restore(file: Path, force: bool) -> None:
    """Replace the whole database by the backup FILE, whole or not at all; the service may run.

    Accounts, passwords, roles and second factors are those of the backup: disable again whom you
    disabled since. Everyone has to sign in again. API tokens that were revoked since the backup
    stay revoked, and those that were made since are gone. The numbers of changes, books and
    accounts continue after the higher ones: none is given twice.
    """
    _refuse_other_files(file)
    own = db.dialect.file
    if own is None and (error := schema_error(db.ask(schema_revision))):
        raise BackupError(error)
    folder = own.parent if own and own.parent.is_dir() else None  # where there is room for it
    failed = f"{file}: nothing was restored (a damaged database: move it away, with its -wal file)"
    with _in_one_line(failed), temporary_database(folder) as copy:
        copies.copy_file(file, copy)
        _prepare(copy, str(file))
        summary = _verify(copy, str(file))
        copies.replace_database(copy, lambda old, new: _carry_over(old, new, force))
    click.echo(f"{file} was restored: {summary}")


@contextmanager
def _in_one_line(what: str) -> Iterator[None]:
    """Have failures of either database begin with what did not happen."""
    try:
        yield
    except FAILURES as error:
        raise BackupError(what) from error


def _refuse_other_files(path: Path) -> None:
    """Raise for what is not an ordinary file, and for the database's own files, whatever they are
    called: closing one would drop this process's locks on the database."""
    path.stat()  # OSError where there is nothing
    if not path.is_file():
        raise BackupError(f"{path}: is no ordinary file")
    ends = ("", "-wal", "-shm", "-journal") if db.dialect.file else ()
    own = [Path(f"{db.dialect.file}{end}") for end in ends]
    if any(each.exists() and path.samefile(each) for each in own):
        raise BackupError(f"{path}: belongs to the database itself")


def _usable(revision: str | None, name: str) -> str:
    """A schema revision that this program can read or upgrade."""
    if revision is None or revision not in known_revisions():
        raise BackupError(f"{name}: {schema_error(revision)}")
    return revision


def _prepare(copy: Engine, name: str) -> None:
    """Upgrade a copy of a backup, end its sessions, give it a revision that no cache knows."""
    with copy.connect() as connection:
        _usable(schema_revision(connection), name)
    upgrade_schema(copy)
    with temporary_database(None) as fresh:
        upgrade_schema(fresh)
        if names := differing_tables(fresh, copy):
            raise BackupError(f"{name} does not have the tables of its schema: {', '.join(names)}")
    with copy.begin() as connection:
        connection.execute(text("DELETE FROM sessions"))
        new = {"revision": secrets.randbits(62)}
        connection.execute(text("UPDATE catalogue SET revision = :revision"), new)


def _verify(copy: Engine, name: str, hint: str = "") -> str:
    """A summary of a copy's contents; raises where it is damaged or contradicts itself."""
    with copy.connect() as connection:
        if broken := structure_faults(connection):
            raise BackupError(f"{name} is damaged: {broken[0]}")
        for subject, fault, _ in derived.faults(connection):
            if fault:
                raise BackupError(f"{name} is damaged: {subject}: {fault}{hint}")
        row = connection.execute(text("SELECT total, seq FROM catalogue")).one()
        return f"{row.total} books, seq {row.seq}, schema {schema_revision(connection)}"


def _carry_over(old: Connection, new: Connection, force: bool) -> None:
    """Keep what a restore must not take back: which numbers were given to changes, books and
    accounts, and which tokens were revoked. A catalogue that was never changed has revoked none."""
    if not inspect(old).has_table("catalogue"):
        return
    # Locked until the commit: nobody else changes what is replaced.
    every = select(text("*")).select_from(text("catalogue")).with_for_update()
    row: Any = old.execute(every).mappings().first() or {}
    books = old.scalar(text("SELECT count(*) FROM books"))
    if books and not force:
        raise BackupError(
            f"the database holds {books} books, trash included; --force replaces them"
        )
    for name in ("seq", "last_id", "last_user_id"):
        if derived.is_counter(row.get(name)):
            query = f"UPDATE catalogue SET {name} = :given WHERE {name} < :given"  # noqa: S608
            new.execute(text(query), {"given": row[name]})
    if row.get("seq"):
        held = set(old.scalars(text("SELECT secret_hash FROM tokens")))
        for secret in set(new.scalars(text("SELECT secret_hash FROM tokens"))) - held:
            new.execute(text("DELETE FROM tokens WHERE secret_hash = :secret"), {"secret": secret})
