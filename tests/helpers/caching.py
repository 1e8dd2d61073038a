"""Books, addresses and comparisons for the tests of the response cache."""

import contextlib
import gc

import pymysql
from flask import request as current
from flask import request_started
from flask.testing import FlaskClient

from bookapi.db.sqlite import sqlite3
from helpers.instance import DATABASE_URL
from helpers.support import jsonl_bytes

ISBN, FURTHER, NEW = "9780141439587", "9780306406157", "9781492056355"
BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen"],
        "isbn": ISBN,
        "language": "en",
        "subjects": ["Fiction", "Love"],
        "publisher": "Murray",
        "published": "1815",
        "identifiers": [{"scheme": "isbn", "value": FURTHER}],
    },
    {
        "title": "Les Misérables",
        "authors": ["Victor Hugo"],
        "language": "fr",
        "subjects": ["Fiction"],
    },
    {
        "title": "Persuasion",
        "authors": ["Jane Austen", "=1+1"],
        "published": "1817",
        "publisher": "Murray",
    },
]
TYPES = {
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
}
LISTS = [
    "/books",
    "/books?limit=2&page=2",
    "/books?sort=-title",
    "/books?author=Jane+Austen",
    "/books?facets=language,author,decade",
    "/books?cursor=*&limit=1",
    "/books?fields=title",
    f"/books?isbn={ISBN}",
    "/books?title=nowhere",
]
TERMS = [f"/books/{kind}" for kind in ("authors", "subjects", "publishers", "languages")]
ONES = ["/books/1", f"/books/isbn/{ISBN}", f"/books/isbn/{FURTHER}"]
SEARCH = "/books?q=emma"  # InnoDB may miss a new book: cached on SQLite only
CACHED = [
    "/",
    *LISTS,
    *([] if DATABASE_URL else [SEARCH]),
    *ONES,
    *TERMS,
    "/books/subjects?sort=-count&limit=1",
]
EXPORTS = [
    "/books/export",
    *[
        "/books/export?" + queries
        for queries in ("author=Jane+Austen", "fields=title", "sort=title")
    ],
]
TAGGED = [*CACHED, SEARCH, *EXPORTS]
OWN = ("X-Request-ID", "Date")


def comparable(answer):
    """Status, headers and body, without the headers that differ in each answer."""
    return answer.status, [pair for pair in answer.headers if pair[0] not in OWN], answer.get_data()


def tag_of(answer):
    return answer.headers["ETag"]


def in_formats(address):
    """The address in each of its formats, as arguments of a request."""
    names = (
        TYPES
        if address.startswith("/books?") or address in ("/books", *EXPORTS)
        else ("json", "xml")
    )
    return [{"path": address, "headers": {"Accept": TYPES[name]}} for name in names]


class Client(FlaskClient):
    """A client that reads each answer to its end, as a server does: a stream that is left half read
    stays open.
    """

    def open(self, *args, **more):
        return super().open(*args, buffered=True, **more)


@contextlib.contextmanager
def entering(app):
    """The requests for which Flask is entered."""
    seen = []

    def note(sender, **more):
        seen.append(f"{current.method} {current.path}")

    with request_started.connected_to(note, app):
        yield seen


CHANGES = {
    "POST": lambda client: client.post(
        "/books", json={"title": "New", "authors": ["Jane Austen"], "language": "en"}
    ),
    "PUT": lambda client: client.put(
        "/books/1", json={**BOOKS[0], "pages": 3, "subjects": ["Fiction", "Jane"]}
    ),
    "PATCH": lambda client: client.patch(
        "/books/1", json={"title": "Emma Woodhouse", "language": "de"}
    ),
    "a list": lambda client: client.patch(
        "/books/1", json={"authors": ["An Other"], "subjects": []}
    ),
    "an ISBN": lambda client: client.patch("/books/1", json={"isbn": None, "identifiers": []}),
    "DELETE": lambda client: client.delete("/books/1"),
    "PUT by ISBN": lambda client: client.put(
        f"/books/isbn/{ISBN}", json={"title": "Emma", "subtitle": "again"}
    ),
    "PUT by a new ISBN": lambda client: client.put(f"/books/isbn/{NEW}", json={"title": "Emma"}),
    "a further ISBN taken": lambda client: client.post(
        "/books", json={"title": "Taker", "isbn": FURTHER}
    ),
}
IMPORTED = jsonl_bytes(
    {**BOOKS[0], "pages": 9}, {"title": "Imported", "authors": ["Jane Austen"], "isbn": NEW}
)


def import_books(client):
    """An import by the command, in the same database."""
    runner = client.application.test_cli_runner()
    result = runner.invoke(args=["books", "import", "-", "--format", "jsonl"], input=IMPORTED)
    assert result.exit_code == 0, result.output
    return result


def connections():
    """How many connections to the database this process has."""
    gc.collect()
    return sum(
        type(one) in (sqlite3.Connection, pymysql.connections.Connection)
        for one in gc.get_objects()
    )
