"""Backups: the whole database as one SQLite file, whichever database it comes from and goes back to.

A backup is one snapshot: all that was acknowledged up to a moment, and nothing of what came later. What is put back is
made ready in a copy first (verified, brought to this program's schema, without sessions), so that it goes in whole, as
one change of the database, or not at all: a service that runs never sees an older schema, or a session of the past.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from flask import current_app
from sqlalchemy import Connection, Engine, inspect, text

from . import copies, integrity
from .copies import Unfit
from .extension import db
from .failures import FAILURES
from .schema import (
    MIGRATIONS,
    create_file,
    known_revisions,
    revision_of,
    schema_error,
    schema_revisions,
)
from .state import locked

OURS = "the database"
SQLITE = b"SQLite format 3\0"  # how each of its files begins


class Summary(NamedTuple):
    """What a backup holds."""

    books: int
    seq: int
    schema: str

    def __str__(self) -> str:
        return f"{self.books} books, seq {self.seq}, schema {self.schema}"


def make(path: Path, force: bool = False) -> Summary:
    """Write a verified backup to a file that is there whole or not at all; `force`: even if there is one already."""
    db.check_file()
    revision = _known(schema_revisions()[0], OURS, "; run: bookapi init")
    _refuse_place(path, force)
    with _in_words(f"{path}: no backup was made"), copies.workshop(path.parent) as copy:
        if _on_sqlite():
            copies.copy_database(copy)
        else:
            _upgrade(copy, revision)
            copies.copy_snapshot(copy)
        summary = _verified(copy, OURS, "; bookapi check tells more")
        copy.dispose()
        copies.settle(Path(copy.url.database), path)
    return summary


def put_back(path: Path, force: bool = False) -> Summary:
    """Put a backup in the place of all that the database holds, as one change; `force`: even if that is books.

    A running service shows the new state from its next read on. All sessions are over."""
    _refuse_source(path)
    with _in_words(f"{path}: nothing was put back"), copies.workshop(_folder_of_database()) as copy:
        copies.copy_file(path, copy)
        _make_ready(copy, str(path))
        _refuse_strange(copy, str(path))
        summary = _verified(copy, str(path))
        (_into_sqlite if _on_sqlite() else _into_server)(copy, force)
    return summary


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """Failures of either database as one line that begins with what did not happen."""
    try:
        yield
    except FAILURES as error:
        raise Unfit(what) from error


def _on_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


# -- places -------------------------------------------------------------------------------------------------------


def _refuse_place(path: Path, force: bool) -> None:
    """Raises Unfit where a backup must not be written."""
    if not path.parent.is_dir():
        raise Unfit(f"{path.parent}: there is no such folder")
    _refuse_own(path)
    if os.path.lexists(path):
        if not path.is_file():
            raise Unfit(f"{path}: is no ordinary file")
        if not force:
            raise Unfit(f"{path}: is there already; --force replaces a backup")
        if path.stat().st_size and not _is_sqlite(path):
            raise Unfit(f"{path}: is there already, and is no backup")


def _is_sqlite(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _refuse_source(path: Path) -> None:
    """Raises Unfit or OSError where there is no file to be read."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise Unfit(f"{path}: is no ordinary file")
    _refuse_own(
        path
    )  # before it is opened: closing it would drop this process's locks on the database
    with open(path, "rb"):
        pass


def _refuse_own(path: Path) -> None:
    """Raises Unfit for the files of the database in use, whatever they are called."""
    for ending in ("", "-wal", "-shm", "-journal") if _on_sqlite() else ():
        file = Path(db.engine.url.database + ending)
        if (
            path.resolve() == file.resolve()
            or path.exists()
            and file.exists()
            and path.samefile(file)
        ):
            raise Unfit(f"{path}: belongs to the database itself")


def _folder_of_database() -> Path | None:
    """Where there is room for as much as the database may hold; None: wherever temporary files go."""
    folder = Path(db.engine.url.database).parent if _on_sqlite() else None
    return folder if folder and folder.is_dir() else None


# -- putting back -------------------------------------------------------------------------------------------------


def _make_ready(copy: Engine, name: str) -> None:
    """Bring a copy of a backup to the schema of this program, with no session open and a state that no answer knows."""
    with copy.connect() as connection:
        _refuse_broken(connection, name)
        found = _known(revision_of(connection), name)
    if found != known_revisions()[-1]:
        _upgrade(copy, "head")
    with copy.begin() as connection:
        connection.execute(
            text("DELETE FROM sessions")
        )  # of those that ended since, none must come alive again
        connection.execute(
            text("UPDATE catalogue SET revision = :revision"), {"revision": secrets.randbits(62)}
        )


def _refuse_strange(copy: Engine, name: str) -> None:
    """Raises Unfit for a copy whose tables are not those that the migrations create."""
    with copies.workshop(None) as fresh:
        _upgrade(fresh, "head")
        strange = sorted({found[1] for found in _structure(fresh) ^ _structure(copy)})
    if strange:
        raise Unfit(
            f"{name} has not the tables of its schema: {', '.join(strange[: integrity.SHOWN])}"
        )


# What a SQLite file is made of, as rows; the text of CREATE TABLE is no part of it, for ALTER TABLE writes another one.
_STRUCTURE = """
    SELECT 'column' AS kind, t.name, c.name, c.type, c."notnull", c.pk, c.hidden
      FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'
    UNION ALL SELECT 'index', t.name, i.name, i."unique", c.seqno, c.name, ''
      FROM sqlite_master t, pragma_index_list(t.name) i, pragma_index_info(i.name) c WHERE t.type = 'table'
    UNION ALL SELECT 'foreign key', t.name, f."from", f."table", f."to", f.on_delete, ''
      FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
    UNION ALL SELECT type, name, sql, '', '', '', ''
      FROM sqlite_master WHERE type IN ('trigger', 'view') OR sql LIKE '%VIRTUAL TABLE%'"""


def _structure(engine: Engine) -> set[tuple]:
    with engine.connect() as connection:
        return {tuple(row) for row in connection.exec_driver_sql(_STRUCTURE)}


def _into_sqlite(copy: Engine, force: bool) -> None:
    path = Path(db.engine.url.database)
    if path.exists():
        _refuse_loss(_books_of_database(), force)
        _go_on_from(copy, *_numbers_of_database())
        with db.engine.connect() as replaced:
            _drop_revoked(copy, replaced)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_file()
    copies.replace_database(copy)


def _books_of_database() -> int:
    try:
        with db.engine.connect() as connection:
            return _books(connection)
    except FAILURES as error:
        raise Unfit(
            f"{db.engine.url.database}: is spoilt; move it away, with the files beside it that begin with its "
            "name, and restore again"
        ) from error


def _numbers_of_database() -> tuple[int, int]:
    """The numbers of the newest change and of the newest book; 0 where they are no numbers."""
    with db.engine.connect() as connection:
        row = (
            connection.execute(text("SELECT seq, last_id FROM catalogue")).one_or_none()
            if inspect(connection).has_table("catalogue")
            else None
        )
    return tuple(number if integrity.is_number(number) else 0 for number in row or (0, 0))


def _go_on_from(copy: Engine, seq: int, last_id: int) -> None:
    """Have changes and books after the restore be numbered behind those that it takes back: none comes again."""
    with copy.begin() as connection:
        for column, number in (("seq", seq), ("last_id", last_id)):
            # The two names stand above.
            connection.execute(
                text(f"UPDATE catalogue SET {column} = :number WHERE {column} < :number"),  # nosec B608
                {"number": number},
            )


def _drop_revoked(copy: Engine, replaced: Connection) -> None:
    """Keep of a backup's tokens those that hold still in the catalogue which it replaces: none that was revoked since
    comes alive again. Where there are no books, there is nothing that was revoked from: all come back."""
    if not _books(replaced) or not inspect(replaced).has_table("tokens"):
        return
    held = set(replaced.scalars(text("SELECT secret_hash FROM tokens")))
    with copy.begin() as connection:
        for known in connection.scalars(text("SELECT secret_hash FROM tokens")).all():
            if known not in held:
                connection.execute(
                    text("DELETE FROM tokens WHERE secret_hash = :known"), {"known": known}
                )


def _into_server(copy: Engine, force: bool) -> None:
    found, needed = schema_revisions()
    if found != needed:
        raise Unfit(
            f"{OURS} has the schema {found or 'none'}, this program needs {needed}; run: bookapi "
            + ("db upgrade" if found else "init")
        )

    def operation(connection: Connection) -> None:
        seq, last_id, _ = locked(connection)
        _refuse_loss(_books(connection), force)
        _go_on_from(copy, seq, last_id)
        _drop_revoked(copy, connection)
        with copy.connect() as source:
            copies.pour(source, connection)

    db.write(operation, alone=True)


def _books(connection: Connection) -> int:
    """The number of books, those in the trash included."""
    return (
        connection.scalar(text("SELECT count(*) FROM books"))
        if inspect(connection).has_table("books")
        else 0
    )


def _refuse_loss(books: int, force: bool) -> None:
    if books and not force:
        raise Unfit(f"{OURS} holds {books} books, the trash included; --force replaces them")


# -- schema and soundness -----------------------------------------------------------------------------------------


def _known(found: str | None, name: str, hint: str = "") -> str:
    """The revision of the schema, where this program can work with it."""
    if found is None:
        raise Unfit(f"{name} has no schema of bookapi{hint}")
    if found not in known_revisions():
        raise Unfit(f"{name}: {schema_error(found)}")
    return found


def _upgrade(engine: Engine, revision: str) -> None:
    """Bring a SQLite file that is not the service's own to a schema."""
    import flask_migrate  # with Alembic 10 MB, for nothing in a service that serves

    files = SimpleNamespace(engine=engine, metadata=db.metadata)
    flask_migrate.Migrate(current_app, files, str(MIGRATIONS), command="migrations")
    flask_migrate.upgrade(revision=revision)


def _refuse_broken(connection: Connection, name: str) -> None:
    for fault in integrity.structure(connection):
        raise Unfit(f"{name} is damaged: {fault}")


def _verified(copy: Engine, name: str, hint: str = "") -> Summary:
    """What a copy holds, once it is known to be sound and to agree with itself."""
    with copy.connect() as connection:
        _refuse_broken(connection, name)
        for column, words in integrity.figures(connection).items():
            raise Unfit(f"{name} does not agree with itself: {column}: {words}{hint}")
        unreadable = integrity.unreadable(connection)
        if unreadable:
            raise Unfit(f"{name} cannot be read: {unreadable}")
        seq = connection.scalar(text("SELECT seq FROM catalogue"))
        return Summary(integrity.total(connection), seq, revision_of(connection))
