"""API tokens: create, list, show, revoke. docs/api.md, API tokens."""

from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import insert, update

from bookapi.auth import tokens
from bookapi.auth.models import Event, Token
from bookapi.db import db, now
from bookapi.timestamps import format_timestamp
from helpers.documents import TYPES, faults, read, send
from helpers.instance import PASSWORD
from helpers.people import (
    NEW,
    NO_ID,
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


def ask(app, headers, address="/auth/me", method="GET", **more):
    return stranger(app).open(address, method=method, headers=headers, **more)


@pytest.fixture
def token(admin):
    return make_token(admin)


@pytest.fixture
def secret(token):
    return token["secret"]


# -- making ----------------------------------------------------------------------------


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


# -- listing and revoking --------------------------------------------------------------


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


# -- showing one -----------------------------------------------------------------------


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


# -- what one may ----------------------------------------------------------------------

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


# -- the trace that one leaves ---------------------------------------------------------


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


# -- what a wrong one costs ------------------------------------------------------------


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
