"""Throttled sign-ins by address. docs/api.md, Sign-in and sessions."""

import contextlib
import json
import threading
from http.client import HTTPConnection

import pytest

from bookapi.auth import throttle
from bookapi.server.listening import listen
from bookapi.server.worker import Worker
from helpers.instance import PASSWORD
from helpers.throttling import OF_ADDRESS, PATIENCE, WAITS, login, wait_of

# -- of an address -----------------------------------------------------------------------


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


# -- behind a proxy ----------------------------------------------------------------------


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


# -- whose address it is -----------------------------------------------------------------


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
