"""Accounts added by admins. docs/api.md, Users and events."""

import pytest

from helpers.accounts import FIELDS, both, login, make
from helpers.documents import faults, read, send
from helpers.instance import PASSWORD
from helpers.people import bearer, get, make_token, signed_in, stranger, truth, usernames


@both
@pytest.mark.parametrize(
    "sent, role", [({}, "member"), ({"role": "member"}, "member"), ({"role": "admin"}, "admin")]
)
def test_creating_an_account_answers_its_url_and_it_signs_in(app, admin, name, sent, role):
    answer = make(admin, name, **sent)
    reported = read(answer)
    assert (answer.status_code, list(reported), answer.headers["Cache-Control"]) == (
        201,
        FIELDS,
        "no-store",
    )
    assert (reported["username"], reported["role"], reported["active"]) == (
        "carol",
        role,
        truth(name, True),
    )
    assert answer.headers["Location"] == f"http://localhost/auth/users/{reported['id']}"
    assert read(get(admin, answer.headers["Location"], name)) == reported
    assert login(app, "carol") == 200


@both
@pytest.mark.parametrize(
    "taken, spelling",
    [
        ("carol", "carol"),
        ("carol", "CAROL"),
        ("carol", "ＣａＲｏＬ"),
        ("Straße", "STRASSE"),
        ("José", "jose\u0301"),
    ],
)
def test_a_username_is_taken_in_any_spelling(app, admin, name, taken, spelling):
    make(admin, username=taken)
    answer = make(admin, name, username=spelling)
    assert (answer.status_code, faults(answer)) == (409, ["username"])
    assert usernames(app) == ["admin", "member", taken]


def test_a_lookalike_username_is_rejected(app, admin, subtests):
    for name in ("json", "xml"):
        for lookalike in [
            "аdmin",
            "admin\u200b",
            "аdmіn",
            "αdmin",
            "admin ",
            "\u202eadmin",
            "admi\u0578",
            "rnember",
            "ɑdmin",
            "admіn",
            "аԁmіn",
            "admin\u00ad",
            "admin\ufe0f",
            "\u2060admin",
            "adrnin",
            "аdmin\u0307",
        ]:
            with subtests.test(name=name, lookalike=lookalike):
                answer = make(admin, name, username=lookalike)
                assert answer.status_code in (409, 422) and faults(answer) == ["username"], (
                    lookalike
                )
                assert usernames(app) == ["admin", "member"]


def test_an_invalid_username_is_a_422(app, admin, subtests):
    for name in ("json", "xml"):
        for username in [
            "ab",
            "x" * 65,
            "a b c",
            "a\tbc",
            "a\nbc",
            "a\u00a0bc",
            "a\u2028bc",
            "a\u202ebc",
            "a\u200dbc",
            "\ue000abc",
            "Jоhnny",
            "a" * 5000,
        ]:
            with subtests.test(name=name, username=username):
                answer = make(admin, name, username=username)
                assert (answer.status_code, faults(answer)) == (422, ["username"])
                assert usernames(app) == ["admin", "member"]


def test_a_username_with_control_characters_is_a_422(admin, subtests):
    for username in ["a\x00bc", "a\x1bbc", "\ud800abc", "abc\uffff", "a\x7fbc"]:
        with subtests.test(username=username):
            answer = make(admin, username=username)
            assert (answer.status_code, faults(answer)) == (422, ["username"])


@both
def test_a_username_may_be_in_any_language(app, admin, name, subtests):
    for username in [
        "abc",
        "x" * 64,
        "o'neil-%_;--",
        "李小龙",
        "Владимир",
        "Ünsal",
        "a.b@c",
        "名前です",
    ]:
        with subtests.test(username=username):
            answer = make(admin, name, username=username)
            assert (answer.status_code, read(answer)["username"]) == (201, username)
            assert login(app, username.upper()) == 200


def test_an_invalid_password_is_a_422(app, admin, subtests):
    for name in ("json", "xml"):
        for password in [
            "fourteen chars",
            "x" * 129,
            "carolcarolcarol",
            "CAROL-carol-CAROL",
            "passwordpassword",
            "123456789012345",
            "qwertyuiopasdfgh",
            "aaaaaaaaaaaaaaaaaaaa",
        ]:
            with subtests.test(name=name, password=password):
                answer = make(admin, name, password=password)
                assert (answer.status_code, faults(answer)) == (422, ["password"])
                assert password not in answer.get_data(as_text=True) and usernames(app) == [
                    "admin",
                    "member",
                ]


def test_all_errors_of_an_account_are_reported_at_once(app, admin, subtests):
    for name in ("json", "xml"):
        for sent, fields in [
            ({"username": "ab", "password": "short"}, ["username", "password"]),
            ({"role": "king"}, ["role"]),
            ({"role": "Admin"}, ["role"]),
            ({"role": None}, ["role"]),
            (
                {"username": None, "password": None, "role": "king"},
                ["username", "password", "role"],
            ),
            ({"id": 7}, ["id"]),
            ({"created_at": "2020-01-01T00:00:00Z", "active": "true"}, ["created_at", "active"]),
            (
                {"password_hash": "x", "totp_secret": "y", "provisional": "true"},
                ["password_hash", "totp_secret", "provisional"],
            ),
        ]:
            with subtests.test(name=name, sent=sent, fields=fields):
                answer = make(admin, name, **sent)
                assert (answer.status_code, sorted(faults(answer))) == (422, sorted(fields))
                assert usernames(app) == ["admin", "member"]


def test_missing_fields_are_reported(admin, subtests):
    for name in ("json", "xml"):
        with subtests.test(name=name):
            answer = send(admin, "POST", "/auth/users", name, {}, "user")
            assert (answer.status_code, sorted(faults(answer))) == (422, ["password", "username"])


def test_a_body_that_is_not_an_account_is_rejected(app, admin, subtests):
    for body, status in [
        (b"[]", 422),
        (b"null", 422),
        (b'"carol"', 422),
        (b"7", 422),
        (b"{", 400),
        (b"", 400),
        (
            b'{"username": "carol", "username": "dave", "password": "' + PASSWORD.encode() + b'"}',
            400,
        ),
        (b'{"username": ["carol"], "password": {"a": 1}, "role": ["admin"]}', 422),
        (b'{"username": 7, "password": true, "role": 1}', 422),
    ]:
        with subtests.test(body=body, status=status):
            answer = admin.post("/auth/users", data=body, content_type="application/json")
            assert (answer.status_code, usernames(app)) == (status, ["admin", "member"])


def test_only_a_session_of_an_admin_creates_accounts(app, admin):
    member, token = signed_in(app, "member"), make_token(admin)
    statuses = [make(client).status_code for client in (stranger(app), member)]
    statuses.append(
        stranger(app)
        .post(
            "/auth/users",
            headers=bearer(token["secret"]),
            json={"username": "carol", "password": PASSWORD},
        )
        .status_code
    )
    assert (statuses, usernames(app)) == ([401, 403, 403], ["admin", "member"])
