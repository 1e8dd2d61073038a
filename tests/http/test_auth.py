"""Sign-in, sign-out, sessions and roles over HTTP. docs/api.md, Sign-in and sessions."""

from datetime import timedelta

import argon2
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bookapi.auth import accounts, passwords
from bookapi.auth.models import LoginSession, User
from bookapi.db import db, now
from helpers.documents import TYPES, faults, read, send
from helpers.instance import PASSWORD, Auth
from helpers.people import change_account

both = pytest.mark.parametrize("name", ["json", "xml"])
NEW = "another long enough password"


def change(app, operation, *args, **kwargs):
    with app.app_context():
        return db.write(operation, *args, **kwargs)


def add(app, username, password=PASSWORD, role="member"):
    change(app, accounts.add, username, passwords.make_hash(password), role)


def sessions(app):
    with app.app_context(), Session(db.engine) as session:
        return session.scalar(select(func.count()).select_from(LoginSession))


def login(client, username="admin", password=PASSWORD, name="json", **more):
    return send(
        client,
        "POST",
        "/auth/login",
        name,
        {"username": username, "password": password},
        "login",
        **more,
    )


def cookie_of(answer):
    [cookie] = answer.headers.getlist("Set-Cookie")
    return cookie.partition(";")[0]


def with_cookie(app, cookie, address="/auth/me", **more):
    return (
        app.test_client(use_cookies=False)
        .get(address, headers={"Cookie": cookie}, **more)
        .status_code
    )


# -- signing in ------------------------------------------------------------------------


@both
def test_a_login_returns_the_account_and_the_end_of_the_session(client, name):
    answer = login(client, name=name)
    reported = read(answer)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert list(reported) == ["user", "expires_at"] and reported["expires_at"].endswith("Z")
    assert list(reported["user"]) == ["id", "username", "role", "active", "created_at"]


@both
def test_auth_me_returns_the_account_without_its_hash(client, auth, name):
    auth.login("member")
    answer = client.get("/auth/me", headers={"Accept": TYPES[name]})
    assert (read(answer)["username"], read(answer)["role"]) == ("member", "member")
    assert answer.headers["Cache-Control"] == "no-store" and b"argon2" not in answer.get_data()


@both
def test_any_spelling_of_the_username_signs_in(app, client, name):
    add(app, "Ｊosé_Straße")
    for username in (
        "Ｊosé_Straße",
        "José_Straße",
        "JOSÉ_STRASSE",
        "jose\u0301_strasse",
        "ｊｏｓé_straSSe",
    ):
        assert login(client, username, name=name).status_code == 200, username
    for username in (
        "jose_strasse",
        "jos\u00e9_strase",
        " José_Straße",
        "José_Straße ",
        "Jоsé_Straße",
    ):
        assert login(client, username, name=name).status_code == 401, username


@both
def test_wrong_user_wrong_password_and_disabled_account_are_the_same_401(app, client, name):
    change_account(app, "member", {"active": False})
    reported = [
        login(client, *pair, name=name, headers={"X-Request-ID": "same"})
        for pair in (
            ("nobody", PASSWORD),
            ("admin", "wrong"),
            ("member", PASSWORD),
            ("member", "wrong"),
            ("", ""),
            ("admin", "x" * 500),
        )
    ]
    if name == "xml":  # an empty element is null
        reported.pop(4)
    assert {answer.status_code for answer in reported} == {401}
    assert len({(answer.get_data(), str(answer.headers)) for answer in reported}) == 1
    assert reported[0].headers["WWW-Authenticate"] and "Set-Cookie" not in reported[0].headers


def test_each_refusal_compares_one_hash(app, client, monkeypatch):
    asked, verify = [], argon2.PasswordHasher.verify
    monkeypatch.setattr(
        argon2.PasswordHasher, "verify", lambda *given: asked.append(given) or verify(*given)
    )
    change_account(app, "member", {"active": False})
    for pair in (
        ("nobody", PASSWORD),
        ("admin", "wrong"),
        ("member", PASSWORD),
        ("admin", "x" * 5000),
        ("\x00", "\x00"),
    ):
        asked.clear()
        assert (login(client, *pair).status_code, len(asked)) == (401, 1), pair


@both
@pytest.mark.parametrize(
    "sent, fields",
    [
        ({}, ["password", "username"]),
        ({"username": "admin"}, ["password"]),
        ({"password": PASSWORD}, ["username"]),
        ({"username": None, "password": PASSWORD}, ["username"]),
        ({"username": "admin", "password": PASSWORD, "remember": "yes"}, ["remember"]),
    ],
)
def test_an_invalid_login_is_a_422_that_names_the_field(client, name, sent, fields):
    answer = send(client, "POST", "/auth/login", name, sent, "login")
    assert (answer.status_code, sorted(faults(answer))) == (422, fields)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'"admin"',
        b"1",
        b'{"username": ["admin"], "password": {}}',
        b'{"username": 1, "password": true}',
    ],
)
def test_a_login_of_another_type_is_a_422(client, body):
    assert client.post("/auth/login", data=body, content_type="application/json").status_code == 422


@both
def test_a_password_is_compared_exactly(app, client, name):
    exact = "  Pass\u00e9 \ufb01ve  words\u00a0 "
    add(app, "exact", exact)
    assert login(client, "exact", exact, name).status_code == 200
    for other in (
        exact.strip(),
        exact[1:],
        exact.upper(),
        "  Passe\u0301 \ufb01ve  words\u00a0 ",
        "  Pass\u00e9 five  words\u00a0 ",
        exact.replace("\u00a0", " "),
        exact + "\u200b",
    ):
        assert login(client, "exact", other, name).status_code == 401, other


def test_a_password_may_contain_any_character_of_json(app, client):
    exact = "\x00\x01\n\t\uffff\U0001f4da" * 3
    add(app, "exact", exact)
    assert login(client, "exact", exact).status_code == 200
    assert login(client, "exact", exact[:-1]).status_code == 401


@pytest.mark.parametrize("field", ["username", "password"])
def test_impossible_credentials_are_rejected_as_wrong(client, field):
    for odd in (
        r"\ud800",
        r"\udfff\ud800 half of a pair",
        r"\u0000",
        "x" * 1_000_000,
        "\\uffff",
        "%",
        "' OR 1=1 --",
    ):
        pair = {"username": "admin", "password": "a wrong password", field: odd}
        body = f'{{"username": "{pair["username"]}", "password": "{pair["password"]}"}}'
        answer = client.post("/auth/login", data=body.encode(), content_type="application/json")
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), odd[:20]


# -- the cookie ------------------------------------------------------------------------


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


# -- the end of a session --------------------------------------------------------------


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


# -- who may ---------------------------------------------------------------------------


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
