"""For tests of commands and files. Processes never see settings from outside."""

import csv
import io
import os
import subprocess
import sys
from types import SimpleNamespace

import orjson
from sqlalchemy import inspect, select
from werkzeug.datastructures import MultiDict

from bookapi.books import changes, queries
from bookapi.books.edits import Edit
from bookapi.books.schemas import book_schema
from bookapi.db import Base, db

SECONDS = 30  # no command of the tests takes longer
READ_ONLY = ("id", "version", "created_at", "updated_at")


def sqlite_url(folder):
    """The address of a database file in this folder, for what makes sense on SQLite alone."""
    return f"sqlite:///{folder / 'bookapi.sqlite'}"


def environment(folder, **settings):
    """The environment of a process whose instance is this folder, on SQLite whatever the tests run
    on.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BOOKAPI_") and name != "DATABASE_URL"
    }
    own = {"INSTANCE_PATH": str(folder), "DATABASE_URL": sqlite_url(folder), **settings}
    return {**kept, **{f"BOOKAPI_{name}": value for name, value in own.items()}}


def bookapi(folder, *arguments, stdin="", **settings):
    """The console command as its own process, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bookapi", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(folder, **settings),
        timeout=SECONDS,
    )


def csv_bytes(*rows, encoding="utf-8", delimiter=","):
    """Rows as the bytes of a CSV file."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(encoding)


def jsonl_bytes(*records):
    """Records as the bytes of a JSON Lines file."""
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


def store(app, *records):
    """Books as they are created over HTTP, in one transaction."""

    def create(session):
        for record in records:
            changes.create(session, book_schema.load(record))

    with app.app_context():
        db.write(create)


def stored(client):
    """Every book of the catalogue, oldest first."""
    with client.application.app_context():
        return list(queries.export(queries.parse(MultiDict(), paging=False))[1])


NO_PRECONDITIONS = SimpleNamespace(check=lambda record: None)  # of a change from within the tests


def edit(**values):
    """The edit of a change from within the tests."""
    return Edit(values, {}, [])


class Somebody:
    """Who changes something from within the tests: a name for the history, and no account that may
    lose its rights.
    """

    def __init__(self, username):
        self.username = username

    def confirm(self, writer):
        pass


def own_fields(book):
    """What people gave of a book: all but what the service adds."""
    return {name: value for name, value in book.items() if name not in READ_ONLY}


def one_line(text):
    """The single line that a failing command says on standard error; fails where it says more, or
    less.
    """
    lines = text.strip().splitlines()
    assert len(lines) == 1, f"not one line: {text!r}"
    assert lines[0].startswith("Error: ") and len(lines[0]) > len("Error: ")
    return lines[0]


def crash(*args, **kwargs):
    raise RuntimeError("in the midst")


def _rows(engine):
    with engine.connect() as connection:
        there = inspect(connection).get_table_names()
        return {
            table.name: [
                tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
            if table.name in there
        }


def in_database(app):
    """All rows of all tables of an application."""
    with app.app_context():
        return _rows(db.engine)
