"""Slow queries are interrupted, and nothing else is."""

import logging
import time
from contextlib import closing

import pymysql
import pytest
from sqlalchemy import func, select
from sqlalchemy.dialects.mysql import dialect as mysql_dialect
from sqlalchemy.orm import aliased
from werkzeug.exceptions import HTTPException

from bookapi.books.models import Book
from bookapi.books.queries import matches, reads
from bookapi.db import db, prepared
from bookapi.db.dialects import mysql, sqlite
from bookapi.db.failures import translate
from bookapi.db.sqlite import sqlite3
from helpers.support import store

BOOKS = 10
SOON = (
    5  # seconds: far more than the limits of these tests, far less than what they stop would take
)
ASKED = [
    "/books",
    "/books?sort=-title,published",
    "/books?q=word+-other&sort=-relevance",
    "/books?q=-other",
    "/books?author=a&subject=b&facets=author,subject,publisher,series,language,decade",
    "/books?cursor=*&sort=author",
    "/books?cursor=*&limit=1&sort=published",
    "/books/1",
    "/books/isbn/9780141439587",
    "/books/1/history",
    "/books/changes",
    "/books/authors",
    "/books/subjects?sort=-count",
    "/books?isbn=9780141439587&identifier=a:b&published_from=1900",
]


def counting(power):
    """A select that looks at every sequence of so many books. (Without a condition MySQL would
    multiply.)
    """
    first, *others = [aliased(Book) for _ in range(power)]
    sequences = select(func.count()).select_from(first)
    for other in others:
        sequences = sequences.join(other, first.id + other.id > first.id)
    last = others[-1] if others else first
    return sequences.where(first.id + last.id > first.id)


ENDLESS, LONG = counting(14), counting(6)
LONG_NUMBER = BOOKS**6  # some hundredths of a second; millions of steps of SQLite


def slowly(query):
    """The same rows as the query's, after some hundredths of a second."""
    return query.where(counting(6).scalar_subquery() > 0)


@pytest.fixture(autouse=True)
def shelf(app):
    store(
        app,
        *[
            {"title": f"t{number}", "isbn": isbn}
            for number, isbn in enumerate(["9780141439587", *[None] * (BOOKS - 1)])
        ],
    )


@pytest.fixture
def limit(app):
    """A function that sets the limit to less than a setting may be."""

    def change(seconds):
        app.config["QUERY_SECONDS"] = seconds

    return change


@pytest.fixture
def errors(app, caplog, monkeypatch):
    """A function that tells the lines of errors so far."""
    monkeypatch.setattr(app.logger, "propagate", True)
    return lambda: [
        record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR
    ]


def read(query, **options):
    with db.read(**options) as connection:
        return connection.scalar(query)


# -- what takes too long ---------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.2, 1])
def test_a_slow_query_is_interrupted_in_time(app, limit, seconds):
    limit(seconds)
    with app.test_request_context():
        begun = time.monotonic()
        with pytest.raises(HTTPException) as reported:
            read(ENDLESS)
        assert seconds * 0.9 <= time.monotonic() - begun < seconds + SOON
    assert reported.value.code == 503 and "ask for less" in reported.value.description


def test_the_limit_covers_all_reads_of_a_block(app, limit):
    limit(0.2)
    number = 0
    with (
        app.test_request_context(),
        pytest.raises(HTTPException) as reported,
        db.read() as connection,
    ):
        for _ in range(1000):
            number += 1
            connection.execute(LONG).all()
    assert reported.value.code == 503 and number < 100


def test_reads_after_an_interrupted_one_work(app, limit):
    limit(0.2)
    with app.test_request_context():
        for _ in range(3):
            with pytest.raises(HTTPException):
                read(ENDLESS)
            assert read(counting(1)) == BOOKS
            assert read(LONG, limited=False) == LONG_NUMBER


def test_a_limit_ends_with_its_block(app, limit):
    limit(0.2)
    with app.test_request_context():
        assert read(counting(1)) == BOOKS
        time.sleep(0.3)
        limit(60)
        assert read(LONG) == LONG_NUMBER


def test_an_interrupted_query_is_a_problem_with_advice(client, limit, monkeypatch, errors):
    limit(0.2)
    with monkeypatch.context() as patch:
        patch.setattr(reads, "_ONE", reads._ONE.where(counting(14).scalar_subquery() > 0))
        answer = client.get("/books/1")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.json["detail"].startswith("the query took too long")
    assert client.get("/books/1").json["title"] == "t0"
    [line] = errors()
    assert "interrupted" in line and not {"SELECT", "t0"} & set(line.split())


def test_a_list_that_takes_too_long_names_the_parameters_to_narrow(client, limit, monkeypatch):
    limit(0.2)
    with monkeypatch.context() as patch:
        patch.setattr(matches, "_STATE", matches._STATE.where(counting(14).scalar_subquery() > 0))
        answer = client.get("/books?q=t*&facets=author&language=en&sort=title")
    assert answer.status_code == 503
    assert answer.json["detail"].endswith("(narrow one of these parameters: facets, q, language)")


def test_a_slow_full_text_search_is_interrupted():
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE found USING fts5 (words)")
        connection.execute("INSERT INTO found (found, rank) VALUES ('pgsz', 64)")
        connection.executemany(
            "INSERT INTO found VALUES (?)",
            [
                [" ".join(f"w{(number * 7 + at * 13) % 3000}" for at in range(40))]
                for number in range(3000)
            ],
        )
        connection.commit()
        sqlite.Deadline(connection).end = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute("SELECT count(*) FROM found WHERE found MATCH 'w*'").fetchall()


@pytest.mark.parametrize("code", [188, 1317, 1969, 3024])
def test_a_timeout_of_mysql_gives_the_same_problem(code):
    reported = translate(pymysql.err.OperationalError(code, "told by the server"))
    assert reported.code == 503 and "ask for less" in reported.description


# -- what may take its time ------------------------------------------------------------


def _in_request(app, work):
    with app.test_request_context():
        return work()


def _in_command(app, work):
    with app.app_context():
        return work()


def _written(connection):
    return connection.scalar(LONG)


def _asked(connection):
    return connection.exec_driver_sql(str(counting(6).compile(connection))).scalar()


@pytest.mark.parametrize(
    "place, work",
    [
        (_in_request, lambda: read(LONG, limited=False)),
        (_in_command, lambda: read(LONG)),
        (_in_request, lambda: db.write(_written)),
        (_in_request, lambda: db.ask(_asked)),
    ],
    ids=["not limited", "command", "change", "question about the database"],
)
def test_unlimited_reads_are_not_interrupted(app, limit, place, work):
    limit(0.01)
    with pytest.raises(HTTPException):
        _in_request(app, lambda: read(LONG))
    assert place(app, work) == LONG_NUMBER


def test_exports_have_no_limit_but_lists_have(client, limit, monkeypatch):
    limit(0.01)
    monkeypatch.setattr(matches, "_STATE", slowly(matches._STATE))
    assert client.get("/books").status_code == 503
    export = client.get("/books/export?format=jsonl")
    assert (export.status_code, len(export.data.splitlines())) == (200, BOOKS)


def test_an_export_to_a_slow_client_is_complete(app, limit, monkeypatch):
    monkeypatch.setattr(sqlite, "PROGRESS_STEPS", 1)
    store(
        app, *[{"title": f"more {number}", "description": "long " * 200} for number in range(500)]
    )
    limit(0.05)
    with app.test_client().get("/books/export?format=jsonl", buffered=False) as answer:
        pieces = iter(answer.response)
        content = next(pieces)
        time.sleep(0.1)
        content += b"".join(pieces)
    assert len(content.splitlines()) == BOOKS + 500


def test_commands_are_not_limited(runner, limit, monkeypatch):
    monkeypatch.setattr(sqlite, "PROGRESS_STEPS", 100)
    limit(0)
    monkeypatch.setattr(matches, "_STATE", slowly(matches._STATE))
    for command in (["check"], ["books", "export", "-"]):
        result = runner.invoke(args=command)
        assert result.exit_code == 0, result.output


# -- how a server is reported --------------------------------------------------------------


@pytest.mark.parametrize(
    "is_mariadb, seconds, expected",
    [
        (True, 9.9996, "SET STATEMENT max_statement_time = 10.000 FOR SELECT 1"),
        (True, 0.25, "SET STATEMENT max_statement_time = 0.250 FOR SELECT 1"),
        (True, -3, "SET STATEMENT max_statement_time = 0.001 FOR SELECT 1"),
        (False, 9.9996, "SELECT /*+ MAX_EXECUTION_TIME(10000) */ 1"),
        (False, 0, "SELECT /*+ MAX_EXECUTION_TIME(1) */ 1"),
    ],
)
def test_mysql_gets_the_limit_with_the_statement(is_mariadb, seconds, expected):
    assert mysql.limited("SELECT 1", seconds, is_mariadb) == expected


def test_every_read_of_a_request_is_a_select_that_can_be_limited(admin, monkeypatch):
    asked, compile_once = set(), prepared.compiled

    def note(statement, dialect):
        asked.add(str(statement.compile(dialect=mysql_dialect())))
        return compile_once(statement, dialect)

    monkeypatch.setattr(prepared, "compiled", note)
    for address in ASKED:
        assert admin.get(address).status_code == 200, address
    assert len(asked) > 20
    assert [sql for sql in asked if not sql.startswith("SELECT ")] == []
