"""Audit events: rows that admins read, and lines of the log."""

import json
import re
from datetime import timedelta
from io import StringIO
from logging import StreamHandler

import pymysql
import pytest
from sqlalchemy import event, update
from werkzeug.exceptions import HTTPException

from bookapi.auth import audit
from bookapi.auth.audit import Action
from bookapi.auth.models import Event, User
from bookapi.db import db, now
from helpers.database import run_operations_again
from helpers.documents import read, send
from helpers.instance import PASSWORD
from helpers.mfa import Factor
from helpers.people import (
    NEW,
    add,
    basic,
    bearer,
    change,
    change_account,
    cookie_of,
    get,
    id_of,
    make_token,
    page,
    rows,
    signed_in,
    stranger,
)

both = pytest.mark.parametrize("name", ["json", "xml"])
FIELDS = ["id", "action", "username", "actor", "address", "request_id", "detail", "at"]
WHERE = {"REMOTE_ADDR": "192.0.2.7"}
MARK = {"X-Request-ID": "find-me"}


class Lines:
    """What an application wrote to its log since it was asked last."""

    def __init__(self, app, form):
        [handler] = [handler for handler in app.logger.handlers if type(handler) is StreamHandler]
        self._stream, self._form, self._read = StringIO(), form, 0
        handler.setStream(self._stream)

    @property
    def whole(self):
        return self._stream.getvalue()

    def raw(self):
        read, self._read = self._read, len(self.whole)
        return self.whole[read:].splitlines()

    def __call__(self):
        """The events among the lines, as dicts with `message` for the action; a line that is none
        fails.
        """
        return [
            json.loads(line) if self._form == "json" else taken_apart(line) for line in self.raw()
        ]

    def actions(self):
        return [line["message"] for line in self()]


_PAIR = re.compile(r' ([a-z_]+)="((?:[^"\\]|\\.)*)"')
_HEAD = re.compile(
    r"(?P<at>\S+T\S+) (?P<level>[a-z]+) (?:(?P<request_id>\S+) (?P<method>[A-Z]+) (?P<path>/\S*) )?"
    r"(?P<message>[a-z_]+)"
)


def taken_apart(line):
    """The parts of an event's line of text: its head, then name="value" pairs and nothing else."""
    head = _HEAD.match(line)
    rest = line[head.end() :]
    assert _PAIR.sub("", rest) == "", line
    return {name: value for name, value in head.groupdict().items() if value} | dict(
        _PAIR.findall(rest)
    )


@pytest.fixture(params=["text", "json"])
def form(request):
    return request.param


@pytest.fixture
def logged(form, make_app):
    """(an application, its lines)"""
    app = make_app(LOG_FORMAT=form)
    return app, Lines(app, form)


def newest(app, number=1):
    """The newest events, oldest first, without what a test cannot know."""
    return [
        {
            name: getattr(event, name)
            for name in ("action", "username", "actor", "address", "request_id", "detail")
        }
        for event in rows(app, Event)[-number:]
    ]


def told(client, query="", name="json"):
    answer = get(client, f"/auth/events{query}", name)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return page(answer, "events")


def actions(app):
    return [event.action for event in rows(app, Event)]


def log_in(app, username="member", password=PASSWORD, **more):
    sent = {"username": username, "password": password, **more}
    return app.test_client().post("/auth/login", json=sent, headers=MARK, environ_base=WHERE)


# -- what is noted ---------------------------------------------------------------------


def _patch(**sent):
    return lambda app, admin, member_id: admin.patch(
        f"/auth/users/{member_id}", json=sent, headers=MARK, environ_base=WHERE
    )


def _delete(address):
    return lambda app, admin, member_id: admin.delete(
        address.format(member_id), headers=MARK, environ_base=WHERE
    )


def _post(address, **sent):
    return lambda app, admin, member_id: admin.post(
        address, json=sent, headers=MARK, environ_base=WHERE
    )


def _ended(app, admin, member_id):
    other = signed_in(app)
    [number] = [
        session["id"]
        for session in other.get("/auth/sessions").json["sessions"]
        if session["current"]
    ]
    return admin.delete(f"/auth/sessions/{number}", headers=MARK, environ_base=WHERE)


def _revoked(app, admin, member_id):
    return admin.delete(f"/auth/tokens/{make_token(admin)['id']}", headers=MARK, environ_base=WHERE)


def _used(app, admin, member_id):
    headers = bearer(make_token(admin)["secret"]) | MARK
    return stranger(app).get("/auth/me", headers=headers, environ_base=WHERE)


def _wrong_basic(app, admin, member_id):
    return stranger(app).get("/books", headers=basic("MEMBER", "wrong") | MARK, environ_base=WHERE)


NOTED = {
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
        *((case, "text") for case in NOTED),
        ("unknown name", "json"),
        ("role", "json"),
        ("token", "json"),
    ],
)
def test_each_event_is_recorded_once_in_the_table_and_once_in_the_log(logged, case):
    app, lines = logged
    act, action, username, actor, detail = NOTED[case]
    admin, member_id = signed_in(app), id_of(app, "member")
    act_on = (app, admin, member_id)
    if case not in ("session", "token revoked", "token used"):  # they prepare what is noted, too
        lines()
        before = len(rows(app, Event))
        act(*act_on)
        assert len(rows(app, Event)) == before + 1
        noted_lines = lines()
        assert len(noted_lines) == 1
    else:
        act(*act_on)
        noted_lines = lines()
    expected = {
        "action": action,
        "username": username,
        "actor": actor,
        "address": "192.0.2.7",
        "detail": detail,
    }
    [event], line = newest(app), noted_lines[-1]
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
    noted = [(event["action"], event["username"], event["detail"]) for event in newest(app, 8)]
    assert noted == [
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
    noted = newest(app, 7)
    assert [event["action"] for event in noted] == [
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
        for event in noted
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
    """It may come as often as somebody likes to ask; what it is not worth is a change of the
    database.
    """
    app, lines = logged
    client = signed_in(app, "member" if who == "member" else "admin")
    headers = cookie_of(client) if who == "member" else bearer(make_token(client, who)["secret"])
    stranger(app).get("/auth/me", headers=headers)
    before = actions(app)
    lines()
    sent = stranger(app).open(address, method=method, headers=headers | MARK, environ_base=WHERE)
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


# -- with the commit, or not at all ----------------------------------------------------


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


# -- reading them ----------------------------------------------------------------------


@both
def test_the_events_are_a_list_with_pages_newest_first(app, admin, name):
    for number in range(4):
        add(app, f"user-{number}")
    answer = get(admin, "/auth/events?limit=2&page=2", name)
    document = page(answer, "events")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [event["username"] for event in document["events"]] == ["user-1", "user-0"]
    assert (int(document["total"]), int(document["limit"])) == (len(rows(app, Event)), 2)
    assert (
        'page=3>; rel="next"' in answer.headers["Link"] and 'rel="last"' in answer.headers["Link"]
    )
    shown = [
        field
        for field in FIELDS
        if name == "json" or field not in ("actor", "address", "request_id")
    ]
    assert list(document["events"][0]) == shown and document["events"][0]["at"].endswith("Z")


@both
@pytest.mark.parametrize(
    "query, found",
    [
        ("?action=login_refused", [("login_refused", "nobody"), ("login_refused", "member")]),
        ("?username=member&action=login", [("login", "member")]),
        ("?username=nobody", [("login_refused", "nobody")]),
        ("?action=nothing", []),
        ("?username=%00", []),
        ("?action=login&username=admin", [("login", "admin")]),
        ("?username=%27%20OR%201=1", []),
    ],
)
def test_events_can_be_filtered(app, admin, name, query, found):
    for username, password in (("member", "wrong"), ("nobody", PASSWORD), ("member", PASSWORD)):
        log_in(app, username, password)
    document = told(admin, query, name)
    assert [(event["action"], event["username"]) for event in document["events"]] == found
    assert int(document["total"]) == len(found)


def test_events_are_filtered_by_any_spelling_of_a_username(app, admin):
    add(app, "José")
    for spelling in ("José", "JOSÉ", "jose\u0301", "ｊｏｓé"):
        found = admin.get("/auth/events", query_string={"username": spelling}).json["events"]
        assert [event["username"] for event in found] == ["José"], spelling


def test_a_filter_is_kept_in_the_links_and_may_be_given_once(admin):
    for _ in range(3):
        log_in(admin.application, "nobody")
    links = told(admin, "?action=login_refused&limit=1")["links"]
    assert links["next"] == "http://localhost/auth/events?action=login_refused&limit=1&page=2"
    answer = admin.get("/auth/events?action=login&action=logout")
    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (400, "action")


@pytest.mark.parametrize("who, status", [(None, 401), ("member", 403), ("admin", 200)])
def test_only_admins_read_events(app, who, status):
    client = signed_in(app, who) if who else app.test_client()
    assert client.get("/auth/events").status_code == status


def test_events_of_a_deleted_account_remain(app, admin):
    log_in(app)
    admin.delete(f"/auth/users/{id_of(app, 'member')}")
    noted = told(admin, "?username=member")["events"]
    assert [event["action"] for event in noted] == ["user_deleted", "login", "user_added"]


# -- what must never be there ----------------------------------------------------------


def test_no_secret_appears_in_the_log_or_in_events(logged, clock):
    """All that can be done is done, by right and wrong, and then every secret that was used is
    looked for.
    """
    app, lines = logged
    client, secrets = signed_in(app), {PASSWORD, NEW, "qwc6 h7 wrong zz"}
    factor = Factor(app, clock)
    token = make_token(client)
    wrong_token = token["secret"][:-3] + "abc"
    code, wrong_code = clock.code(factor.secret), "271828"
    secrets |= {
        factor.secret,
        *factor.recovery_codes,
        token["secret"],
        wrong_token,
        code,
        wrong_code,
        cookie_of(client)["Cookie"].partition("=")[2],
        cookie_of(factor.client)["Cookie"].partition("=")[2],
    }
    for sent in (
        {"code": wrong_code},
        {"code": code},
        {"code": factor.recovery_codes[0]},
        {"password": NEW},
        {"username": NEW},
        {"username": token["secret"]},
        {"username": "nobody", "password": NEW},
    ):
        log_in(app, **({"username": "member", "password": PASSWORD} | sent))
    for headers in (
        bearer(token["secret"]),
        bearer(wrong_token),
        basic("admin", wrong_token),
        basic(NEW, NEW),
        basic(token["secret"], "x"),
        basic("admin", NEW),
        {"Authorization": f"Digest {NEW}"},
    ):
        stranger(app).get(f"/auth/me?password={NEW}", headers=headers)
    client.post(
        "/auth/password", json={"current_password": "qwc6 h7 wrong zz", "new_password": NEW}
    )
    client.post("/auth/users", json={"username": "carol", "password": NEW})
    client.patch(f"/auth/users/{id_of(app, 'carol')}", json={"password": PASSWORD})
    client.post("/auth/password", json={"current_password": PASSWORD, "new_password": NEW})
    client.delete(f"/auth/tokens/{token['id']}")
    client.get("/auth/me", headers={"Cookie": "bookapi=" + NEW})
    factor.client.post("/auth/mfa/disable", json={"current_password": PASSWORD, "code": wrong_code})
    secrets |= {
        secret
        for user in rows(app, User)
        for secret in (
            user.password_hash,
            user.totp_secret,
            user.totp_offered,
            *(user.recovery_hashes or []),
        )
        if secret
    }
    lines.raw()
    kept = json.dumps([newest(app, 1000)], ensure_ascii=False)
    assert len(rows(app, Event)) > 15 and len(lines.whole.splitlines()) > 15
    found = [secret for secret in secrets if secret in kept or secret in lines.whole]
    assert found == [] and "$argon2" not in kept + lines.whole


def test_a_username_that_may_be_a_mistyped_password_is_shortened(app, subtests):
    for typed, noted in [
        ("my secret password!", None),
        ("correcthorsebatterystaple", "cor…"),
        ("fourteen-chars", "fourteen-chars"),
        ("fifteen-letters", "fif…"),
        ("x" * 64, "xxx…"),
        ("x" * 65, None),
        ("ab", None),
        ("", None),
        ("a\x00bcd", None),
        ("\ud800abc", None),
        ("x" * 100_000, None),
        ("\u202ereversed", None),
    ]:
        with subtests.test(typed=typed, noted=noted):
            log_in(app, typed)
            assert (newest(app)[0]["action"], newest(app)[0]["username"]) == (
                "login_refused",
                noted,
            )
            if typed.isascii():
                assert stranger(app).get("/books", headers=basic(typed, "wrong")).status_code == 401
                assert newest(app)[0]["username"] == noted


def test_a_long_username_of_an_account_is_recorded_in_full(app):
    add(app, "a-name-of-twenty-one!")
    log_in(app, "A-NAME-of-twenty-one!", "wrong")
    assert newest(app)[0]["username"] == "a-name-of-twenty-one!"


def test_no_input_breaks_or_forges_a_log_line(logged, subtests):
    for odd in [
        "a\r\nb",
        "a\nadmin 200",
        "a\x1b[31mb",
        "a\u202eb",
        "a\u2028b",
        "a\x85b",
        'a"b',
        "a\\b",
        'a" actor="admin',
        "a\x00b",
        "a\tb",
        "\u200fab",
    ]:
        with subtests.test(odd=odd):
            app, lines = logged
            client = app.test_client()
            header = (
                odd.replace("\r", " ").replace("\n", " ").encode("utf-8").decode("latin-1")
            )  # no server lets those in
            client.post(
                "/auth/login",
                json={"username": odd, "password": "wrong"},
                headers={"User-Agent": header, "X-Request-ID": header},
                environ_base={"REMOTE_ADDR": "192.0.2.7"},
            )
            admin = signed_in(app)
            admin.post(
                "/auth/tokens",
                json={"name": odd.replace("\x00", "").replace("\x1b", ""), "scope": "read"},
            )
            admin.get(f"/auth/users/{odd}")
            written = lines.raw()
            assert len(written) == 3, written
            assert all(line.isprintable() for line in written)
            parsed = [
                json.loads(line) if line.startswith("{") else taken_apart(line) for line in written
            ]
            assert [line["message"] for line in parsed] == ["login_refused", "login", "token_added"]
            assert [line.get("actor") for line in parsed] == [None, "admin", "admin"]
            assert all(re.fullmatch("[0-9a-f]{32}|a.b", line["request_id"]) for line in parsed)


@both
def test_an_event_with_unusual_names_is_valid_in_both_formats(app, admin, name):
    for odd in ("a\u202eb", "x'\"<&>]]>", 'a\\b"c', "\U0001f4da\U0001f4da\U0001f4da"):
        log_in(app, odd)
    assert len(told(admin, "?action=login_refused", name)["events"]) == 4


# -- how long they are kept ------------------------------------------------------------


@pytest.mark.parametrize(
    "days, age, kept", [(365, 366, False), (365, 364, True), (1, 2, False), (30, 29, True)]
)
def test_old_events_are_deleted(make_app, days, age, kept):
    app = make_app(EVENT_DAYS=days)
    change(
        app, lambda session: session.execute(update(Event).values(at=now() - timedelta(days=age)))
    )
    before = len(rows(app, Event))
    log_in(app)
    assert (len(rows(app, Event)), before) == (before + 1 if kept else 1, 2)


def test_the_number_of_events_is_limited(app, monkeypatch):
    monkeypatch.setattr(audit, "MAX_EVENTS", 5)
    for number in range(12):
        log_in(app, f"nobody-{number}")
    refused = [
        event["username"] for event in newest(app, 100) if event["action"] == "login_refused"
    ]
    assert refused == [f"nobody-{number}" for number in range(7, 12)]


def test_anonymous_events_do_not_displace_account_events(app, monkeypatch):
    monkeypatch.setattr(audit, "MAX_EVENTS", 5)
    admin = signed_in(app)
    admin.post("/auth/users", json={"username": "carol", "password": PASSWORD})
    for number in range(12):
        log_in(app, f"nobody-{number}")
    found = [(event["action"], event["username"]) for event in newest(app, 100)]
    assert ("user_added", "carol") in found
    assert [action for action, _ in found].count("login_refused") == 5


def test_account_events_are_limited_too(app, monkeypatch):
    for name, most in (("MAX_EVENTS", 2), ("MAX_KEPT_EVENTS", 8)):
        monkeypatch.setattr(audit, name, most)
    for number in range(12):
        change_account(app, "member", {"active": bool(number % 2)})
    assert len(newest(app, 100)) == 8


def test_a_wrong_token_is_recorded_alike_for_known_and_unknown_names(logged):
    """The same work: the time of the response must not say which names exist."""
    app, lines = logged
    for username in ("somebody", "member"):
        assert stranger(app).get("/books", headers=basic(username, "x")).status_code == 401
    assert lines.actions() == actions(app)[-2:] == ["token_refused"] * 2


def test_a_failure_to_record_an_event_does_not_admit_a_client(app):
    """Long and odd as a detail may be, its column takes it."""
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
