"""Signing in while an account changes, and many at once."""

import time
from collections import Counter
from concurrent.futures import TimeoutError as NotYet

import pytest
from sqlalchemy import func, select

from bookapi.auth import accounts, passwords
from bookapi.auth.models import ADMIN, MEMBER, Throttle
from bookapi.db import db
from helpers.instance import PASSWORD, Auth
from helpers.people import change_account
from helpers.races import (
    A_WHILE,
    BEFORE,
    INSIDE,
    NEW,
    PATIENCE,
    TAKINGS,
    Gate,
    at_once,
    held,
    signed_in,
    write,
)

pytestmark = pytest.mark.stress

# -- signing in --------------------------------------------------------------------------


@pytest.fixture
def sign_in(two):
    """A function that signs `victim` in by the old password; returns the status and the client."""

    def run():
        client = two[0].test_client()
        return Auth(client).login("victim").status_code, client

    return run


ENDINGS = [taking for taking in TAKINGS if taking not in ("signed out", "signed out elsewhere")]
SHUT_OUT = ["disabled", "deleted", "given another password", "given another password elsewhere"]


@pytest.mark.parametrize("taking", SHUT_OUT)
def test_a_login_that_checked_the_old_password_fails_after_a_change(people, pool, sign_in, taking):
    everyone = people()
    with held(pool, gate := Gate(BEFORE, "_open"), sign_in) as signing:
        assert TAKINGS[taking](everyone) in (200, 204)
        gate.let_go()
        status, client = signing.result(PATIENCE)
    assert (status, client.get("/auth/me").status_code) == (401, 401)


@pytest.mark.parametrize("taking", SHUT_OUT)
def test_a_login_during_a_password_change_fails(people, pool, sign_in, taking):
    everyone = people()
    with held(pool, gate := Gate(BEFORE, "_open"), sign_in) as signing:
        with held(pool, taken := Gate(INSIDE), TAKINGS[taking], everyone) as ending:
            gate.let_go()
            with pytest.raises(NotYet):
                signing.result(A_WHILE)
            taken.let_go()
            assert ending.result(PATIENCE) in (200, 204)
        status, client = signing.result(PATIENCE)
    assert (status, client.get("/auth/me").status_code) == (401, 401)


@pytest.mark.parametrize("taking", ENDINGS)
def test_a_session_being_opened_is_ended_with_the_others(people, pool, sign_in, taking):
    everyone = people()
    with held(pool, gate := Gate(INSIDE, "_open"), sign_in) as signing:
        ending = pool.submit(TAKINGS[taking], everyone)
        with pytest.raises(NotYet):
            ending.result(A_WHILE)
        gate.let_go()
        status, client = signing.result(PATIENCE)
        assert ending.result(PATIENCE) in (200, 204)
    assert (status, client.get("/auth/me").status_code) == (200, 401)


def test_an_ended_session_creates_no_token(people, pool):
    everyone = people()
    with held(
        pool,
        gate := Gate(BEFORE),
        everyone.ask,
        "POST",
        "/auth/tokens",
        {"name": "a program", "scope": "write"},
    ) as making:
        assert TAKINGS["signed out by an admin"](everyone) == 204
        gate.let_go()
        assert making.result(PATIENCE) == 401
    assert signed_in(everyone.app, "victim").get("/auth/tokens").json["tokens"] == []


@pytest.mark.parametrize("taking", ["given another password", "disabled", "signed out by an admin"])
def test_an_ended_session_changes_no_password(people, pool, taking):
    everyone, given = (
        people(),
        {"current_password": PASSWORD, "new_password": "a password of the attacker"},
    )
    with held(
        pool,
        gate := Gate(BEFORE, "change_own_password"),
        everyone.ask,
        "POST",
        "/auth/password",
        given,
    ) as changing:
        assert TAKINGS[taking](everyone) in (200, 204)
        gate.let_go()
        assert changing.result(PATIENCE) in (401, 403)
    change_account(everyone.app, "victim", {"active": True})
    assert (
        Auth(everyone.app.test_client()).login("victim", given["new_password"]).status_code == 401
    )


def test_of_two_concurrent_password_changes_one_wins(people, pool):
    everyone = people()
    given = [
        {"current_password": PASSWORD, "new_password": f"a new password, number {number}"}
        for number in (1, 2)
    ]
    with held(
        pool,
        gate := Gate(BEFORE, "change_own_password"),
        everyone.ask,
        "POST",
        "/auth/password",
        given[0],
    ) as first:
        assert everyone.other.post("/auth/password", json=given[1]).status_code == 204
        gate.let_go()
        assert first.result(PATIENCE) == 401  # the other one has ended this session
    assert [
        Auth(everyone.app.test_client()).login("victim", each["new_password"]).status_code
        for each in given
    ] == [401, 200]


# -- many at once ------------------------------------------------------------------------

SPELLINGS = [
    "Straße-é",
    "STRASSE-É",
    "strasse-e\u0301",
    "ｓtraße-é",
    "Strasse-É",
    "STRAßE-é",
    "sTRASSE-É",
    "ｓｔｒａｓｓｅ-é",
]


def test_concurrent_spellings_of_a_username_create_one_account(two, pool):
    clients = [signed_in(two[number % 2], "admin") for number in range(16)]
    given = [{"username": SPELLINGS[number // 2], "password": NEW} for number in range(16)]
    reported = at_once(
        pool,
        *[
            lambda client=client, sent=sent: client.post("/auth/users", json=sent).status_code
            for client, sent in zip(clients, given, strict=False)
        ],
    )
    assert Counter(reported) == {201: 1, 409: 15}
    assert len(clients[0].get("/auth/users").json["users"]) == 3


SECONDS = 3


def _until(end, work):
    statuses = Counter()
    while time.monotonic() < end:
        statuses.update(work())
    return statuses


def _in_and_out(app):
    client = app.test_client()
    yield Auth(client).login("victim").status_code
    yield client.get("/auth/me").status_code
    yield client.post("/auth/logout").status_code


def test_concurrent_changes_of_one_account_cause_no_error(two, pool):
    write(two[0], accounts.add, "victim", passwords.make_hash(PASSWORD), MEMBER)
    own, root = signed_in(two[0], "victim"), signed_in(two[1], "admin")
    user_id = own.get("/auth/me").json["id"]
    secret = own.post("/auth/tokens", json={"name": "a program", "scope": "write"}).json["secret"]
    bearer = {"Authorization": f"Bearer {secret}"}

    def use(app):
        client = app.test_client()
        yield client.get("/auth/me", headers=bearer).status_code
        yield client.post("/books", json={"title": "By a program"}, headers=bearer).status_code

    def turn():
        for role in (ADMIN, MEMBER):
            yield root.patch(f"/auth/users/{user_id}", json={"role": role}).status_code
        yield root.delete(f"/auth/users/{user_id}/sessions").status_code

    end = time.monotonic() + SECONDS
    jobs = [lambda number=number: _in_and_out(two[number % 2]) for number in range(4)]
    jobs += [lambda number=number: use(two[number % 2]) for number in range(3)] + [turn]
    reported = at_once(pool, *[lambda job=job: _until(end, job) for job in jobs])
    for statuses, possible in zip(
        reported, [{200, 204, 401}] * 4 + [{200, 201, 403}] * 3 + [{200, 204}], strict=False
    ):
        assert statuses.keys() <= possible and statuses[200], reported
    with two[0].app_context(), db.read() as connection:
        user = accounts.existing(connection, "victim")
        failures = connection.scalar(select(func.sum(Throttle.failures)))
        assert (user.role, user.active, failures or 0) == (MEMBER, True, 0)
    assert root.delete(f"/auth/users/{user_id}/sessions").status_code == 204
    assert signed_in(two[0], "victim").get("/auth/sessions").json["total"] == 1
