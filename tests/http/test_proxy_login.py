"""Sign-in at a proxy that names the account in a header. docs/api.md, Sign-in at a proxy."""

import pytest

from bookapi.auth.models import Event, User
from helpers.people import (
    add,
    bearer,
    change_account,
    make_token,
    rows,
    signed_in,
    stranger,
    usernames,
)

HEADER = "Remote-User"
PROXY = "127.0.0.1"


@pytest.fixture
def proxied(make_app):
    return make_app(TRUSTED_PROXY=PROXY, PROXY_USER_HEADER=HEADER)


@pytest.fixture
def ask(proxied):
    """A function that sends a request as this user of the proxy, or of another peer."""

    def send(path="/auth/me", user="member", method="GET", peer=PROXY, headers=None, **more):
        given = {**({HEADER: user} if user is not None else {}), **(headers or {})}
        return stranger(proxied, peer).open(path, method=method, headers=given, **more)

    return send


@pytest.mark.parametrize(
    "user, role", [("member", "member"), ("admin", "admin"), ("ADMIN", "admin")]
)
def test_an_account_that_the_proxy_names_is_signed_in_with_its_own_role(ask, user, role):
    answer = ask(user=user)
    assert (answer.status_code, answer.json["role"]) == (200, role)
    added = ask("/books", user, "POST", json={"title": "Emma"})
    assert added.status_code == (201 if role == "admin" else 403)


def test_a_name_beyond_ascii_is_read_as_utf_8(proxied, ask):
    add(proxied, "J\u00f6rg")
    assert ask(user="j\u00f6rg".encode().decode("latin-1")).json["username"] == "J\u00f6rg"


@pytest.mark.parametrize("peer", ["127.0.0.2", "203.0.113.9", "localhost", "::1"])
def test_the_header_means_nothing_from_another_peer(ask, peer):
    assert ask(user="admin", peer=peer).status_code == 401
    assert ask("/books", "admin", "POST", peer, json={"title": "a"}).status_code == 401
    assert ask("/books", "nobody", peer=peer).status_code == 200


def test_other_headers_of_that_kind_mean_nothing(ask):
    for name in ("X-Forwarded-User", "RemoteUser", "X-Remote-User"):
        assert ask(user=None, headers={name: "admin"}).status_code == 401


def test_without_the_setting_the_header_means_nothing(make_app):
    client = make_app(TRUSTED_PROXY=PROXY).test_client()
    assert client.get("/auth/me", headers={HEADER: "admin"}).status_code == 401


@pytest.mark.parametrize("user", ["nobody", "admin, member", "a" * 5000, "%00", "admin\u00a0x"])
def test_a_name_without_an_account_is_refused_and_none_is_created(proxied, ask, user):
    before = usernames(proxied)
    for path in ("/auth/me", "/books", "/books/1", "/books/export"):
        assert ask(path, user).status_code == 403
    assert ask("/books", user, "POST", json={"title": "a"}).status_code == 403
    assert usernames(proxied) == before


def test_a_disabled_account_is_refused_at_once(proxied, ask):
    assert ask().status_code == 200
    change_account(proxied, "member", {"active": False})
    assert ask().status_code == 403 and ask("/books").status_code == 403


def test_an_empty_name_is_none(ask):
    assert ask(user="").status_code == 401 and ask("/books", "").status_code == 200


def test_probes_and_the_way_to_sign_in_are_open_to_a_name_without_an_account(ask):
    assert [ask(path, "nobody").status_code for path in ("/healthz", "/readyz", "/")] == [200] * 3
    pair = {"username": "admin", "password": "a long enough password"}
    assert ask("/auth/login", "nobody", "POST", json=pair).status_code == 200


def test_tokens_and_sessions_work_beside_it(proxied, ask):
    admin = signed_in(proxied)
    assert admin.get("/auth/me").json["username"] == "admin"
    token = bearer(make_token(admin, "read")["secret"])
    assert ask(user="member", headers=token).json["username"] == "admin"
    assert ask("/books", "admin", "POST", headers=token, json={"title": "a"}).status_code == 403
    wrong = bearer("bookapi_" + "0" * 54)
    assert ask(user="admin", headers=wrong).status_code == 401
    named = admin.get("/auth/me", headers={HEADER: "member"})
    assert named.json["username"] == "member"  # who signed in there now, not who was here before


def test_a_remembered_response_is_not_given_to_a_refused_name(ask):
    assert [ask("/books", None).status_code for _ in range(2)] == [200, 200]
    assert ask("/books", "nobody").status_code == 403
    assert ask("/books", "member").status_code == 200


def test_the_rights_are_confirmed_until_the_commit(proxied, ask):
    added = ask("/books", "admin", "POST", json={"title": "Emma"})
    assert added.status_code == 201
    history = ask("/books/1/history", "admin").json["history"]
    assert [entry["username"] for entry in history] == ["admin"]


def test_a_change_from_a_page_of_another_site_is_refused(ask):
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = ask("/books", "admin", "POST", headers=foreign, json={"title": "a"})
    assert answer.status_code == 403


def test_it_is_in_the_events_once_and_so_is_a_refusal(proxied, ask):
    for _ in range(3):
        ask(user="member")
        ask("/books", "nobody")
    events = [
        (row.action, row.username, row.actor, row.address)
        for row in rows(proxied, Event)
        if row.action != "user_added"
    ]
    assert events == [
        ("proxy_login", "member", "member", PROXY),
        ("proxy_login_refused", "nobody", None, PROXY),
    ]


def test_the_address_in_the_events_is_the_one_that_the_proxy_names(proxied, ask):
    ask(headers={"X-Forwarded-For": "203.0.113.9"})
    assert rows(proxied, Event)[-1].address == "203.0.113.9"


def test_who_is_signed_in_there_may_make_tokens(ask):
    made = ask("/auth/tokens", "member", "POST", json={"name": "a", "scope": "read"})
    assert made.status_code == 201
    assert ask(user=None, headers=bearer(made.json["secret"])).json["username"] == "member"
    assert ask("/auth/logout", "member", "POST").status_code == 204


def test_an_admin_there_manages_accounts(proxied, ask):
    person = {"username": "reader", "password": "another long enough one", "role": "member"}
    assert ask("/auth/users", "admin", "POST", json=person).status_code == 201
    assert "reader" in [user.username for user in rows(proxied, User)]
