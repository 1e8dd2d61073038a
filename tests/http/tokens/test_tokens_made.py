"""API tokens: create, list, revoke. docs/api.md, API tokens."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from bookapi.auth import tokens
from bookapi.auth.models import Event, Token
from bookapi.db import now
from bookapi.timestamps import format_timestamp
from helpers.documents import TYPES, faults, read, send
from helpers.people import (
    NO_ID,
    bearer,
    change,
    get,
    id_of,
    make_token,
    page,
    rows,
    signed_in,
)
from helpers.tokens import ask, both

FIELDS = ["id", "name", "scope", "expires_at", "last_used_at", "created_at"]
LISTED = {"json": FIELDS, "xml": [*FIELDS[:3], "created_at"]}  # null is not there
FUTURE = "2999-12-31T23:59:59.000000Z"


def make(client, name="json", /, **sent):
    return send(
        client,
        "POST",
        "/auth/tokens",
        name,
        {"name": "nightly import", "scope": "write", **sent},
        "token",
    )


# -- making ------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("scope", ["read", "write"])
def test_a_new_token_is_shown_once_and_works(app, admin, name, scope):
    answer = make(admin, name, scope=scope)
    reported = read(answer)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert list(reported) == [*LISTED[name][:-1], "secret", "created_at"]
    assert (reported["name"], reported["scope"]) == (
        "nightly import",
        scope,
    )
    assert tokens.PATTERN.fullmatch(reported["secret"]) and reported["created_at"].endswith("Z")
    assert ask(app, bearer(reported["secret"])).json["username"] == "admin"
    assert reported["secret"] not in get(admin, "/auth/tokens", name).get_data(as_text=True)


def test_only_the_hash_of_a_token_is_stored(app, secret):
    [kept] = rows(app, Token)
    assert kept.secret_hash == tokens.hash_of(secret) and secret not in str(vars(kept))
    assert secret[len(tokens.PREFIX) :] not in str([vars(event) for event in rows(app, Event)])


def test_tokens_are_unique(admin):
    made = {make_token(admin)["secret"] for _ in range(20)}
    assert len(made) == len({secret[:20] for secret in made}) == 20


@both
@pytest.mark.parametrize(
    "given, reported",
    [
        (FUTURE, FUTURE),
        ("2999-01-01T02:00:00+02:00", "2999-01-01T00:00:00.000000Z"),
        (None, None),
        ("2999-01-01t00:00:00.5z", "2999-01-01T00:00:00.500000Z"),
    ],
)
def test_a_token_may_expire(admin, name, given, reported):
    answer = make(admin, name, expires_at=given)
    assert (answer.status_code, read(answer).get("expires_at")) == (201, reported)
    [listed] = page(get(admin, "/auth/tokens", name), "tokens")["tokens"]
    assert listed.get("expires_at") == reported


def test_an_expiry_that_is_not_in_the_future_is_a_422(app, admin, subtests):
    for name in ("json", "xml"):
        for given in [
            "2020-01-01T00:00:00Z",
            "1000-01-01T00:00:00Z",
            "tomorrow",
            "2999-01-01",
            "2999-01-01T00:00:00",
            "2999-02-30T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "2999-01-01T00:00:00+25:00",
            32503680000,
            "9999-12-31T23:59:59-23:59",
        ]:
            with subtests.test(name=name, given=given):
                answer = make(admin, name, expires_at=given)
                assert (answer.status_code, faults(answer), rows(app, Token)) == (
                    422,
                    ["expires_at"],
                    [],
                )


def test_an_expiry_of_now_is_a_422(admin):
    assert make(admin, expires_at=format_timestamp(now())).status_code == 422
    assert (
        make(admin, expires_at=format_timestamp(now() + timedelta(seconds=30))).status_code == 201
    )


def test_all_errors_of_a_token_are_reported_at_once(app, admin, subtests):
    for name in ("json", "xml"):
        for sent, fields in [
            ({"name": None}, ["name"]),
            ({"name": "  "}, ["name"]),
            ({"name": "x" * 101}, ["name"]),
            ({"scope": None}, ["scope"]),
            ({"scope": "admin"}, ["scope"]),
            ({"scope": "READ"}, ["scope"]),
            ({"secret": "bookapi_x"}, ["secret"]),
            (
                {"id": 7, "created_at": FUTURE, "last_used_at": FUTURE},
                ["created_at", "id", "last_used_at"],
            ),
            ({"user_id": 1}, ["user_id"]),
            ({"name": None, "scope": "x", "expires_at": "x"}, ["expires_at", "name", "scope"]),
        ]:
            with subtests.test(name=name, sent=sent, fields=fields):
                answer = make(admin, name, **sent)
                assert (answer.status_code, sorted(faults(answer)), rows(app, Token)) == (
                    422,
                    fields,
                    [],
                )


def test_a_token_needs_a_name_and_a_scope(admin, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            answer = send(admin, "POST", "/auth/tokens", name, {}, "token")
            assert (answer.status_code, sorted(faults(answer))) == (422, ["name", "scope"])


@both
@pytest.mark.parametrize("given", ["x" * 100, "Nächtlicher Import <&> 📚", "' OR 1=1 --"])
def test_a_token_has_the_name_its_owner_gives(admin, name, given):
    assert read(make(admin, name, name=f" {given} "))["name"] == given
    assert page(get(admin, "/auth/tokens", name), "tokens")["tokens"][0]["name"] == given


def _fill(connection, user_id, number, **values):
    for at in range(number):
        secret_hash = f"{user_id}-{at}-{len(values)}"
        row = {"user_id": user_id, "secret_hash": secret_hash, "name": str(at), "scope": "read"}
        connection.execute(insert(Token).values(**row, **values))


@both
def test_an_account_has_at_most_100_valid_tokens(app, admin, name):
    owner = id_of(app, "admin")
    change(app, _fill, owner, 5, expires_at=now())  # over: they do not count
    change(app, _fill, owner, tokens.MAX_TOKENS - 1)
    last = make(admin, name)
    answer = make(admin, name)
    assert (last.status_code, answer.status_code, "problem" in answer.content_type) == (
        201,
        409,
        True,
    )
    assert admin.delete(f"/auth/tokens/{read(last)['id']}").status_code == 204
    assert make(admin, name).status_code == 201
    assert make(signed_in(app, "member"), name, scope="read").status_code == 201


# -- listing and revoking ----------------------------------------------------------------


@both
def test_own_tokens_are_listed_newest_first_without_secrets(app, admin, name):
    made = [make_token(admin, name=f"script {number}") for number in range(5)]
    make_token(signed_in(app, "member"), "read")
    answer = get(admin, "/auth/tokens?limit=2&page=2", name)
    reported = page(answer, "tokens")
    assert [token["name"] for token in reported["tokens"]] == ["script 2", "script 1"]
    assert {list(token) == LISTED[name] for token in reported["tokens"]} == {True}
    assert (int(reported["total"]), int(reported["limit"]), answer.headers["Cache-Control"]) == (
        5,
        2,
        "no-store",
    )
    assert (
        'page=3>; rel="next"' in answer.headers["Link"]
        and 'page=1>; rel="prev"' in answer.headers["Link"]
    )
    text = get(admin, "/auth/tokens", name).get_data(as_text=True)
    assert not any(
        token["secret"][8:] in text or tokens.hash_of(token["secret"]) in text for token in made
    )


def test_a_revoked_token_is_invalid_at_once_and_not_listed(app, admin, token):
    other = make_token(admin)
    answer = admin.delete(f"/auth/tokens/{token['id']}")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert [ask(app, bearer(each["secret"])).status_code for each in (token, other)] == [401, 200]
    assert [listed["id"] for listed in admin.get("/auth/tokens").json["tokens"]] == [other["id"]]
    assert admin.delete(f"/auth/tokens/{token['id']}").status_code == 404


@both
def test_a_token_of_another_user_is_a_404(app, token, name):
    member, spare = signed_in(app, "member"), {"X-Request-ID": "same", "Accept": TYPES[name]}
    answers = [
        member.delete(f"/auth/tokens/{number}", headers=spare) for number in (token["id"], NO_ID)
    ]
    reported = [{**read(answer), "instance": None} for answer in answers]
    assert {answer.status_code for answer in answers} == {404} and reported[0] == reported[1]
    assert ask(app, bearer(token["secret"])).status_code == 200
