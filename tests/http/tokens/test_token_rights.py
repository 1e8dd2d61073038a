"""What API tokens may do, and what is known of their use. docs/api.md, API tokens."""

from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import update

from bookapi.auth.models import Token
from bookapi.db import db, now
from bookapi.timestamps import format_timestamp
from helpers.documents import TYPES
from helpers.instance import PASSWORD
from helpers.people import (
    NEW,
    add,
    basic,
    bearer,
    change,
    change_account,
    cookie_of,
    id_of,
    make_token,
    rows,
    signed_in,
    stranger,
)
from helpers.tokens import ask, both

# -- what one may ------------------------------------------------------------------------

CHANGES = [
    ("POST", "/books"),
    ("PUT", "/books/1"),
    ("PATCH", "/books/1"),
    ("DELETE", "/books/1"),
    ("POST", "/books/import"),
    ("POST", "/books/1/restore"),
    ("PUT", "/books/isbn/9780306406157"),
]
FOR_SESSIONS = [
    ("POST", "/auth/tokens"),
    ("POST", "/auth/users"),
    ("PATCH", "/auth/users/2"),
    ("DELETE", "/auth/users/2"),
    ("DELETE", "/auth/users/2/sessions"),
    ("POST", "/auth/password"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/mfa"),
    ("POST", "/auth/mfa/confirm"),
    ("POST", "/auth/mfa/disable"),
    ("DELETE", "/auth/users/2/mfa"),
]


@both
def test_a_read_token_can_read_but_not_change(app, admin, name):
    headers = bearer(make_token(admin, "read")["secret"]) | {"Accept": TYPES[name]}
    answers = [
        ask(app, headers, address, method, json={"title": "a"}) for method, address in CHANGES
    ]
    assert [(answer.status_code, name in answer.mimetype) for answer in answers] == [
        (403, True)
    ] * len(CHANGES)
    assert [
        ask(app, headers, address).status_code
        for address in (
            "/books",
            "/auth/users",
            "/auth/events",
            "/auth/tokens",
            "/auth/sessions",
            "/auth/mfa",
        )
    ] == [200] * 6
    assert admin.get("/books").json["total"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_token_of_a_member_has_the_rights_of_the_member(app, scope):
    headers = bearer(make_token(signed_in(app, "member"), scope)["secret"])
    assert [ask(app, headers, address, method).status_code for method, address in CHANGES] == [
        403
    ] * len(CHANGES)
    assert [
        ask(app, headers, address).status_code for address in ("/auth/users", "/auth/events")
    ] == [403, 403]
    assert ask(app, headers).json["role"] == "member"


def test_a_token_cannot_manage_tokens_users_or_passwords(app, admin, secret):
    bodies = {
        "/auth/tokens": {"name": "a", "scope": "write"},
        "/auth/users": {"username": "carol", "password": NEW},
        "/auth/password": {"current_password": PASSWORD, "new_password": NEW},
    }
    for headers in (bearer(secret), basic("admin", secret), bearer(secret) | cookie_of(admin)):
        statuses = [
            ask(app, headers, address, method, json=bodies.get(address)).status_code
            for method, address in FOR_SESSIONS
        ]
        assert statuses == [403] * len(FOR_SESSIONS)
    assert (len(rows(app, Token)), admin.get("/auth/users").json["total"]) == (1, 2)
    assert admin.get("/auth/me").status_code == 200


def test_a_token_can_revoke_itself(app, admin, secret):
    [token] = rows(app, Token)
    assert ask(app, bearer(secret), f"/auth/tokens/{token.id}", "DELETE").status_code == 204
    assert ask(app, bearer(secret)).status_code == 401


def test_a_token_of_a_disabled_member_is_rejected(app):
    secret = make_token(signed_in(app, "member"))["secret"]
    statuses = []
    for active in (True, False, True):
        change_account(app, "member", {"active": active})
        statuses.append(ask(app, bearer(secret)).status_code)
    assert statuses == [200, 401, 200]


# -- the trace that one leaves -----------------------------------------------------------


def test_the_first_use_is_recorded_and_the_last_use_is_shown(app, admin, token):
    before = now()
    assert admin.get("/auth/tokens").json["tokens"][0]["last_used_at"] is None
    for _ in range(3):
        ask(app, bearer(token["secret"]))
    used_at = admin.get("/auth/tokens").json["tokens"][0]["last_used_at"]
    assert format_timestamp(before) <= used_at <= format_timestamp(now())
    noted = admin.get("/auth/events?action=token_first_used").json["events"]
    assert [event["username"] for event in noted] == ["admin"] and str(token["id"]) in noted[0][
        "detail"
    ]


def test_the_last_use_is_stored_at_most_once_a_minute(app, token):
    for age, again in ((timedelta(seconds=50), False), (timedelta(seconds=70), True)):
        then = now() - age
        used = update(Token).values(last_used_at=then)
        change(app, lambda connection, used=used: connection.execute(used))
        ask(app, bearer(token["secret"]))
        [kept] = rows(app, Token)
        assert (kept.last_used_at > then) == again


def test_a_rejected_token_is_not_marked_as_used(app, admin, token):
    for headers in (basic("member", token["secret"]), bearer(token["secret"][:-1])):
        assert ask(app, headers).status_code == 401
    assert admin.get("/auth/tokens").json["tokens"][0]["last_used_at"] is None
    assert admin.get("/auth/events?action=token_first_used").json["total"] == 0


# -- what a wrong one costs --------------------------------------------------------------


def test_a_wrong_token_takes_the_same_work_for_known_and_unknown_names(app, monkeypatch):
    operations, write = [], db.write

    def count(operation, *args, **kwargs):
        operations[-1].append(operation.__name__)
        return write(operation, *args, **kwargs)

    monkeypatch.setattr(db, "write", count)
    for username in ("member", "nobody"):
        operations.append([])
        assert ask(app, basic(username, "wrong")).status_code == 401
    assert operations[0] == operations[1]


class Unread(BytesIO):
    """A body that must not be read."""

    def read(self, *args):
        raise AssertionError("the body was read")

    readline = readinto = read


@pytest.mark.parametrize("ending", ["revoked", "disabled", "deleted"])
def test_an_upload_by_a_token_that_has_ended_is_refused_before_its_body_is_read(app, admin, ending):
    add(app, "owner", "admin")
    token = make_token(signed_in(app, "owner"))
    owner = f"/auth/users/{id_of(app, 'owner')}"
    if ending == "revoked":
        answer = admin.delete(f"{owner}/tokens")
    elif ending == "disabled":
        answer = admin.patch(owner, json={"active": False})
    else:
        answer = admin.delete(owner)
    assert answer.status_code in (200, 204)
    answer = stranger(app).post(
        "/books/import",
        headers=bearer(token["secret"]),
        input_stream=Unread(),
        content_length=10**6,
        content_type="text/csv",
    )
    assert answer.status_code == 401
