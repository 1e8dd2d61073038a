"""API tokens, shown with a request. docs/api.md, API tokens."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from bookapi.auth import tokens
from bookapi.auth.models import Token
from bookapi.db import now
from helpers.documents import TYPES, read
from helpers.instance import PASSWORD
from helpers.people import (
    add,
    basic,
    bearer,
    change,
    cookie_of,
    make_token,
    signed_in,
)
from helpers.tokens import ask


def test_the_authorization_scheme_is_case_insensitive(app, secret, subtests):
    for scheme in ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer   "]:
        with subtests.test(scheme=scheme):
            assert ask(app, {"Authorization": scheme + secret}).status_code == 200
            assert ask(app, {"Authorization": f"{scheme}{secret} "}).status_code == 200


def test_basic_accepts_any_spelling_of_the_username(app):
    add(app, "José_Straße")
    secret = make_token(signed_in(app, "José_Straße"))["secret"]
    for spelling in ("José_Straße", "JOSÉ_STRASSE", "jose\u0301_straSSe", "ｊｏｓé_straße"):
        for scheme in ("Basic", "basic", "BASIC"):
            header = basic(spelling, secret)["Authorization"].replace("Basic", scheme)
            assert ask(app, {"Authorization": header}).json["username"] == "José_Straße", (
                scheme,
                spelling,
            )


@pytest.mark.parametrize("username", ["a:b", "::::", "http://me", "ends:"])
def test_basic_accepts_a_username_with_a_colon(app, username):
    add(app, username)
    secret = make_token(signed_in(app, username))["secret"]
    assert ask(app, basic(username, secret)).json["username"] == username
    assert ask(app, basic(username + ":", secret)).status_code == 401


def test_basic_rejects_a_token_with_another_username(app, secret):
    names = (
        "member",
        "",
        "nobody",
        "admin ",
        "admin\x00",
        "x" * 10_000,
        "аdmin",
        "%",
        "admin:admin",
    )
    assert {given: ask(app, basic(given, secret)).status_code for given in names} == dict.fromkeys(
        names, 401
    )
    assert ask(app, basic("admin", secret)).status_code == 200


def test_basic_rejects_the_account_password(app, admin):
    answer = ask(app, basic("admin", PASSWORD))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Basic realm="bookapi", charset="UTF-8"',
    )
    assert ask(app, {**basic("admin", PASSWORD), **cookie_of(admin)}).status_code == 401


def test_wrong_tokens_by_basic_are_throttled_but_valid_ones_work(app, secret):
    statuses = [ask(app, basic("admin", "wrong")).status_code for _ in range(12)]
    blocked = ask(app, basic("admin", "wrong"))
    assert statuses[:10] == [401] * 10 and statuses[-1] == blocked.status_code == 429
    assert int(blocked.headers["Retry-After"]) > 0
    assert [
        ask(app, headers).status_code for headers in (basic("admin", secret), bearer(secret))
    ] == [200, 200]


def spoilt(secret):
    """What is not quite this token."""
    flipped = [
        secret[:at] + ("A" if secret[at] != "A" else "B") + secret[at + 1 :]
        for at in (8, 30, 50, 51, 61)
    ]
    return [
        *flipped,
        "",
        "x",
        secret[:-1],
        secret + "A",
        secret[8:],
        secret.swapcase(),
        "Bookapi_" + secret[8:],
        secret + "\u00e9",
        "bookapi_" + "0" * 54,
        secret * 100,
        "bookapi_" + "x" * 20_000,
        f"{secret}, {secret}",
        f'"{secret}"',
        f"{secret}\x00",
        f"\x1b{secret}",
        f"{secret}\x7f",
        "' OR 1=1 --",
        "\xff\xfe",
        "%00",
        f"{secret[:30]} {secret[30:]}",
        tokens.hash_of(secret),
    ]


def test_invalid_tokens_get_the_same_401_everywhere(app, secret, subtests):
    for address in ["/auth/me", "/books", "/", "/healthz"]:
        with subtests.test(address=address):
            answers = [
                ask(app, bearer(given) | {"X-Request-ID": "same"}, address)
                for given in spoilt(secret)
            ]
            assert {answer.status_code for answer in answers} == {401}
            assert len({(answer.get_data(), str(answer.headers)) for answer in answers}) == 1
            assert (
                answers[0].headers["WWW-Authenticate"]
                == 'Bearer realm="bookapi", error="invalid_token"'
            )
            assert (answers[0].mimetype, answers[0].headers["Cache-Control"]) == (
                "application/problem+json",
                "no-store",
            )
            assert ask(app, bearer(secret), address).status_code == 200


def test_a_wrong_token_gets_a_problem_in_the_requested_format(app, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            for headers in (bearer("x"), basic("", "x"), {"Authorization": "Basic %"}):
                answer = ask(app, headers | {"Accept": TYPES[name]}, "/books")
                assert (answer.status_code, name in answer.mimetype, read(answer)["title"]) == (
                    401,
                    True,
                    "Unauthorized",
                )


def test_malformed_basic_credentials_are_a_401(app, subtests):
    for rest in [
        "",
        " ",
        " %",
        " =",
        " YWRtaW4=",
        " YWRtaW46",
        " Og==",
        " YWRtaW46eA==x",
        " " + "A" * 100_000,
        " /////w==",
        " \xff",
        " YWRtaW46 eA==",
    ]:
        with subtests.test(rest=rest):
            answer = ask(app, {"Authorization": "Basic" + rest}, "/books")
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
                401,
                'Basic realm="bookapi", charset="UTF-8"',
            )


def test_unknown_authorization_schemes_are_ignored(app, admin, subtests):
    for header in [
        "",
        " ",
        "Digest username=admin",
        "Negotiate TlRMTVNTUAAB",
        "NTLM x",
        "Token x",
        "Bearerx",
        "bookapi",
        "AWS4 x",
        "\xff",
        "Bearer\x00x",
        "Basic:x",
        "Bearer\tx",
    ]:
        with subtests.test(header=header):
            sent = {"Authorization": header}
            assert [ask(app, sent, address).status_code for address in ("/books", "/auth/me")] == [
                200,
                401,
            ]
            assert ask(app, sent | cookie_of(admin)).status_code == 200


def test_a_token_takes_precedence_over_a_cookie(app, admin):
    theirs = make_token(signed_in(app, "member"), "read")["secret"]
    assert ask(app, cookie_of(admin) | bearer(theirs)).json["username"] == "member"
    assert ask(app, cookie_of(admin) | bearer(theirs), "/auth/users").status_code == 403


def test_a_token_request_gets_no_cookie(app, secret):
    for headers in (bearer(secret), basic("admin", secret)):
        assert "Set-Cookie" not in ask(app, headers).headers


@pytest.mark.parametrize(
    "form", [bearer, lambda secret: basic("admin", secret)], ids=["Bearer", "Basic"]
)
def test_a_change_by_a_token_has_the_username_of_its_owner(app, admin, secret, form):
    made = ask(app, form(secret), "/books", "POST", json={"title": "Emma"})
    history = admin.get(f"/books/{made.json['id']}/history").json["history"]
    assert (made.status_code, history[0]["username"]) == (201, "admin")


def test_an_expired_token_is_rejected_from_its_expiry_on(app, secret):
    for age, status in (
        (timedelta(seconds=60), 200),
        (timedelta(0), 401),
        (timedelta(days=-9), 401),
    ):
        expiry = update(Token).values(expires_at=now() + age)
        change(app, lambda connection, expiry=expiry: connection.execute(expiry))
        assert ask(app, bearer(secret)).status_code == status
        assert ask(app, basic("admin", secret)).status_code == status
