"""Tokens, sessions and known browsers while sign-ins are throttled. docs/api.md, Sign-in and
sessions."""

from base64 import b64encode
from datetime import timedelta

import pytest
from sqlalchemy import update

from bookapi.auth import accounts
from bookapi.auth.models import LoginSession
from bookapi.db import db, now
from helpers.instance import PASSWORD
from helpers.people import id_of
from helpers.throttling import FREE, OF_ADDRESS, fail, login, wait_of

NEW = "another long enough password"


def ask(client, authorization, address="192.0.2.1"):
    return client.get(
        "/auth/me",
        headers={"Authorization": authorization},
        environ_overrides={"REMOTE_ADDR": address},
    )


def basic(username, secret="wrong"):
    return "Basic " + b64encode(f"{username}:{secret}".encode()).decode()


def signed_in(app, username="member"):
    client = app.test_client()
    assert login(client, username, PASSWORD, "198.51.100.1").status_code == 200
    return client


def token_of(client):
    answer = client.post("/auth/tokens", json={"name": "a program", "scope": "read"})
    assert answer.status_code == 201, answer.json
    return answer.json["secret"]


# -- tokens ------------------------------------------------------------------------------


def test_a_wrong_token_by_basic_counts_for_the_username(client, clock):
    statuses = [ask(client, basic("member")).status_code for _ in range(FREE // 2)]
    fail(client, FREE - FREE // 2)
    assert statuses == [401] * (FREE // 2)
    assert wait_of(login(client, password=PASSWORD)) == wait_of(ask(client, basic("member"))) == 30
    assert ask(client, basic("nobody")).status_code == 401


def test_the_account_password_by_basic_counts_as_a_failure(client, clock):
    assert [ask(client, basic("member", PASSWORD)).status_code for _ in range(FREE + 1)] == [
        401
    ] * FREE + [429]


def test_a_token_of_another_user_by_basic_counts_as_a_failure(app, client, clock):
    secret = token_of(signed_in(app, "admin"))
    assert [ask(client, basic("member", secret)).status_code for _ in range(FREE + 1)] == [
        401
    ] * FREE + [429]


@pytest.mark.slow
def test_wrong_tokens_by_basic_count_for_the_address(client, clock):
    for number in range(OF_ADDRESS):
        assert ask(client, basic(f"name-{number}")).status_code == 401
    assert wait_of(ask(client, basic("another"))) == wait_of(login(client, password=PASSWORD)) == 30


def test_a_valid_token_works_while_its_owner_is_throttled(app, client, clock):
    secret = token_of(signed_in(app))
    fail(client)
    assert wait_of(login(client)) == 30
    for authorization in (f"Bearer {secret}", basic("member", secret), basic("MEMBER", secret)):
        assert ask(client, authorization).status_code == 200
    assert (
        wait_of(login(client, password=PASSWORD)) == 30
    )  # nor does it make the failures forgotten


def test_wrong_bearer_tokens_throttle_nobody(client, clock):
    assert {ask(client, f"Bearer {number}").status_code for number in range(FREE * 2)} == {401}
    assert login(client, password=PASSWORD).status_code == 200


# -- who is signed in --------------------------------------------------------------------


def test_a_browser_with_a_session_signs_in_while_the_username_is_throttled(app, client, clock):
    own, others = signed_in(app), signed_in(app, "admin")
    fail(client)
    assert (
        wait_of(login(client, password=PASSWORD)) == wait_of(login(others, password=PASSWORD)) == 30
    )
    assert login(own, "ＭＥＭＢＥＲ", PASSWORD).status_code == 200


def test_an_open_session_has_its_own_ten_failures(app, client, clock):
    own = signed_in(app)
    fail(own)
    assert wait_of(login(own, password=PASSWORD)) == 30
    assert login(client, password=PASSWORD).status_code == 200


def test_a_browser_whose_session_was_ended_is_still_known(app, client, clock):
    client.set_cookie("bookapi", signed_in(app).get_cookie("bookapi").value)
    with app.app_context():
        db.write(accounts.end_sessions, id_of(app, "member"))
    fail(app.test_client())
    fail(client)
    assert wait_of(login(client, password=PASSWORD)) == 30


def test_a_signed_out_browser_is_unknown(app, client, clock):
    own = signed_in(app)
    own.post("/auth/logout")
    fail(client)
    assert wait_of(login(own, password=PASSWORD)) == 30


GUARDED = {
    "/auth/password": {"current_password": "wrong", "new_password": NEW},
    "/auth/mfa": {"current_password": "wrong"},
    "/auth/mfa/disable": {"current_password": "wrong", "code": "000000"},
}


@pytest.mark.parametrize("address", GUARDED)
def test_guesses_of_the_current_password_are_throttled_separately(app, client, clock, address):
    own = signed_in(app)
    reported = [own.post(address, json=GUARDED[address]) for _ in range(FREE + 1)]
    assert [answer.status_code for answer in reported] == [403] * FREE + [429]
    right = {**GUARDED[address], "current_password": PASSWORD}
    assert wait_of(reported[-1]) == wait_of(own.post(address, json=right)) == 30
    assert (own.get("/auth/me").status_code, login(client, password=PASSWORD).status_code) == (
        200,
        200,
    )


def test_sessions_share_the_throttle_of_the_current_password(app, clock):
    every = [signed_in(app) for _ in range(3)]
    reported = [
        every[number % 3].post("/auth/password", json=GUARDED["/auth/password"])
        for number in range(FREE + 1)
    ]
    assert [answer.status_code for answer in reported] == [403] * FREE + [429]


def test_guesses_of_codes_are_throttled_separately(app, client, clock):
    own = signed_in(app)
    assert own.post("/auth/mfa", json={"current_password": PASSWORD}).status_code == 200
    reported = [own.post("/auth/mfa/confirm", json={"code": "wrong"}) for _ in range(FREE + 1)]
    assert [answer.status_code for answer in reported] == [403] * FREE + [429]
    assert (wait_of(reported[-1]), login(client, password=PASSWORD).status_code) == (30, 200)


def test_a_correct_current_password_resets_its_throttle(app, clock):
    own = signed_in(app)
    for _ in range(2):
        for _ in range(FREE - 1):
            assert own.post("/auth/mfa", json={"current_password": "wrong"}).status_code == 403
        assert own.post("/auth/mfa", json={"current_password": PASSWORD}).status_code == 200


# -- a browser that is known -------------------------------------------------------------


def test_a_browser_with_an_expired_session_signs_in_while_others_are_throttled(app, client, clock):
    own = app.test_client()
    assert login(own, password=PASSWORD).status_code == 200
    with app.app_context():
        db.write(
            lambda session: session.execute(
                update(LoginSession).values(created_at=now() - timedelta(days=2))
            )
        )
    fail(client)
    assert wait_of(login(client, password=PASSWORD)) == 30
    assert own.get("/auth/me").status_code == 401
    assert login(own, password=PASSWORD).status_code == 200


def test_a_known_browser_is_unknown_to_other_accounts(app, client, clock):
    assert login(client, "member", PASSWORD).status_code == 200
    fail(app.test_client(), username="admin")
    assert wait_of(login(client, "admin", PASSWORD)) == 30
