"""What may be wrong with an instance, found without changing anything; and what is derived from the books, made again.

The record (`books`) and the history are what people gave: they are compared, and never touched.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, select
from werkzeug.exceptions import HTTPException

from ..books.models import Book, History
from ..config import SECRET_FILE
from ..db import FAILURES, cause, db, integrity, now, rfc3339, schema_revisions
from ..db.failures import busy
from . import derived
from .views import unready

AHEAD = timedelta(minutes=5)  # clocks of workers on several machines differ a little
MEND, RESTORE = "bookapi check --mend", "bookapi restore FILE puts a backup back"
INDEX = "search index"
FIGURES = {
    "total": ("number of books", MEND),
    "last_id": ("newest id", MEND),
    "seq": ("number of changes", RESTORE),
}


class Finding(NamedTuple):
    """One thing that was looked at: what is wrong with it (None: nothing), and the step that mends it."""

    subject: str
    wrong: str | None = None
    step: str = ""

    @property
    def derived(self) -> bool:
        """Whether it is made from the books, and can be made again."""
        return bool(self.wrong) and self.step == MEND

    def __str__(self) -> str:
        if not self.wrong:
            return f"ok     {self.subject}"
        return f"wrong  {self.subject}: {self.wrong}" + (
            f"; to mend it: {self.step}" if self.step else ""
        )


def findings() -> Iterator[Finding]:
    """All that is looked at, one by one; where it cannot be looked at without what was found wrong, nothing more."""
    yield Finding("settings")  # a wrong one stops every command before it begins
    yield from _files()
    for look in (_database, _schema, _structure):
        finding = look()
        yield finding
        if finding.wrong:
            return
    try:
        yield Finding(INDEX, integrity.index_fault(), MEND)
        yield from _figures()
        yield Finding("lists", db.ask(integrity.unreadable), RESTORE)
        yield from _books()
        yield _clock()
    except (
        *FAILURES,
        HTTPException,
        ValueError,
        TypeError,
    ) as error:  # not what the program stores
        if getattr(error, "description", None) == busy().description:
            raise
        yield Finding("contents", f"cannot be read: {cause(error) or error}", RESTORE)


# -- the instance -------------------------------------------------------------------------------------------------


def _files() -> Iterator[Finding]:
    folder = Path(current_app.instance_path)
    files = [("folder", folder), ("secret", folder / SECRET_FILE)]
    if db.engine.dialect.name == "sqlite":
        files.append(("database file", Path(db.engine.url.database)))
    for subject, path in files:
        if path.exists():
            open_to_all = path.stat().st_mode & 0o007
            yield Finding(
                subject,
                f"{path} is open to everybody on this machine" if open_to_all else None,
                f"chmod o-rwx {path}",
            )
    if not current_app.config["SECRET_KEY"]:
        yield Finding("secret", "there is none", "bookapi init makes it")


def _database() -> Finding:
    try:
        db.check_file()
        schema_revisions()
    except HTTPException as error:
        words = ": ".join(part for part in (error.description, cause(error)) if part)
        return Finding("database", words, f"bookapi init makes one, {RESTORE}")
    return Finding("database")


def _schema() -> Finding:
    return Finding("schema", unready())  # which says what to run


def _structure() -> Finding:
    faults = db.ask(integrity.structure)
    return Finding(
        "structure of the database", "; ".join(faults[: integrity.SHOWN]) or None, RESTORE
    )


# -- what it holds ------------------------------------------------------------------------------------------------


def _figures() -> Iterator[Finding]:
    faults = db.ask(integrity.figures)
    for column, (subject, step) in FIGURES.items():
        yield Finding(subject, faults.get(column), step)


def _books() -> Iterator[Finding]:
    """What is wrong of single books, all seen in one state of the database."""
    wrong = {subject: derived.IssueCount() for subject in derived.SUBJECTS}
    history = derived.IssueCount()
    with db.read() as connection:
        for books in derived.batches(connection):
            for book in books:
                for subject in derived.wrong(book):
                    wrong[subject].add(book.id)
                if derived.wrong_history(book):
                    history.add(book.id)
    for subject, tally in wrong.items():
        yield Finding(subject, tally.words, MEND)
    yield Finding("history of each book", history.words, RESTORE)


_NEWEST = [
    ("books", select(func.max(rfc3339(Book.updated_at)))),
    ("history", select(func.max(rfc3339(History.at)))),
]


def _clock() -> Finding:
    """An instant of tomorrow: the clock is wrong, or was when that was stored."""
    instant, latest = (
        moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for moment in (now(), now() + AHEAD)
    )
    with db.read() as connection:
        newest = {name: connection.scalar(query) or "" for name, query in _NEWEST}
    ahead = [
        f"{name} were changed at {changed}, it is {instant[:19]}Z"
        for name, changed in newest.items()
        if changed > latest
    ]
    return Finding(
        "clock",
        "; ".join(ahead) or None,
        "set the clock of this machine; what is stored was stored with a "
        "clock that was ahead, and is right again with the next change of the book",
    )


# -- mending ------------------------------------------------------------------------------------------------------


def mend() -> Iterator[str]:
    """Make again what is derived and wrong, a line for each thing that was. Other changes go on between."""
    if integrity.index_fault():
        db.write(integrity.rebuild_index, alone=True)
        yield f"{INDEX}: made again from its table"
    mended = {subject: derived.IssueCount() for subject in derived.SUBJECTS}
    last = 0
    while last is not None:
        last, found = db.write(derived.mend_batch, last, alone=True)
        for subject, book_id in found:
            mended[subject].add(book_id)
    yield from [f"{subject}: {tally.words}" for subject, tally in mended.items() if tally.words]
    yield from [
        f"{FIGURES[column][0]}: {words}"
        for column, words in db.write(derived.mend_figures, alone=True).items()
    ]
