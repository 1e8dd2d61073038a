"""An event is recorded with the commit of its operation, or not at all."""

import pymysql
import pytest
from sqlalchemy import event
from werkzeug.exceptions import HTTPException

from bookapi.auth import audit
from bookapi.auth.audit import Action
from bookapi.db import db
from helpers.database import run_operations_again
from helpers.event_log import actions
from helpers.instance import PASSWORD
from helpers.people import change, change_account, id_of, signed_in


def test_failed_operations_are_neither_recorded_nor_logged(logged):
    app, lines = logged
    client = signed_in(app)
    lines()
    before, admin_id = actions(app), id_of(app, "admin")
    assert client.patch(f"/auth/users/{admin_id}", json={"role": "member"}).status_code == 409
    assert client.delete(f"/auth/users/{admin_id}").status_code == 409
    assert (
        client.post("/auth/users", json={"username": "MEMBER", "password": PASSWORD}).status_code
        == 409
    )
    assert (lines.raw(), actions(app)) == ([], before)


def test_the_log_line_is_written_after_the_commit(logged, monkeypatch):
    app, lines = logged
    seen = []

    def operation(connection):
        audit.record(connection, Action.LOGOUT, "member")
        seen.append(lines.raw())

    change(app, operation)
    assert (seen, lines.actions(), actions(app)[-1]) == ([[]], ["logout"], "logout")


def test_an_aborted_operation_records_nothing_and_the_next_only_its_own(logged):
    app, lines = logged

    def broken(connection):
        audit.record(connection, Action.LOGOUT, "member")
        raise ZeroDivisionError

    before = actions(app)
    with pytest.raises(ZeroDivisionError):
        change(app, broken)
    change_account(app, "member", {"active": False})
    assert (lines.actions(), actions(app)) == (["user_disabled"], [*before, "user_disabled"])


def test_an_operation_that_runs_again_is_recorded_once(logged):
    app, lines = logged
    runs = []

    def operation(connection):
        runs.append(connection)
        audit.record(connection, Action.LOGOUT, "member")
        if len(runs) == 1:  # as MySQL answers a deadlock
            raise pymysql.err.OperationalError(1213, "deadlock")

    run_operations_again(app)
    change(app, operation)
    assert (len(runs), lines.actions(), actions(app).count("logout")) == (2, ["logout"], 1)


def test_a_commit_that_fails_is_not_logged(logged):
    app, lines = logged
    before = actions(app)

    def fail(connection):
        raise pymysql.err.OperationalError(1114, "full")

    with app.app_context():
        engine = db.engine
    event.listen(engine, "commit", fail)
    with pytest.raises(HTTPException):
        change_account(app, "member", {"active": False})
    event.remove(engine, "commit", fail)
    assert (lines.raw(), actions(app)) == ([], before)
