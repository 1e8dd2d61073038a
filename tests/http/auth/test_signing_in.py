"""Sign-in over HTTP. docs/api.md, Sign-in and sessions."""

import argon2
import pytest

from helpers.documents import TYPES, faults, read, send
from helpers.instance import PASSWORD
from helpers.people import change_account
from helpers.signing_in import add, both, login


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
