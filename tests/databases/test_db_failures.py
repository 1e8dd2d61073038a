"""Database failures as HTTP responses, and retries."""

import time

import pymysql
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException

from bookapi.db import db, extension
from bookapi.db.extension import EXTENSION
from bookapi.db.failures import translate
from bookapi.db.queue import ATTEMPTS
from helpers.database import run_operations_again


def failure(code, **more):
    return OperationalError(
        "UPDATE", {}, pymysql.err.OperationalError(code, "told by the server"), **more
    )


@pytest.mark.parametrize(
    "code, status",
    [
        (1205, 503),
        (1213, 503),
        (1020, 503),
        (1142, 503),
        (1290, 503),
        (1045, 503),
        (1153, 413),
        (2006, 503),
        (2013, 503),
        (1047, 503),
        (1040, 503),
        (1021, 507),
        (1114, 507),
    ],
)
def test_temporary_database_failures_have_a_status(code, status):
    reported = translate(failure(code))
    assert reported.code == status
    assert status != 503 or dict(reported.get_headers())["Retry-After"]


def test_programming_errors_are_not_translated():
    assert translate(failure(1064)) is None


@pytest.fixture
def queue(app):
    run_operations_again(app)
    return app.extensions[EXTENSION].queue


def test_an_operation_that_lost_a_deadlock_is_retried(queue):
    tries = []

    def operation(connection):
        tries.append(connection)
        if len(tries) < 3:
            raise failure(1213)
        return "done"

    assert queue.write(operation) == "done"
    assert len(tries) == 3


@pytest.mark.parametrize(
    "code, more, tries",
    [
        (1213, {}, ATTEMPTS),
        (2013, {"connection_invalidated": True}, ATTEMPTS),
        (1020, {}, ATTEMPTS),
        (1205, {}, ATTEMPTS),
        (1114, {}, 1),
    ],
)
def test_retries_are_limited(queue, code, more, tries):
    run = []

    def operation(connection):
        run.append(connection)
        raise failure(code, **more)

    with pytest.raises(HTTPException):
        queue.write(operation)
    assert len(run) == tries


def test_a_lock_that_was_waited_for_to_the_end_is_not_waited_for_again(queue):
    run = []

    def operation(connection):
        run.append(connection)
        time.sleep(0.1)
        raise failure(1205)

    with pytest.raises(HTTPException):
        queue.write(operation, wait=0.05)
    assert len(run) == 1


def test_no_parameter_of_a_statement_is_in_a_message(app):
    """A message is logged, and the parameters may be secrets."""
    with app.app_context(), pytest.raises(DBAPIError) as raised, db.engine.connect() as connection:
        connection.execute(text("SELECT :value FROM no_such_table"), {"value": "N4NBB5"})
    assert "N4NBB5" not in str(raised.value)


@pytest.fixture
def losing(app, monkeypatch):
    """A function that makes the next reads lose their connection, so many of them, and returns a
    list of all that were begun."""
    dialect, begun, left = app.extensions[EXTENSION].dialect, [], []
    begin = dialect.begin_read

    def begin_read(*args):
        begun.append(args)
        if len(begun) <= left[0]:
            raise failure(2013)
        return begin(*args)

    def lose(number):
        left.append(number)
        monkeypatch.setattr(dialect, "begin_read", begin_read)
        monkeypatch.setattr(extension, "PAUSE_SECONDS", 0.01)
        return begun

    return lose


def test_a_read_that_loses_its_connection_is_tried_again(client, losing):
    begun = losing(3)
    assert client.get("/books?title=any").status_code == 200
    assert len(begun) > 3


def test_reads_are_tried_again_for_the_first_seconds_of_an_outage_alone(
    client, losing, monkeypatch
):
    monkeypatch.setattr(extension, "OUTAGE_SECONDS", 0.1)
    begun = losing(1000)
    first = client.get("/books?title=any")
    assert first.status_code == 503 and "Retry-After" in first.headers
    tried = len(begun)
    assert 3 < tried <= 11
    assert client.get("/books?title=any").status_code == 503
    assert len(begun) == tried + 1
