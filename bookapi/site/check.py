"""What may be wrong with an instance, found without changing anything, and how to fix it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import click
from flask import current_app
from sqlalchemy import Connection, func, select
from werkzeug.exceptions import HTTPException

from ..books.models import Book, History
from ..cli import command
from ..config import SECRET_FILE
from ..db import FAILURES, cause, db, now
from ..db.copies import sqlite_file
from ..db.durability_warnings import durability_warnings
from ..db.failures import busy
from ..db.integrity import index_fault, rebuild_index, structure_faults
from . import derived
from .views import unready

MAX_CLOCK_SKEW = timedelta(minutes=5)  # between the clocks of several machines
MEND, RESTORE = "bookapi check --mend", "bookapi restore FILE, with a backup"
CLOCK = "set the clock of this machine; the next change of the book corrects what was stored"
INDEX = "search index"


class Finding(NamedTuple):
    """Something that was checked: what is wrong (None: nothing), and how to fix it; a warning has no such step."""

    subject: str
    wrong: str | None = None
    step: str = ""

    def __str__(self) -> str:
        if not self.wrong:
            return f"ok     {self.subject}"
        if not self.step:
            return f"warn   {self.subject}: {self.wrong}"
        return f"wrong  {self.subject}: {self.wrong}; to fix it: {self.step}"


def findings() -> Iterator[Finding]:
    """All checks, one by one; after a fault that makes the others impossible there are none."""
    yield Finding("settings")  # a wrong one ends every command before it begins
    yield from _files()
    for subject, wrong, step in (
        ("database and schema", unready, f"bookapi init or db upgrade, or {RESTORE}"),
        ("structure of the database", lambda: "; ".join(db.ask(structure_faults)), RESTORE),
    ):
        finding = Finding(subject, wrong(), step)
        yield finding
        if finding.wrong:
            return
    try:
        yield Finding(INDEX, index_fault(), MEND)
        faults = db.ask(derived.counter_faults)
        yield Finding("number of changes", faults.pop("seq", None), RESTORE)
        yield Finding("counters", "; ".join(faults.values()), MEND)
        yield Finding("history", db.ask(derived.broken_history), RESTORE)
        yield Finding("lists", db.ask(derived.unreadable_lists), RESTORE)
        yield Finding("derived data", derived.list_books(db.ask(_wrong_books)), MEND)
        yield Finding("clock", db.ask(_clock_fault), CLOCK)
    except (*FAILURES, HTTPException, ValueError, TypeError) as error:
        if getattr(error, "description", None) == busy().description:
            raise
        yield Finding("contents", f"cannot be read: {cause(error) or error}", RESTORE)
    for warning in db.ask(durability_warnings, current_app.config["MAX_BODY_BYTES"]):
        yield Finding("durability", warning)


def _files() -> Iterator[Finding]:
    folder = Path(current_app.instance_path)
    files = {"folder": folder, "secret": folder / SECRET_FILE, "database file": sqlite_file()}
    for subject, path in files.items():
        if path and path.exists():
            is_open = path.stat().st_mode & 0o007
            wrong = f"{path} is open to every user of this machine" if is_open else None
            yield Finding(subject, wrong, f"chmod o-rwx {path}")
    if not current_app.config["SECRET_KEY"]:
        yield Finding("secret", "there is none", "bookapi init")


def _wrong_books(connection: Connection) -> list[int]:
    """The books whose derived data is wrong, all seen in one state of the database."""
    last, wrong = 0, []
    while last is not None:
        last, more, *_ = derived.next_batch(connection, last)
        wrong += more
    return wrong


def _clock_fault(connection: Connection) -> str | None:
    """Something was stored in the future: the clock is wrong, or was then."""
    for name, column in (("a book", Book.updated_at), ("the history", History.at)):
        newest = connection.scalar(select(func.max(column)))
        if newest and newest > now() + MAX_CLOCK_SKEW:
            return (
                f"{name} changed at {newest:%Y-%m-%dT%H:%M:%SZ}, it is {now():%Y-%m-%dT%H:%M:%SZ}"
            )
    return None


def _rebuild(wrong: list[Finding]) -> None:
    """Rebuild all that is derived from the books, in short transactions between which others can write."""
    if any(finding.subject == INDEX for finding in wrong):
        db.write(rebuild_index, alone=True)
    last: int | None = 0
    while last is not None:
        last = db.write(derived.rebuild_batch, last, alone=True)
    db.write(derived.rebuild_counters, alone=True)


def _report() -> list[Finding]:
    """Print every finding; returns those that are wrong."""
    wrong = []
    for finding in findings():
        click.echo(str(finding))
        if finding.wrong and finding.step:
            wrong.append(finding)
    return wrong


@command("check")
@click.option("--mend", is_flag=True, help="Rebuild what is derived from the books if it is wrong.")
def check(mend: bool) -> None:
    """Report what is wrong with the instance and how to fix it; the service may run. Exit status 1 if anything is."""
    wrong = _report()
    if mend and any(finding.step == MEND for finding in wrong):
        _rebuild(wrong)
        click.echo("rebuilt all that is derived from the books")
        wrong = _report()
    if wrong:
        raise click.ClickException(f"wrong: {', '.join(finding.subject for finding in wrong)}")
