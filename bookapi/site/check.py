"""What may be wrong with an instance, found without changing anything, and how to fix it."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
from flask import current_app
from sqlalchemy import Connection, func, select
from werkzeug.exceptions import HTTPException

from ..auth.fingerprint import secret_fault
from ..books.models import Book, History
from ..cli import command
from ..config import SECRET_FILE
from ..db import FAILURES, db, now
from ..db.dialects.durability_warnings import durability_warnings
from ..db.dialects.integrity import index_fault, rebuild_index, structure_faults
from ..db.failures import Busy, cause
from . import derived
from .views import unready

MAX_CLOCK_SKEW = timedelta(minutes=5)  # between the clocks of several machines
MEND, RESTORE = "bookapi check --mend", "bookapi restore FILE, with a backup"
CLOCK = "set the clock of this machine; the next change of the book corrects what was stored"
SHARED = "set the same BOOKAPI_SECRET_KEY everywhere; after a change of it: bookapi init"
INDEX = "search index"
TIME = "%Y-%m-%dT%H:%M:%SZ"


Finding = tuple[str, str | None, str]  # what was checked, what is wrong with it, how to fix that


def findings() -> Iterator[Finding]:
    """All checks, one by one; after a fault that makes the others impossible there are none."""
    yield "settings", None, ""  # a wrong one ends every command before it begins
    yield from _files()
    unusable = unready()
    yield "database and schema", unusable, f"bookapi init or db upgrade, or {RESTORE}"
    if unusable:
        return
    broken = "; ".join(db.ask(structure_faults))
    yield "structure of the database", broken, RESTORE
    if broken:
        return
    try:
        yield INDEX, index_fault(), MEND
        for subject, wrong, is_derived in db.ask(derived.faults):
            yield subject, wrong, MEND if is_derived else RESTORE
        yield "derived data", derived.list_books(db.ask(derived.wrong_books)), MEND
        yield "clock", db.ask(_clock_fault), CLOCK
        if current_app.config["SECRET_KEY"]:
            yield "secret in use", secret_fault(), SHARED
    except Busy:
        raise
    except (*FAILURES, HTTPException, ValueError, TypeError) as error:
        yield "contents", f"cannot be read: {cause(error) or error}", RESTORE
    for warning in db.ask(durability_warnings, current_app.config["MAX_BODY_BYTES"]):
        yield "durability", warning, ""  # nothing is wrong yet


def _files() -> Iterator[Finding]:
    """The folder may be listed by others, as container volumes are; what is in it may not be
    read.
    """
    folder = Path(current_app.instance_path)
    paths = {
        "folder": (folder, 0o002),
        "secret": (folder / SECRET_FILE, 0o007),
        "config.py": (folder / "config.py", 0o007),
        "database file": (db.dialect.file, 0o007),
    }
    for subject, (path, forbidden) in paths.items():
        if path and path.exists():
            wrong = f"{path} is open to every user of this machine"
            is_open = path.stat().st_mode & forbidden
            yield subject, wrong if is_open else None, f"chmod o-rwx {path}"
    if not current_app.config["SECRET_KEY"]:
        yield "secret", "there is none", "bookapi init"


def _clock_fault(connection: Connection) -> str | None:
    """Something was stored in the future: the clock is wrong, or was then."""
    columns = (Book.updated_at, History.at)
    newest = [connection.scalar(select(func.max(column))) or now() for column in columns]
    if max(newest) <= now() + MAX_CLOCK_SKEW:
        return None
    return f"the last change is from {max(newest):{TIME}}, but now it is {now():{TIME}}"


def _report() -> dict[str, str]:
    """Print every finding; returns how to fix each subject that is wrong."""
    steps = {}
    for subject, wrong, step in findings():
        if not wrong:
            click.echo(f"ok     {subject}")
        elif not step:
            click.echo(f"warn   {subject}: {wrong}")
        else:
            click.echo(f"wrong  {subject}: {wrong}; to fix it: {step}")
            steps[subject] = step
    return steps


@command("check")
@click.option("--mend", is_flag=True, help="Rebuild what is derived from the books if it is wrong.")
def check(mend: bool) -> None:
    """Report what is wrong with the instance and how to fix it; the service may run.

    Exit status 1 if anything is wrong.
    """
    steps = _report()
    if mend and MEND in steps.values():
        if INDEX in steps:
            db.write(rebuild_index, alone=True)
        after: int | None = 0
        while after is not None:
            last, wrong, _ = db.ask(derived.next_batch, after)
            if wrong:
                db.write(derived.rebuild_batch, after, alone=True)
                time.sleep(0.1)  # others wait for SQLite's lock by looking 10 times a second
            after = last
        db.write(derived.rebuild_counters, alone=True)
        click.echo("rebuilt all that is derived from the books")
        steps = _report()
    if steps:
        raise click.ClickException(f"wrong: {', '.join(steps)}")
