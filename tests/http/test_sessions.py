"""A user's own sessions: list and end them. docs/api.md, Sign-in and sessions."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from werkzeug.exceptions import HTTPException

from bookapi.auth import sessions
from bookapi.auth.models import Event, LoginSession, Token
from bookapi.auth.permissions import SignedIn
from bookapi.auth.sessions import MAX_AGENT
from bookapi.db import now
from bookapi.timestamps import format_timestamp, parse_timestamp
from helpers.documents import TYPES, read
from helpers.instance import PASSWORD, Auth
from helpers.people import (
    NO_ID,
    bearer,
    change,
    cookie_of,
    get,
    id_of,
    make_token,
    page,
    rows,
    signed_in,
    stranger,
    truth,
)

both = pytest.mark.parametrize("name", ["json", "xml"])
FIELDS = ["id", "created_at", "last_seen_at", "expires_at", "address", "user_agent", "current"]


def listed(client, name="json", query=""):
    answer = get(client, f"/auth/sessions{query}", name)
    assert answer.status_code == 200
    return page(answer, "sessions")


def current(client):
    """The id of the session that this client holds."""
    [number] = [session["id"] for session in listed(client)["sessions"] if session["current"]]
    return number


def from_a_place(app, address, agent, username="admin"):
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    sent = {"username": username, "password": PASSWORD}
    assert client.post("/auth/login", json=sent, headers={"User-Agent": agent}).status_code == 200
    return client


def age(app, **ages):
    change(
        app,
        lambda session: session.execute(
            update(LoginSession).values(**{column: now() - since for column, since in ages.items()})
        ),
    )


AN_AGE = timedelta(minutes=15)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self):
        self.at = now()

    def __call__(self):
        return self.at


def set_times(app, session_id, **ages):
    """Have a session's times be so long ago."""
    values = {column: now() - age for column, age in ages.items()}
    statement = update(LoginSession).where(LoginSession.id == session_id).values(**values)
    change(app, lambda connection: connection.execute(statement))


# -- the list --------------------------------------------------------------------------


@both
def test_own_sessions_are_listed_newest_first_with_address_and_agent(app, name):
    from_a_place(app, "192.0.2.7", "Lynx/2.9")
    from_a_place(app, "2001:db8::7", "curl/8", "member")
    client = from_a_place(app, "198.51.100.9", "Firefox <&>")
    reported = listed(client, name)
    assert [list(session) for session in reported["sessions"]] == [FIELDS, FIELDS]
    assert [
        (session["address"], session["user_agent"], session["current"])
        for session in reported["sessions"]
    ] == [
        ("198.51.100.9", "Firefox <&>", truth(name, True)),
        ("192.0.2.7", "Lynx/2.9", truth(name, False)),
    ]
    assert (int(reported["total"]), int(reported["limit"])) == (2, 20)


def test_the_list_has_neither_a_secret_nor_its_hash(app, admin):
    text = admin.get("/auth/sessions").get_data(as_text=True)
    [row] = rows(app, LoginSession)
    assert admin.get_cookie("bookapi").value not in text and row.secret_hash not in text
    assert admin.get("/auth/sessions").headers["Cache-Control"] == "no-store"


@both
def test_the_list_has_pages(app, name):
    client = [signed_in(app) for _ in range(5)][-1]
    reported = listed(client, name, "?limit=2&page=2")
    newest = [str(session["id"]) for session in listed(client)["sessions"]]
    assert [str(session["id"]) for session in reported["sessions"]] == newest[2:4]
    assert (int(reported["total"]), sorted(reported["links"])) == (
        5,
        ["first", "last", "next", "prev", "self"],
    )
    assert listed(client, name, "?page=9")["sessions"] == []


@both
def test_a_missing_user_agent_is_null(app, name):
    client = app.test_client()
    client.post(
        "/auth/login", json={"username": "admin", "password": PASSWORD}, headers={"User-Agent": ""}
    )
    [reported] = listed(client, name)["sessions"]
    assert reported.get("user_agent") is None


def test_any_user_agent_can_be_shown(app, subtests):
    for name in ("json", "xml"):
        for agent in ["x" * 5000, "a\x01b\x1b[31m", "\u00ff\u00fe"]:
            with subtests.test(name=name, agent=agent):
                client = from_a_place(app, "192.0.2.7", agent)
                reported, *_ = listed(client, name)["sessions"]
                assert 0 < len(reported["user_agent"]) <= MAX_AGENT
                assert "\x01" not in reported["user_agent"] and "\x1b" not in reported["user_agent"]


def test_any_address_of_a_proxy_can_be_shown(app, subtests):
    for name in ("json", "xml"):
        for address in ["x" * 500, "", None]:
            with subtests.test(name=name, address=address):
                client = from_a_place(app, address, "curl/8")
                reported, *_ = listed(client, name)["sessions"]
                assert reported.get("address") == ((address or "")[:64] or None)


@pytest.mark.parametrize(
    "idle, opened, left",
    [
        (timedelta(minutes=10), timedelta(hours=1), timedelta(minutes=20)),
        (timedelta(0), timedelta(hours=11, minutes=50), timedelta(minutes=10)),
    ],
)
def test_a_session_shows_when_it_ends(app, admin, idle, opened, left):
    """By thirty idle minutes or by twelve hours, whichever comes first."""
    other = signed_in(app)
    age(app, last_seen_at=idle, created_at=opened)
    [_, reported] = [session["expires_at"] for session in listed(other)["sessions"]]
    assert abs(now() + left - parse_timestamp(reported)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "ages", [{"last_seen_at": timedelta(minutes=30)}, {"created_at": timedelta(hours=12)}]
)
def test_expired_sessions_are_not_listed(app, ages):
    signed_in(app)
    age(app, **ages)
    client = signed_in(app)
    reported = listed(client)
    assert (len(reported["sessions"]), reported["total"], reported["sessions"][0]["current"]) == (
        1,
        1,
        True,
    )


def test_a_request_extends_its_session(app, admin):
    age(app, last_seen_at=timedelta(minutes=20))
    admin.get("/auth/me")
    [reported] = listed(admin)["sessions"]
    assert reported["last_seen_at"] > format_timestamp(now() - timedelta(minutes=1))
    assert reported["expires_at"] > format_timestamp(now() + timedelta(minutes=28))


def test_a_token_sees_the_sessions_of_its_owner(app, admin):
    headers = bearer(make_token(admin, "read")["secret"])
    reported = stranger(app).get("/auth/sessions", headers=headers).json
    assert [session["current"] for session in reported["sessions"]] == [False]


# -- ending one ------------------------------------------------------------------------


@both
def test_a_user_can_end_another_own_session(app, admin, name):
    lost = signed_in(app)
    answer = admin.delete(f"/auth/sessions/{current(lost)}", headers={"Accept": TYPES[name]})
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert [client.get("/auth/me").status_code for client in (lost, admin)] == [401, 200]
    assert int(listed(admin, name)["total"]) == 1


def test_ending_the_current_session_is_a_logout(app, admin):
    copied = cookie_of(admin)
    answer = admin.delete(f"/auth/sessions/{current(admin)}")
    assert answer.status_code == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    assert stranger(app).get("/auth/me", headers=copied).status_code == 401
    assert (admin.get("/auth/me").status_code, rows(app, LoginSession)) == (401, [])


def test_ending_another_session_keeps_the_cookie(app, admin):
    number = current(signed_in(app))
    answer = admin.delete(f"/auth/sessions/{number}")
    assert answer.status_code == 204 and "Max-Age=0" not in answer.headers.get("Set-Cookie", "")


@both
def test_a_session_of_another_user_is_a_404(app, admin, name):
    member = signed_in(app, "member")
    headers = {"Accept": TYPES[name]}
    answers = [
        member.delete(f"/auth/sessions/{number}", headers=headers)
        for number in (current(admin), NO_ID)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert len({read(answer)["detail"] for answer in answers}) == 1
    assert admin.get("/auth/me").status_code == 200


def test_ending_a_session_twice_is_a_404(app, admin):
    number = current(signed_in(app))
    assert [admin.delete(f"/auth/sessions/{number}").status_code for _ in range(2)] == [204, 404]


def test_an_admin_cannot_end_sessions_of_others_here(app, admin):
    member = signed_in(app, "member")
    assert admin.delete(f"/auth/sessions/{current(member)}").status_code == 404
    assert member.get("/auth/me").status_code == 200


def test_a_write_token_can_end_sessions_of_its_owner(app, admin):
    for scope, status, left in (("read", 403, 200), ("write", 204, 401)):
        headers = bearer(make_token(admin, scope)["secret"])
        assert (
            stranger(app).delete(f"/auth/sessions/{current(admin)}", headers=headers).status_code
            == status
        )
        assert admin.get("/auth/me").status_code == left


def test_an_account_has_at_most_100_sessions_and_the_oldest_end(app, admin, monkeypatch):
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    clients = [signed_in(app, "member") for _ in range(5)]
    assert [client.get("/auth/me").status_code for client in clients] == [401, 401, 200, 200, 200]
    assert admin.get("/auth/me").status_code == 200


def test_of_too_many_sessions_those_that_have_ended_go_first(app, monkeypatch):
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    ended, *open_ones = [signed_in(app, "member") for _ in range(3)]
    set_times(app, current(ended), last_seen_at=timedelta(hours=1))
    newest = signed_in(app, "member")
    assert [client.get("/auth/me").status_code for client in (*open_ones, newest)] == [200] * 3
    assert "session_ended" not in [event.action for event in rows(app, Event)]


def test_of_too_many_open_sessions_the_one_used_longest_ago_ends_and_is_recorded(app, monkeypatch):
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    first, second, third = [signed_in(app, "member") for _ in range(3)]
    for client, minutes in ((first, 1), (second, 20), (third, 10)):
        set_times(app, current(client), last_seen_at=timedelta(minutes=minutes))
    number = next(row.id for row in rows(app, LoginSession) if now() - row.last_seen_at > AN_AGE)
    newest = signed_in(app, "member")
    statuses = [client.get("/auth/me").status_code for client in (first, second, third, newest)]
    assert statuses == [200, 401, 200, 200]
    [event] = [event for event in rows(app, Event) if event.action == "session_ended"]
    assert (event.username, f"session {number}," in event.detail) == ("member", True)


# -- how long one lasts ----------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 2, 30])
def test_a_session_in_use_stays_open_however_short_the_idle_time(make_app, monkeypatch, minutes):
    clock = Clock()
    monkeypatch.setattr(sessions, "now", clock)
    client = signed_in(make_app(SESSION_IDLE_MINUTES=minutes))
    for _ in range(8):
        clock.at += timedelta(minutes=minutes) * 0.7
        assert client.get("/auth/me").status_code == 200
    clock.at += timedelta(minutes=minutes)
    assert client.get("/auth/me").status_code == 401


def test_a_refused_session_stays_ended_when_the_clock_is_set_back(app, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(sessions, "now", clock)
    client = signed_in(app)
    clock.at += timedelta(hours=13)
    assert (client.get("/auth/me").status_code, rows(app, LoginSession)) == (401, [])
    clock.at -= timedelta(hours=13)
    assert client.get("/auth/me").status_code == 401


# -- until the commit ------------------------------------------------------------------


def confirm(app, actor):
    """The status with which a change by this actor is refused; None where it may go on."""
    try:
        change(app, lambda connection: actor.confirm(connection))
    except HTTPException as error:
        return error.code
    return None


def account_of(row, **credential):
    account = row.user_id, "admin", "admin", now().isoformat(), False
    return SignedIn.of(account, row.secret_hash, **credential)


@pytest.fixture
def actor(app, admin):
    [row] = rows(app, LoginSession)
    return account_of(row, session_id=row.id)


def test_a_change_goes_on_while_the_session_is_open(app, actor):
    assert confirm(app, actor) is None


@pytest.mark.parametrize("column", ["secret_hash", "user_id"])
def test_a_change_is_refused_when_another_session_has_the_id(app, actor, column):
    value = id_of(app, "member") if column == "user_id" else "0" * 64
    statement = update(LoginSession).values({column: value})
    change(app, lambda connection: connection.execute(statement))
    assert confirm(app, actor) == 401


def test_a_change_is_refused_when_an_admin_lacks_the_second_factor(make_app, app, actor):
    assert confirm(make_app(ADMIN_MFA=True), actor) == 403


@pytest.mark.parametrize("left, status", [(timedelta(hours=1), None), (timedelta(0), 401)])
def test_a_change_is_refused_when_its_token_has_expired(app, admin, left, status):
    make_token(admin)
    [row] = rows(app, Token)
    statement = update(Token).values(expires_at=now() + left)
    change(app, lambda connection: connection.execute(statement))
    assert confirm(app, account_of(row, token_id=row.id)) == status


# -- the cookie ------------------------------------------------------------------------


def test_the_name_of_the_cookie_is_a_setting(make_app):
    client = signed_in(make_app(COOKIE_NAME="library"))
    assert client.get_cookie("library") and not client.get_cookie("bookapi")
    assert client.get("/auth/me").status_code == 200


@pytest.mark.parametrize(
    "settings, reported",
    [
        ({}, "SameSite=Lax"),
        ({"COOKIE_SAMESITE": "strict"}, "SameSite=Strict"),
        ({"COOKIE_SAMESITE": "none", "SECURE_COOKIES": True}, "SameSite=None"),
    ],
)
def test_same_site_of_the_cookie_is_a_setting(make_app, settings, reported):
    client = make_app(**settings).test_client()
    opened = Auth(client).login().headers["Set-Cookie"]
    assert reported in opened.split("; ") and ("Secure" in opened) == ("SECURE_COOKIES" in settings)
    ended = client.post("/auth/logout", base_url="https://localhost").headers.get("Set-Cookie", "")
    assert not settings.get("SECURE_COOKIES") or reported in ended.split("; ")


def test_cookies_of_other_applications_on_the_host_mean_nothing(admin):
    for name in ("session", "remember_token", "__Host-bookapi"):
        admin.set_cookie(name, "1|0123456789abcdef")
    assert admin.get("/auth/me").status_code == 200


def test_public_answers_do_not_vary_by_cookie(app, admin):
    for client in (admin, stranger(app)):
        answers = [client.get(path) for path in ("/", "/books", "/books/changes")]
        assert ["Cookie" in answer.vary for answer in answers] == [False] * 3
        assert not any("Set-Cookie" in answer.headers for answer in answers)
