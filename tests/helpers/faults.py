"""For durability tests: servers that are killed and traced, clients, a checker of data files."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from bookapi.books import search
from bookapi.books.models import LIST_TABLES, lists_of
from bookapi.db.sqlite import sqlite3
from helpers.instance import PASSWORD
from helpers.servers import Service, serving
from helpers.support import bookapi
from helpers.waiting import PATIENCE, wait_until

LONG = os.environ.get("DURABILITY") == "long"
FILE = "bookapi.sqlite"
MAX_LOG = 1000  # pages; the change that makes it longer writes it back into the data file


def rounds(usual: int, long: int) -> int:
    """How often: the second number where the environment says `DURABILITY=long`."""
    return long if LONG else usual


def need(program: str, root: bool = False) -> None:
    """Skip where the program is missing, or the right to use it."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if root and os.geteuid():
        pytest.skip(f"{program} needs root")


def make_instance(folder: Path) -> Path:
    """An instance with an admin `keeper`."""
    assert bookapi(folder, "init").returncode == 0
    added = bookapi(
        folder, "users", "add", "keeper", "--role", "admin", "--password-stdin", stdin=PASSWORD
    )
    assert added.returncode == 0, added.stderr
    return folder


# -- clients and services --------------------------------------------------------------


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Client:
    """A connection that is kept, with the cookie of an admin after `sign_in`."""

    def __init__(self, service: Service, cookie: str | None = None):
        self.http, self.cookie = HTTPConnection(*service.address, timeout=PATIENCE), cookie

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.http.close()

    def sign_in(self) -> str:
        """The cookie of a new session."""
        answer = self.ask("POST", "/auth/login", {"username": "keeper", "password": PASSWORD})
        assert answer.status == 200, answer
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self.cookie

    def send(self, method: str, path: str, document=None, **headers) -> None:
        """Send a request whose answer nobody waits for."""
        own = {"Cookie": self.cookie} if self.cookie else {}
        body = None if document is None else json.dumps(document).encode()
        kind = {"Content-Type": "application/json"} if body else {}
        self.http.request(method, path, body, {**own, **kind, **headers})

    def ask(self, method: str, path: str, document=None, **headers) -> Answer:
        """The answer to a request; OSError or HTTPException where there is none."""
        self.send(method, path, document, **headers)
        got = self.http.getresponse()
        return Answer(
            got.status, {name.lower(): value for name, value in got.getheaders()}, got.read()
        )

    def create(self, title: str, **fields) -> Answer:
        return self.ask("POST", "/books", {"title": title, **fields})


def kill(service: Service) -> None:
    """SIGKILL for every process of the service, and wait until they are gone."""
    for number in (service.process.pid, *service.children()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    service.process.wait(PATIENCE)


@contextlib.contextmanager
def killed_in_the_end(folder: Path, *arguments, **settings) -> Iterator[Service]:
    """A service that is not given the time to tidy up."""
    with serving(folder, *arguments, **settings) as service:
        try:
            yield service
        finally:
            kill(service)


@contextlib.contextmanager
def strace(service: Service, out: Path, *options: str) -> Iterator[None]:
    """The system calls of a running service go to a file, or fail as the options say, until the
    block ends.
    """
    said, processes = out.with_suffix(".said"), [service.process.pid, *service.children()]
    command = [
        "strace",
        "-f",
        "-y",
        *[f"--attach={number}" for number in processes],
        "-o",
        str(out),
        *options,
    ]
    with open(said, "wb") as err, subprocess.Popen(command, stderr=err) as tracer:
        try:
            wait_until(
                lambda: (
                    said.read_bytes().count(b" attached") >= len(processes)
                    or tracer.poll() is not None
                )
            )
            if tracer.poll() is not None:
                pytest.skip(f"strace may not trace here: {said.read_text()}")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)  # it lets the service go and ends
            try:
                tracer.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                tracer.kill()


# -- the judge of data files -----------------------------------------------------------

_FIELDS = (
    "id",
    "title",
    "subtitle",
    "authors",
    "isbn",
    "series",
    "publisher",
    "description",
    "subjects",
    "identifiers",
    "version",
    "pages",
    "deleted_at",
)


def stored(path: Path, ids: list[int] | None = None) -> dict[int, dict]:
    """The rows of books, of all or of these, by their ids."""
    with opened(path) as connection:
        return _books(connection, ids)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a data file that does not wait for the disk."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        yield connection


def _books(connection: sqlite3.Connection, ids: list[int] | None) -> dict[int, dict]:
    rows = connection.execute(f"SELECT {', '.join(_FIELDS)} FROM books" + _among("id", ids))
    books = {row[0]: dict(zip(_FIELDS, row, strict=False)) for row in rows}
    for book in books.values():
        book.update({name: json.loads(book[name]) for name in LIST_TABLES})
    return books


def _among(column: str, ids: list[int] | None) -> str:
    return "" if ids is None else f" WHERE {column} IN ({','.join(map(str, ids))})"


def fill_log(folder: Path, pages: int) -> None:
    """Let the log grow by so many pages."""
    with opened(folder / FILE) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        for _ in range(pages):
            connection.execute("UPDATE alembic_version SET version_num = version_num")


def flaws(path: Path, ids: list[int] | None = None) -> list:
    """What is wrong in a data file, which should be nothing; half-made books are looked for among
    all, or these.
    """
    with opened(path) as connection:
        found = [row for row in connection.execute("PRAGMA integrity_check") if row != ("ok",)]
        found += connection.execute("PRAGMA foreign_key_check").fetchall()
        return found or [
            *_miscounted(connection),
            *_unfit_words(connection),
            *_half_made(connection, ids),
            *_gaps_in_history(connection, ids),
        ]


def _miscounted(connection: sqlite3.Connection) -> Iterator[tuple]:
    """The catalogue's row, where it is not what the books add up to: each version is a step of
    `seq`.
    """
    [reported] = connection.execute("SELECT seq, last_id, last_id, total FROM catalogue")
    [counted] = connection.execute(
        "SELECT coalesce(sum(version), 0), coalesce(max(id), 0), count(*), "
        "count(*) - count(deleted_at) FROM books"
    )
    if reported != counted:
        yield "seq, last_id, last_id, total", reported, counted


def _unfit_words(connection: sqlite3.Connection) -> Iterator[tuple]:
    """The full-text index, where it does not hold what the words say."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "INSERT INTO book_words_index (book_words_index, rank) VALUES ('integrity-check', 1)"
        )
    except sqlite3.DatabaseError as error:
        yield "full-text index", error
    finally:
        connection.execute("ROLLBACK")


def _half_made(connection: sqlite3.Connection, ids: list[int] | None) -> Iterator[tuple]:
    """Books whose other rows are not what follows from them."""
    books = _books(connection, ids)
    words = dict(
        connection.execute("SELECT book_id, words FROM book_words" + _among("book_id", ids))
    )
    for number, book in books.items():
        if words.get(number) != search.text_of(book, book["deleted_at"] is not None):
            yield "words", number, words.get(number)
    for field, model in LIST_TABLES.items():
        columns = [column.name for column in model.__table__.c]
        rows: dict[int, list] = {}
        for row in connection.execute(
            f"SELECT {', '.join(columns)} FROM {model.__tablename__}"
            + _among("book_id", ids)
            + " ORDER BY book_id, position"
        ):
            rows.setdefault(row[0], []).append(dict(zip(columns, row, strict=False)))
        for number, book in books.items():
            if rows.get(number, []) != lists_of(number, book[field]):
                yield field, number, rows.get(number)


def _gaps_in_history(connection: sqlite3.Connection, ids: list[int] | None) -> Iterator[tuple]:
    """Where the history is not one entry for each step of `seq`, and not each version of a book
    once.
    """
    [reported] = connection.execute(
        "SELECT count(*), coalesce(max(seq), 0), coalesce(min(seq), 1) FROM history"
    )
    [(seq,)] = connection.execute("SELECT seq FROM catalogue")
    if reported != (seq, seq, 1):
        yield "history", reported, seq
    versions: dict[int, list] = {}
    for number, version in connection.execute(
        "SELECT book_id, version FROM history" + _among("book_id", ids) + " ORDER BY seq"
    ):
        versions.setdefault(number, []).append(version)
    for number, book in _books(connection, ids).items():
        if versions.get(number) != list(range(1, book["version"] + 1)):
            yield "history", number, versions.get(number)
