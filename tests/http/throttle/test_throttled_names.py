"""Throttled sign-ins by name. docs/api.md, Sign-in and sessions."""

import pytest
from sqlalchemy import select
from werkzeug.exceptions import ServiceUnavailable

from bookapi.auth import accounts, passwords, throttle
from bookapi.auth import login as signing_in
from bookapi.auth.models import Event, Throttle, User
from bookapi.db import db
from helpers.documents import read, send
from helpers.instance import PASSWORD
from helpers.people import change_account
from helpers.throttling import FREE, OF_ADDRESS, WAITS, fail, login, rows, throttled_events, wait_of

# -- of a name ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "username", ["member", "admin", "nobody", "x", "", "' OR 1=1 --", "\x00", "n" * 5000]
)
def test_ten_failures_of_a_username_are_free(client, clock, username):
    fail(client, username=username)
    assert [wait_of(login(client, username, password)) for password in ("wrong", PASSWORD, "")] == [
        30,
        30,
        30,
    ]
    assert login(client, "another").status_code == 401


def test_known_and_unknown_usernames_get_the_same_response(client, clock):
    reported = []
    for username in ("member", "nobody"):
        fail(client, username=username)
        answer = login(client, username, headers={"X-Request-ID": "same"})
        reported.append((answer.status_code, answer.get_data(), str(answer.headers)))
    assert reported[0] == reported[1]


def test_each_further_failure_doubles_the_wait_up_to_an_hour(client, clock):
    fail(client)
    waits = []
    for _ in range(16):
        waits.append(wait_of(login(client)))
        clock.go_on(seconds=waits[-1] - 1)
        assert wait_of(login(client)) == 1
        clock.go_on(seconds=1)
        assert login(client).status_code == 401
    assert waits[: len(WAITS)] == WAITS and waits == sorted(waits)
    assert waits[-5:] == [3600] * 5


def test_spellings_of_a_username_share_a_throttle(app, client, clock):
    with app.app_context():
        db.write(accounts.add, "José_Straße", passwords.make_hash(PASSWORD), "member")
    for username in (
        "José_Straße",
        "JOSÉ_STRASSE",
        "jose\u0301_strasse",
        "ｊｏｓé_straSSe",
        "josé_straße",
    ) * 2:
        assert login(client, username).status_code == 401
    assert wait_of(login(client, "José_strasse", PASSWORD)) == 30
    assert login(client, "jose_strasse").status_code == 401  # is another one


def test_a_correct_password_resets_the_username(app, client, clock):
    for _ in range(3):
        fail(client, FREE - 1)
        assert login(app.test_client(), password=PASSWORD).status_code == 200
    fail(client)
    assert wait_of(login(client, password=PASSWORD)) == 30


def test_after_the_wait_a_correct_password_signs_in_and_resets(client, clock):
    fail(client)
    clock.go_on(seconds=30)
    assert login(client, password=PASSWORD).status_code == 200
    fail(client.application.test_client())


def test_failures_of_a_username_fade_by_one_an_hour(client, clock):
    fail(client, 6)
    clock.go_on(hours=4)
    fail(client, FREE - 2)
    assert wait_of(login(client)) == 30


def test_after_a_day_ten_failures_are_free_again(client, clock):
    fail(client)
    clock.go_on(days=1)
    fail(client)
    assert wait_of(login(client)) == 30


def test_a_refused_attempt_is_not_counted_and_does_not_lengthen_the_wait(app, client, clock):
    fail(client)
    before = rows(app, select(Throttle.failures, Throttle.last_at).order_by(Throttle.subject))
    for left in range(30, 0, -3):
        assert wait_of(login(client)) == left
        clock.go_on(seconds=3)
    assert (
        rows(app, select(Throttle.failures, Throttle.last_at).order_by(Throttle.subject)) == before
    )
    assert login(client, password=PASSWORD).status_code == 200


def test_a_disabled_account_is_throttled_like_any_name(app, client, clock):
    change_account(app, "member", {"active": False})
    fail(client, password=PASSWORD)
    assert wait_of(login(client, password=PASSWORD)) == 30


def test_a_throttled_attempt_hashes_nothing(client, clock, compared):
    fail(client)
    assert len(compared) == FREE
    assert [
        login(client, password=password).status_code for password in ("wrong", PASSWORD, "x" * 5000)
    ] == [429] * 3
    assert len(compared) == FREE


# -- the clock, and the rows -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("back", [{"hours": 2}, {"days": 400}])
def test_a_clock_set_back_extends_no_wait_beyond_an_hour(client, clock, back):
    fail(client)
    clock.go_on(**{operation: -number for operation, number in back.items()})
    waited = 0
    while waited <= 3600 and login(client, password=PASSWORD).status_code != 200:
        clock.go_on(minutes=5)
        waited += 300
    assert waited <= 3600


def test_clock_differences_of_a_second_do_not_matter(client, clock):
    fail(client)
    clock.go_on(seconds=-1)
    assert 30 <= wait_of(login(client)) <= 31


def test_faded_failures_are_deleted(app, client, clock):
    fail(client, 3, "nobody")
    fail(client, 1, "another", address="192.0.2.3")
    assert len(rows(app, select(Throttle.subject))) == 4
    clock.go_on(hours=3, seconds=1)
    assert login(client, "admin", address="192.0.2.4").status_code == 401
    assert len(rows(app, select(Throttle.subject))) == 2


def test_the_throttle_stores_no_usernames(app, client, clock):
    fail(client, 1)
    kept = rows(app, select(Throttle.subject))
    assert len(kept) == 2 and all(len(subject) == 64 and subject.isalnum() for (subject,) in kept)


# -- what is reported --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "xml"])
def test_a_throttled_attempt_gets_a_problem_in_either_format(client, clock, name):
    for _ in range(FREE):
        login(client, address="127.0.0.1")
    answer = send(
        client, "POST", "/auth/login", name, {"username": "member", "password": PASSWORD}, "login"
    )
    reported = read(answer)
    assert (answer.status_code, answer.mimetype) == (429, f"application/problem+{name}")
    assert (int(reported["status"]), reported["title"]) == (429, "Too Many Requests")
    assert reported["type"] == "urn:bookapi:problem:throttled"
    assert "try again in 30 seconds" in reported["detail"]
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("30", "no-store")
    assert "Set-Cookie" not in answer.headers


def test_throttling_is_recorded_once(app, client, clock):
    fail(client)
    for _ in range(5):
        wait_of(login(client))
    assert throttled_events(app) == [("member", "this name has to wait 30 s")]
    clock.go_on(seconds=30)
    assert (login(client).status_code, wait_of(login(client))) == (401, 60)
    assert throttled_events(app)[1:] == [("member", "this name has to wait 60 s")]


def test_throttling_of_an_address_is_recorded(app, client, clock):
    for number in range(OF_ADDRESS):
        login(client, f"nobody-{number}")
    login(client)
    assert throttled_events(app) == [(f"nobody-{OF_ADDRESS - 1}", "this address has to wait 30 s")]


def test_a_password_typed_as_username_is_not_recorded(app, client, clock):
    fail(client, username="my own secret password")
    fail(client, username="my-own-secret-password")
    noted = rows(app, select(Event.username, Event.detail))
    assert len(noted) > 2 * FREE and "secret" not in str(noted)


def test_a_throttled_attempt_does_not_change_the_account(app, client, clock):
    kept = rows(app, select(User.password_hash, User.role, User.active).order_by(User.id))
    fail(client)
    login(client, password=PASSWORD)
    assert rows(app, select(User.password_hash, User.role, User.active).order_by(User.id)) == kept


# -- when the service fails --------------------------------------------------------------


def busy(*args):
    raise ServiceUnavailable


@pytest.mark.parametrize("taken_back", [True, False], ids=["at once", "with the next attempt"])
def test_a_right_password_that_met_a_busy_database_is_no_failure(
    app, client, clock, monkeypatch, taken_back
):
    with monkeypatch.context() as patch:
        patch.setattr(signing_in, "_open", busy)
        if not taken_back:
            patch.setattr(throttle.Attempt, "take_back", busy)
        statuses = [login(client, password=PASSWORD).status_code for _ in range(FREE + 5)]
    assert statuses == [503] * (FREE + 5)
    assert login(client, password=PASSWORD).status_code == 200


def test_a_wrong_password_is_a_failure_even_if_it_cannot_be_recorded(client, clock, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(signing_in, "_record_refusal", busy)
        statuses = [login(client).status_code for _ in range(FREE)]
    assert statuses == [503] * FREE
    assert wait_of(login(client, password=PASSWORD)) == 30
