"""Sign-out, and other ends of a session. docs/api.md, Sign-in and sessions."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bookapi.auth.models import LoginSession, User
from bookapi.db import db, now
from helpers.documents import faults, send
from helpers.instance import PASSWORD
from helpers.people import change_account
from helpers.signing_in import add, both, change, cookie_of, login, sessions, with_cookie

NEW = "another long enough password"


def test_a_new_password_ends_the_accounts_other_sessions(app):
    own, other, foreign = (app.test_client() for _ in range(3))
    for client, username in ((own, "member"), (other, "member"), (foreign, "admin")):
        login(client, username)
    answer = own.post("/auth/password", json={"current_password": PASSWORD, "new_password": NEW})
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert [client.get("/auth/me").status_code for client in (own, other, foreign)] == [
        200,
        401,
        200,
    ]
    assert [login(other, "member", password).status_code for password in (PASSWORD, NEW)] == [
        401,
        200,
    ]


@both
@pytest.mark.parametrize(
    "current, new, status, fields",
    [
        ("wrong", NEW, 403, []),
        ("wrong", "short", 403, []),
        (PASSWORD, "short", 422, ["new_password"]),
        (PASSWORD, "x" * 129, 422, ["new_password"]),
        (PASSWORD, None, 422, ["new_password"]),
        (PASSWORD, "passwordpassword", 422, ["new_password"]),
    ],
)
def test_a_password_is_changed_only_to_a_valid_one(app, name, current, new, status, fields):
    client = app.test_client()
    login(client, "member")
    sent = {"current_password": current, "new_password": new}
    answer = send(client, "POST", "/auth/password", name, sent, "password")
    assert answer.status_code == status and faults(answer) == fields
    assert login(app.test_client(), "member").status_code == 200


def test_a_new_password_may_not_be_the_username(app):
    add(app, "a-name-of-fifteen")
    client = app.test_client()
    login(client, "a-name-of-fifteen")
    answer = client.post(
        "/auth/password", json={"current_password": PASSWORD, "new_password": "A-NAME-of-fifteen"}
    )
    assert (answer.status_code, faults(answer)) == (422, ["new_password"])


def test_disabling_an_account_signs_it_out_for_good(app, client):
    copied = cookie_of(login(client, "member"))
    change_account(app, "member", {"active": False})
    assert (client.get("/auth/me").status_code, sessions(app)) == (401, 0)
    change_account(app, "member", {"active": True})
    assert (with_cookie(app, copied), login(client, "member").status_code) == (401, 200)


def test_deleting_an_account_signs_it_out(app, client):
    login(client, "member")
    change(app, lambda session: session.execute(delete(User).where(User.username == "member")))
    assert (client.get("/auth/me").status_code, sessions(app)) == (401, 0)


def test_a_change_of_role_takes_effect_at_once(app, client):
    login(client, "member")
    change(
        app,
        lambda session: session.execute(
            update(User).where(User.username == "member").values(role="admin")
        ),
    )
    raised = client.post("/books", json={"title": "a"}).status_code
    change(
        app,
        lambda session: session.execute(
            update(User).where(User.username == "member").values(role="member")
        ),
    )
    assert raised in (201, 401)
    assert client.post("/books", json={"title": "a"}).status_code in (401, 403)


def _age(session, **columns):
    session.execute(
        update(LoginSession).values(**{name: now() - age for name, age in columns.items()})
    )


@pytest.mark.parametrize(
    "idle, opened, status",
    [
        (timedelta(minutes=29), timedelta(hours=1), 200),
        (timedelta(minutes=30, seconds=1), timedelta(hours=1), 401),
        (timedelta(0), timedelta(hours=11, minutes=59), 200),
        (timedelta(0), timedelta(hours=12, seconds=1), 401),
    ],
)
def test_a_session_ends_after_thirty_idle_minutes_or_twelve_hours(
    app, client, idle, opened, status
):
    login(client)
    change(app, _age, last_seen_at=idle, created_at=opened)
    assert client.get("/auth/me").status_code == status
    assert client.post("/books", json={"title": "a"}).status_code == (201 if status == 200 else 401)


def test_session_lifetimes_are_configurable(make_app):
    app = make_app(SESSION_IDLE_MINUTES=5, SESSION_HOURS=1)
    client = app.test_client()
    for ages, status in (
        ({"last_seen_at": timedelta(minutes=4)}, 200),
        ({"last_seen_at": timedelta(minutes=6)}, 401),
        ({"created_at": timedelta(minutes=61)}, 401),
    ):
        login(client)
        change(app, _age, **ages)
        assert client.get("/auth/me").status_code == status


def test_a_request_extends_the_session(app, client):
    login(client)
    for _ in range(3):
        change(app, _age, last_seen_at=timedelta(minutes=20))
        assert client.get("/auth/me").status_code == 200
    with app.app_context(), Session(db.engine) as session:
        assert now() - session.scalar(select(LoginSession.last_seen_at)) < timedelta(minutes=1)
