"""The cookie of a session, and who may do what with it. docs/api.md, Sign-in and sessions."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bookapi.auth.models import LoginSession
from bookapi.db import db
from helpers.instance import PASSWORD, Auth
from helpers.signing_in import cookie_of, login, sessions, with_cookie

# -- the cookie --------------------------------------------------------------------------


def test_the_cookie_is_http_only_lax_and_for_the_whole_site(client):
    cookie, *flags = login(client).headers["Set-Cookie"].split("; ")
    assert cookie.startswith("bookapi=")
    assert set(flags) == {"HttpOnly", "Path=/", "SameSite=Lax"}


@pytest.mark.parametrize(
    "base, setting, secure",
    [
        ("https://localhost", None, True),
        ("http://localhost", True, True),
        ("https://localhost", False, False),
        ("http://localhost", None, False),
    ],
)
def test_under_https_the_cookie_is_secure_and_bound_to_the_host(make_app, base, setting, secure):
    client = make_app(SECURE_COOKIES=setting).test_client()
    cookie, *flags = login(client, base_url=base).headers["Set-Cookie"].split("; ")
    assert cookie.startswith("__Host-bookapi=") == secure
    assert set(flags) == {"HttpOnly", "Path=/", "SameSite=Lax"} | ({"Secure"} if secure else set())


def test_a_cookie_with_the_other_name_is_ignored(app):
    plain = cookie_of(login(app.test_client()))
    assert with_cookie(app, "__Host-" + plain) == 401
    assert [
        with_cookie(app, name + plain, base_url="https://localhost") for name in ("", "__Host-")
    ] == [401, 200]


def test_only_the_hash_of_the_session_secret_is_stored(app, client):
    login(client)
    with app.app_context(), Session(db.engine) as session:
        kept = session.scalar(select(LoginSession.secret_hash))
    secret = client.get_cookie("bookapi").value
    assert len(secret) >= 43 and len(kept) == 64
    assert secret not in kept


def test_a_copied_cookie_is_invalid_after_logout(app, client):
    copied = cookie_of(login(client))
    before = with_cookie(app, copied)
    answer = client.post("/auth/logout")
    assert (answer.status_code, answer.get_data(), "Max-Age=0" in answer.headers["Set-Cookie"]) == (
        204,
        b"",
        True,
    )
    assert (before, with_cookie(app, copied), sessions(app)) == (200, 401, 0)


def test_a_login_ends_the_previous_session_of_the_client(app, client):
    first = cookie_of(login(client))
    second = cookie_of(login(client, "member"))
    assert [with_cookie(app, cookie) for cookie in (first, second)] == [401, 200]
    assert (first != second, sessions(app)) == (True, 1)


def test_a_planted_cookie_is_replaced_at_sign_in(app, client):
    client.set_cookie("bookapi", "a-secret-of-the-attackers-choice")
    login(client)
    assert client.get_cookie("bookapi").value != "a-secret-of-the-attackers-choice"
    assert with_cookie(app, "bookapi=a-secret-of-the-attackers-choice") == 401


def test_two_clients_have_two_sessions(app):
    clients = [app.test_client() for _ in range(2)]
    cookies = {cookie_of(login(client)) for client in clients}
    clients[0].post("/auth/logout")
    assert (len(cookies), [client.get("/auth/me").status_code for client in clients]) == (
        2,
        [401, 200],
    )


@pytest.mark.slow
def test_a_session_cookie_has_more_than_128_random_bits(app):
    """A character of the alphabet of base64 carries six bits; over 64 sessions it takes most of its
    64 values.
    """
    values = [cookie_of(login(app.test_client())).partition("=")[2] for _ in range(64)]
    assert len({*values}) == 64
    random_places = [place for place in zip(*values, strict=False) if len({*place}) > 30]
    assert 6 * len(random_places) > 128


def test_a_forged_or_damaged_cookie_is_ignored(app, make_app):
    good = cookie_of(login(app.test_client()))
    name, _, value = good.partition("=")
    flipped = [
        value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        for at in range(1, len(value) - 2, 7)
    ]
    foreign = cookie_of(
        login(make_app(SECRET_KEY="another secret of thirty-two characters").test_client())
    )
    forged = [
        *flipped,
        value[:-5],
        value + "x",
        "",
        "a.b.c",
        ".",
        "\xff",
        "%",
        "null",
        value.upper(),
        foreign.partition("=")[2],
    ]
    assert {forgery: with_cookie(app, f"{name}={forgery}") for forgery in forged} == dict.fromkeys(
        forged, 401
    )
    assert {with_cookie(app, f"{name}={forgery}", "/books") for forgery in forged} == {200}
    assert with_cookie(app, good) == 200


@pytest.mark.parametrize("secret", ["", "x", "\u00ff", "x" * 4000, "x.y", ".", "a.b.c"])
def test_a_cookie_of_no_session_is_worth_nothing(client, secret):
    client.set_cookie("bookapi", secret)
    assert client.get("/auth/me").status_code == 401
    assert login(client).status_code == 200


# -- who may -----------------------------------------------------------------------------


def test_a_private_catalogue_needs_a_sign_in(make_app):
    client = make_app(PUBLIC_READ=False).test_client()
    private, public = (
        ["/books", "/books/export", "/books/1", "/books/isbn/9780306406157"],
        ["/", "/healthz", "/readyz"],
    )
    refused = [client.get(address) for address in private]
    assert [answer.status_code for answer in refused] == [401] * 4
    assert all(answer.headers["WWW-Authenticate"] for answer in refused)
    assert [client.get(address).status_code for address in public] == [200] * 3
    login(client, "member")
    assert [client.get(address).status_code for address in private] == [200, 200, 404, 404]


def test_a_member_can_read_but_not_change(client):
    login(client, "member")
    reported = [
        client.open(address, method=method, json={"title": "a"}).status_code
        for method, address in (
            ("GET", "/books"),
            ("POST", "/books"),
            ("PUT", "/books/1"),
            ("PATCH", "/books/1"),
            ("DELETE", "/books/1"),
            ("PUT", "/books/isbn/9780306406157"),
        )
    ]
    assert reported == [200, 403, 403, 403, 403, 403]
    assert client.get("/books").json["total"] == 0


@pytest.mark.parametrize("who, status", [(None, 401), ("member", 403)])
def test_access_is_checked_before_the_body(client, who, status):
    if who:
        login(client, who)
    for method, address in (
        ("POST", "/books"),
        ("PUT", "/books/9"),
        ("PATCH", "/books/9"),
        ("DELETE", "/books/9"),
    ):
        for body, content_type in (
            (b"{", "application/json"),
            (b"x" * 3_000_000, "text/plain"),
            (b"", None),
        ):
            answer = client.open(address, method=method, data=body, content_type=content_type)
            assert answer.status_code == status, (method, content_type)


def test_basic_and_bearer_do_not_accept_the_account_password(client):
    for value in (
        "Basic YWRtaW46YSBsb25nIGVub3VnaCBwYXNzd29yZA==",
        "Bearer " + PASSWORD,
        "Bearer",
        "Basic",
        "Basic %",
        "x",
    ):
        assert client.get("/auth/me", headers={"Authorization": value}).status_code == 401, value


def test_the_fixture_signs_in_and_out(client):
    auth = Auth(client)
    assert [auth.login().status_code, auth.logout().status_code, auth.logout().status_code] == [
        200,
        204,
        401,
    ]
