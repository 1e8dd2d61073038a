"""Login throttling by username and by address. docs/api.md, Sign-in and sessions."""

import contextlib
import json
import threading
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection

import argon2
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from bookapi.auth import accounts, passwords, throttle
from bookapi.auth import login as signing_in
from bookapi.auth.models import Event, LoginSession, Throttle, User
from bookapi.db import db, now
from bookapi.http.load import LOAD, Load
from bookapi.server.listening import listen
from bookapi.server.worker import Worker
from helpers.documents import read, send
from helpers.instance import PASSWORD
from helpers.people import change_account, id_of

PATIENCE = 30
FREE = throttle.PER_NAME.free
OF_ADDRESS = throttle.PER_ADDRESS.free
WAITS = [30, 60, 120, 240, 480, 960, 1920]
NEW = "another long enough password"


class Clock:
    def __init__(self):
        self.now = now()

    def __call__(self):
        return self.now

    def go_on(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock(monkeypatch):
    """The time by which failures are counted; it stands still until a test has it go on."""
    clock = Clock()
    monkeypatch.setattr(throttle, "now", clock)
    return clock


@pytest.fixture
def compared(monkeypatch):
    """The passwords that were compared with a hash, and hashed for it."""
    asked, verify = [], argon2.PasswordHasher.verify
    monkeypatch.setattr(
        argon2.PasswordHasher, "verify", lambda *given: asked.append(given[2]) or verify(*given)
    )
    return asked


def login(client, username="member", password="wrong", address="192.0.2.1", **more):
    return client.post(
        "/auth/login",
        json={"username": username, "password": password},
        environ_overrides={"REMOTE_ADDR": address},
        **more,
    )


def fail(client, times=FREE, username="member", **more):
    statuses = [login(client, username, **more).status_code for _ in range(times)]
    assert statuses == [401] * times


def wait_of(answer):
    """The seconds that one has to wait, of a refusal for too many failures."""
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json"), (
        answer.get_data()
    )
    return int(answer.headers["Retry-After"])


def ask(client, authorization, address="192.0.2.1"):
    return client.get(
        "/auth/me",
        headers={"Authorization": authorization},
        environ_overrides={"REMOTE_ADDR": address},
    )


def basic(username, secret="wrong"):
    return "Basic " + b64encode(f"{username}:{secret}".encode()).decode()


def rows(app, selection):
    with app.app_context(), Session(db.engine) as session:
        return session.execute(selection).all()


def throttled_events(app):
    found = rows(
        app,
        select(Event.username, Event.detail)
        .where(Event.action == "login_throttled")
        .order_by(Event.id),
    )
    return [tuple(row) for row in found]


def signed_in(app, username="member"):
    client = app.test_client()
    assert login(client, username, PASSWORD, "198.51.100.1").status_code == 200
    return client


def token_of(client):
    answer = client.post("/auth/tokens", json={"name": "a program", "scope": "read"})
    assert answer.status_code == 201, answer.json
    return answer.json["secret"]


# -- of a name -------------------------------------------------------------------------


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


# -- of an address ---------------------------------------------------------------------


@pytest.mark.slow
def test_a_hundred_failures_of_an_address_are_free(client, clock):
    for number in range(OF_ADDRESS):
        assert login(client, f"name-{number // 9}").status_code == 401
    assert wait_of(login(client, "another")) == 30
    assert wait_of(login(client, password=PASSWORD)) == 30
    assert login(client, password=PASSWORD, address="192.0.2.2").status_code == 200


@pytest.mark.slow
def test_a_correct_password_does_not_reset_the_address(app, client, clock):
    for number in range(OF_ADDRESS - 1):
        if number % 20 == 0:
            assert login(app.test_client(), "admin", PASSWORD).status_code == 200
        assert login(client, f"name-{number // 9}").status_code == 401
    assert login(client, "another").status_code == 401
    assert wait_of(login(app.test_client(), "admin", PASSWORD)) == 30


@pytest.mark.slow
def test_failures_of_an_address_fade_by_one_a_minute(client, clock):
    for number in range(OF_ADDRESS):
        login(client, f"name-{number}")
    clock.go_on(minutes=20, seconds=30)  # while one has to wait none fades
    for number in range(20):
        assert login(client, f"other-{number}").status_code == 401
    assert wait_of(login(client, "another")) == 30


@pytest.mark.slow
def test_each_further_failure_doubles_the_wait_of_an_address(client, clock):
    for number in range(OF_ADDRESS):
        login(client, f"name-{number}")
    for number, wait in enumerate([*WAITS, 3600, 3600]):
        assert wait_of(login(client, f"other-{number}")) == wait
        clock.go_on(seconds=wait)
        assert login(client, f"other-{number}").status_code == 401


# -- tokens ----------------------------------------------------------------------------


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


# -- who is signed in ------------------------------------------------------------------


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


# -- many at once ----------------------------------------------------------------------


def at_once(number, work):
    """What the work returns for each number, all begun in the same moment."""
    together = threading.Barrier(number, timeout=PATIENCE)

    def begin(each):
        together.wait()
        return work(each)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(begin, range(number)))


@pytest.fixture
def two(make_app):
    """Two applications on one database, as two processes of a service are. Many may hash at
    once.
    """
    apps = [make_app(), make_app()]
    for app in apps:
        app.extensions[LOAD] = Load(threads=100)
    return apps


@pytest.fixture
def together(monkeypatch):
    """No password is compared before so many are about to be."""
    about, matches = threading.Barrier(FREE, timeout=PATIENCE), passwords.matches

    def wait_and_compare(*given):
        about.wait()
        return matches(*given)

    monkeypatch.setattr(passwords, "matches", wait_and_compare)


@pytest.mark.parametrize("apps", [1, 2])
def test_concurrent_attempts_get_no_extra_guesses(two, clock, compared, together, apps):
    answers = at_once(20, lambda number: login(two[number % apps].test_client()))
    assert Counter(answer.status_code for answer in answers) == {401: FREE, 429: 20 - FREE}
    assert len(compared) == FREE


def test_concurrent_attempts_record_throttling_once(two, clock, together):
    at_once(20, lambda number: login(two[0].test_client()))
    assert throttled_events(two[0]) == [("member", "this name has to wait 30 s")]


def test_two_apps_share_the_throttle(two, clock):
    clients = [app.test_client() for app in two]
    for client in clients:
        fail(client, FREE // 2)
    assert [wait_of(login(client, password=PASSWORD)) for client in clients] == [30, 30]


def test_concurrent_correct_sign_ins_are_not_throttled(app, clock):
    app.extensions[LOAD] = Load(threads=100)
    answers = at_once(8, lambda number: login(app.test_client(), password=PASSWORD))
    assert {answer.status_code for answer in answers} == {200}
    assert rows(app, select(func.sum(Throttle.failures))) in ([(0.0,)], [(None,)])


# -- the clock, and the rows -----------------------------------------------------------


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


# -- what is reported ----------------------------------------------------------------------


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


# -- behind a proxy --------------------------------------------------------------------


@contextlib.contextmanager
def served(app):
    """The application as waitress serves it, in this process; gives a function that signs in with
    more headers.
    """
    listening = listen("127.0.0.1", 0, None)
    worker = Worker(app, listening, 4)
    thread = threading.Thread(target=worker.run)
    thread.start()
    connection = HTTPConnection(*listening.getsockname(), timeout=PATIENCE)

    def sign_in(username, forwarded, password="wrong"):
        connection.request(
            "POST",
            "/auth/login",
            json.dumps({"username": username, "password": password}),
            {"Content-Type": "application/json", "X-Forwarded-For": forwarded},
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status

    try:
        yield sign_in
    finally:
        connection.close()
        worker.stop()
        thread.join(PATIENCE)


@pytest.mark.slow
def test_behind_the_trusted_proxy_the_client_address_is_used(make_app, clock):
    with served(make_app(TRUSTED_PROXY="127.0.0.1")) as sign_in:
        tried = [sign_in(f"name-{number}", "203.0.113.7") for number in range(OF_ADDRESS + 1)]
        assert tried == [401] * OF_ADDRESS + [429]
        assert [sign_in("another", "203.0.113.8"), sign_in("member", "203.0.113.8", PASSWORD)] == [
            401,
            200,
        ]
        # What a client sends itself stands before what the proxy has added.
        assert sign_in("another", "203.0.113.9, 203.0.113.7") == 429


@pytest.mark.slow
def test_without_a_trusted_proxy_forwarded_addresses_are_ignored(make_app, clock):
    with served(make_app()) as sign_in:
        tried = [
            sign_in(f"name-{number}", f"203.0.113.{number}") for number in range(OF_ADDRESS + 1)
        ]
        assert tried == [401] * OF_ADDRESS + [429]


# -- whose address it is ---------------------------------------------------------------


@pytest.mark.parametrize(
    "address, network",
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:DB8:0:0:ffff::2", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:db8::1]:5", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("localhost", "unknown"),
        ("", "unknown"),
        ("a\tb", "unknown"),
        ("1.2.3", "unknown"),
    ],
)
def test_addresses_are_grouped_by_their_network(address, network):
    assert throttle.network_of(address) == network


@pytest.mark.slow
def test_an_ipv6_network_counts_as_one_address(client, clock):
    for number in range(OF_ADDRESS):
        assert login(client, f"name-{number}", address=f"2001:db8::{number:x}").status_code == 401
    assert wait_of(login(client, "another", address="2001:db8::ffff")) == 30
    assert login(client, "another", address="2001:db8:0:1::1").status_code == 401


# -- when the service fails ------------------------------------------------------------


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


# -- a browser that is known -----------------------------------------------------------


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
