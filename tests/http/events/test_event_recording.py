"""Which operations are recorded as audit events, in the table and in the log."""

import re
from datetime import timedelta

import pytest

from bookapi.auth import audit
from bookapi.auth.models import Event
from helpers.documents import read, send
from helpers.event_log import CLIENT, REQUEST_ID, actions, log_in, newest
from helpers.instance import PASSWORD
from helpers.mfa import Factor
from helpers.people import (
    NEW,
    basic,
    bearer,
    cookie_of,
    id_of,
    make_token,
    rows,
    signed_in,
    stranger,
)


def _patch(**sent):
    return lambda app, admin, member_id: admin.patch(
        f"/auth/users/{member_id}", json=sent, headers=REQUEST_ID, environ_base=CLIENT
    )


def _delete(address):
    return lambda app, admin, member_id: admin.delete(
        address.format(member_id), headers=REQUEST_ID, environ_base=CLIENT
    )


def _post(address, **sent):
    return lambda app, admin, member_id: admin.post(
        address, json=sent, headers=REQUEST_ID, environ_base=CLIENT
    )


def _ended(app, admin, member_id):
    other = signed_in(app)
    [number] = [
        session["id"]
        for session in other.get("/auth/sessions").json["sessions"]
        if session["current"]
    ]
    return admin.delete(f"/auth/sessions/{number}", headers=REQUEST_ID, environ_base=CLIENT)


def _revoked(app, admin, member_id):
    return admin.delete(
        f"/auth/tokens/{make_token(admin)['id']}", headers=REQUEST_ID, environ_base=CLIENT
    )


def _used(app, admin, member_id):
    headers = bearer(make_token(admin)["secret"]) | REQUEST_ID
    return stranger(app).get("/auth/me", headers=headers, environ_base=CLIENT)


def _wrong_basic(app, admin, member_id):
    return stranger(app).get(
        "/books", headers=basic("MEMBER", "wrong") | REQUEST_ID, environ_base=CLIENT
    )


RECORDED = {
    "login": (lambda app, *_: log_in(app, "MEMBER"), "login", "member", "member", None),
    "wrong password": (
        lambda app, *_: log_in(app, password="wrong"),
        "login_refused",
        "member",
        None,
        "wrong password",
    ),
    "unknown name": (
        lambda app, *_: log_in(app, "nobody"),
        "login_refused",
        "nobody",
        None,
        "unknown name",
    ),
    "logout": (_post("/auth/logout"), "logout", "admin", "admin", None),
    "own password": (
        _post("/auth/password", current_password=PASSWORD, new_password=NEW),
        "password_changed",
        "admin",
        "admin",
        None,
    ),
    "own password, wrong": (
        _post("/auth/password", current_password="wrong", new_password=NEW),
        "password_refused",
        "admin",
        None,
        "wrong password",
    ),
    "added": (
        _post("/auth/users", username="carol", password=PASSWORD, role="admin"),
        "user_added",
        "carol",
        "admin",
        "role admin",
    ),
    "disabled": (_patch(active=False), "user_disabled", "member", "admin", None),
    "role": (_patch(role="admin"), "role_changed", "member", "admin", "from member to admin"),
    "password": (_patch(password=NEW), "password_changed", "member", "admin", None),
    "deleted": (_delete("/auth/users/{}"), "user_deleted", "member", "admin", None),
    "sessions": (_delete("/auth/users/{}/sessions"), "sessions_ended", "member", "admin", None),
    "session": (_ended, "session_ended", "admin", "admin", None),
    "token": (
        _post("/auth/tokens", name="nightly", scope="read"),
        "token_added",
        "admin",
        "admin",
        "nightly (read, id 1)",
    ),
    "token revoked": (_revoked, "token_revoked", "admin", "admin", "a script (write, id 1)"),
    "token used": (_used, "token_first_used", "admin", "admin", "a script (write, id 1)"),
    "wrong Basic": (_wrong_basic, "token_refused", "member", None, "not a token of this account"),
}


@pytest.mark.parametrize(
    "case, form",
    [
        *((case, "text") for case in RECORDED),
        ("unknown name", "json"),
        ("role", "json"),
        ("token", "json"),
    ],
)
def test_each_event_is_recorded_once_in_the_table_and_once_in_the_log(logged, case):
    app, lines = logged
    act, action, username, actor, detail = RECORDED[case]
    admin, member_id = signed_in(app), id_of(app, "member")
    act_on = (app, admin, member_id)
    if case not in ("session", "token revoked", "token used"):  # their preparation is recorded, too
        lines()
        before = len(rows(app, Event))
        act(*act_on)
        assert len(rows(app, Event)) == before + 1
        written = lines()
        assert len(written) == 1
    else:
        act(*act_on)
        written = lines()
    expected = {
        "action": action,
        "username": username,
        "actor": actor,
        "address": "192.0.2.7",
        "detail": detail,
    }
    [event], line = newest(app), written[-1]
    if "id 1" in (detail or ""):
        for one in (event, line):
            one["detail"] = re.sub(r"id \d+", "id 1", one["detail"])
    assert event == expected | {"request_id": "find-me"}
    expected.pop("action")
    assert {name: line.get(name) for name in expected} == expected
    assert (line["message"], line["request_id"]) == (action, "find-me")
    assert line["level"] == ("warning" if action in audit.WARNINGS else "info")


def test_enabling_is_recorded(app, admin):
    for active in (False, True):
        admin.patch(f"/auth/users/{id_of(app, 'member')}", json={"active": active})
    assert actions(app)[-2:] == ["user_disabled", "user_enabled"]


def test_changes_without_effect_are_not_recorded(app, admin):
    before = actions(app)
    for sent in ({}, {"active": True}, {"role": "member"}):
        admin.patch(f"/auth/users/{id_of(app, 'member')}", json=sent)
    assert actions(app) == before


def test_changes_of_the_second_factor_are_recorded(app, clock):
    factor = Factor(app, clock)
    sent = [
        log_in(app),
        log_in(app, code="000000"),
        log_in(app, code=clock.code(factor.secret)),
        log_in(app, code=factor.recovery_codes[0]),
    ]
    clock.at += timedelta(minutes=1)
    code = {"current_password": PASSWORD, "code": clock.code(factor.secret)}
    assert (
        factor.client.post("/auth/mfa/disable", json=code | {"code": "000000"}).status_code == 403
    )
    assert factor.client.post("/auth/mfa/disable", json=code).status_code == 204
    assert [answer.status_code for answer in sent] == [401, 401, 200, 200]
    recorded = [(event["action"], event["username"], event["detail"]) for event in newest(app, 8)]
    assert recorded == [
        ("mfa_enabled", "member", None),
        ("login_refused", "member", "no code"),
        ("login_refused", "member", "wrong code"),
        ("login", "member", "with a code (app)"),
        ("recovery_code_used", "member", "recovery, 9 left"),
        ("login", "member", "with a code (recovery, 9 left)"),
        ("password_refused", "member", "wrong code"),
        ("mfa_disabled", "member", None),
    ]


def test_throttling_is_recorded(logged):
    app, lines = logged
    statuses = [log_in(app, password="wrong").status_code for _ in range(14)]
    assert statuses == [401] * 10 + [429] * 4
    assert actions(app)[2:] == ["login_refused"] * 10 + ["login_throttled"]
    assert lines.actions() == actions(app)[2:]
    assert newest(app)[0]["username"] == "member" and "wait" in newest(app)[0]["detail"]


def test_events_of_the_command_line_have_no_actor_and_no_address(app, runner):
    for arguments in (
        ["add", "carol"],
        ["disable", "carol"],
        ["enable", "carol"],
        ["role", "carol", "admin"],
        ["password", "carol"],
        ["sign-out", "carol"],
        ["delete", "carol"],
    ):
        assert runner.invoke(args=["users", *arguments]).exit_code == 0, arguments
    recorded = newest(app, 7)
    assert [event["action"] for event in recorded] == [
        "user_added",
        "user_disabled",
        "user_enabled",
        "role_changed",
        "password_changed",
        "sessions_ended",
        "user_deleted",
    ]
    assert {
        (event["username"], event["actor"], event["address"], event["request_id"])
        for event in recorded
    } == {("carol", None, None, None)}


@pytest.mark.parametrize(
    "who, address, method",
    [
        ("member", "/auth/users", "GET"),
        ("member", "/books", "POST"),
        ("read", "/books", "POST"),
        ("write", "/auth/tokens", "POST"),
    ],
)
def test_a_rejected_request_is_logged_but_not_recorded(logged, who, address, method):
    """A client may send it as often as it likes, so it changes no data."""
    app, lines = logged
    client = signed_in(app, "member" if who == "member" else "admin")
    headers = cookie_of(client) if who == "member" else bearer(make_token(client, who)["secret"])
    stranger(app).get("/auth/me", headers=headers)
    before = actions(app)
    lines()
    sent = stranger(app).open(
        address, method=method, headers=headers | REQUEST_ID, environ_base=CLIENT
    )
    [line] = lines()
    assert (sent.status_code, actions(app)) == (403, before)
    assert (line["message"], line["address"], line["request_id"]) == (
        "access_refused",
        "192.0.2.7",
        "find-me",
    )
    assert (line["username"], line["path"]) == ("member" if who == "member" else "admin", address)


def test_an_unknown_bearer_token_is_logged_but_not_recorded(logged):
    app, lines = logged
    before = actions(app)
    stranger(app).get("/books", headers=bearer("bookapi_" + "0" * 54))
    assert (lines.actions(), actions(app)) == (["token_refused"], before)


def test_ordinary_requests_are_not_recorded(logged):
    app, lines = logged
    client = signed_in(app)
    lines()
    before = actions(app)
    for address in (
        "/books",
        "/auth/me",
        "/auth/users",
        "/auth/events",
        "/auth/sessions",
        "/nowhere",
    ):
        client.get(address)
    client.post("/books", json={"title": "Emma"})
    stranger(app).get("/auth/me")
    assert (lines.raw(), actions(app)) == ([], before)


def test_a_wrong_token_is_recorded_alike_for_known_and_unknown_names(logged):
    """The same work: the time of the response must not say which names exist."""
    app, lines = logged
    for username in ("somebody", "member"):
        assert stranger(app).get("/books", headers=basic(username, "x")).status_code == 401
    assert lines.actions() == actions(app)[-2:] == ["token_refused"] * 2


def test_a_failure_to_record_an_event_does_not_admit_a_client(app):
    """The longest detail fits into its column."""
    admin = signed_in(app)
    answer = send(
        admin,
        "POST",
        "/auth/tokens",
        "json",
        {"name": "\U0001f4da" * 100, "scope": "read"},
        "token",
    )
    assert (answer.status_code, len(read(answer)["name"])) == (201, 100)
    assert newest(app)[0]["detail"].startswith("\U0001f4da" * 100)
