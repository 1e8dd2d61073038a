"""A storm of sign-ins takes neither all processors nor all threads: the rest of the service goes
on.
"""

import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from flask import request_started

from bookapi.auth import passwords
from bookapi.http.endpoints import Cost
from bookapi.http.load import LOAD
from helpers.faults import Client, make_instance
from helpers.instance import PASSWORD
from helpers.servers import serving

PATIENCE = 20
SHORT = 0.05


@contextmanager
def all_slots_taken(app):
    """No more may hash at this moment."""
    load = app.extensions[LOAD]
    with ExitStack() as slots:
        for _ in range(load.limits[Cost.HASHING]):
            slots.enter_context(load.slot(Cost.HASHING))
        yield


@pytest.mark.parametrize(
    "path, document",
    [
        ("/auth/login", {"username": "member", "password": "wrong"}),
        (
            "/auth/password",
            {"current_password": PASSWORD, "new_password": "another long enough password"},
        ),
        ("/auth/mfa", {"current_password": PASSWORD}),
        ("/auth/users", {"username": "newcomer", "password": "another long enough password"}),
        ("/auth/users/2", {"password": "another long enough password"}),
    ],
)
def test_whatever_hashes_a_password_takes_a_slot(app, admin, path, document):
    with all_slots_taken(app):
        method = "PATCH" if path.endswith("/2") else "POST"
        path = (
            path
            if method == "POST"
            else f"/auth/users/{admin.get('/auth/users').json['users'][1]['id']}"
        )
        answer = admin.open(path, method=method, json=document)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_a_sign_in_without_a_slot_is_refused_before_flask_and_ends_its_connection(
    app, client, accept
):
    with all_slots_taken(app), request_started.connected_to(pytest.fail, app):
        answer = client.post("/auth/login", data=b"{", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (503, accept.replace("/", "/problem+"))
    assert "Content-Length" not in answer.headers  # so the server ends the connection behind it
    assert client.post("/auth/login", json={}).status_code == 422


def test_an_attempt_without_a_slot_is_no_failure(app, client):
    with all_slots_taken(app):
        reported = [
            client.post("/auth/login", json={"username": "member", "password": "wrong"})
            for _ in range(12)
        ]
    assert {answer.status_code for answer in reported} == {503}
    assert (
        client.post("/auth/login", json={"username": "member", "password": PASSWORD}).status_code
        == 200
    )


def test_without_an_account_nothing_but_signing_in_hashes(app, client, monkeypatch):
    monkeypatch.setattr(passwords, "matches", None)
    for path in (
        "/auth/password",
        "/auth/mfa",
        "/auth/mfa/confirm",
        "/auth/mfa/disable",
        "/auth/users",
    ):
        assert client.post(path, json={}).status_code == 401, path


# -- a storm ---------------------------------------------------------------------------

GUESSERS, SECONDS = 40, 4
MAX_READ = 5  # seconds, on a machine that has more to do


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("line")
    made = make_instance(folder / "made")
    return Path(shutil.copytree(made, folder / "instance"))


def guess(client, number, end):
    """Guess passwords of many names without a pause; what was answered."""
    reported = Counter()
    while time.monotonic() < end:
        name = f"name-{number}-{sum(reported.values()) // 9}"
        answer = client.ask(
            "POST",
            "/auth/login",
            {"username": name, "password": "a wrong password"},
            **{"X-Forwarded-For": f"203.0.113.{number}"},
        )
        reported[
            answer.status, answer.status in (429, 503) and "retry-after" in answer.headers
        ] += 1
    return reported


def read(client, end):
    """The status of each read and how long it took."""
    reported = []
    while time.monotonic() < end:
        begun = time.monotonic()
        status = client.ask("GET", f"/books?limit={1 + len(reported) % 100}").status
        reported.append((status, time.monotonic() - begun))
        time.sleep(0.02)
    return reported


@pytest.mark.stress
def test_in_a_storm_of_guesses_everybody_else_is_answered(folder):
    with (
        serving(folder, "--threads", "8", TRUSTED_PROXY="127.0.0.1") as service,
        ExitStack() as opened,
        ThreadPoolExecutor(GUESSERS + 1) as pool,
    ):
        clients = [opened.enter_context(Client(service)) for _ in range(GUESSERS + 1)]
        end = time.monotonic() + SECONDS
        reading = pool.submit(read, clients[-1], end)
        guessing = [
            pool.submit(guess, client, number, end) for number, client in enumerate(clients[:-1])
        ]
        guesses, reads = (
            sum((each.result(PATIENCE) for each in guessing), Counter()),
            reading.result(PATIENCE),
        )
    assert guesses.keys() <= {(401, False), (429, True), (503, True)}, guesses
    assert guesses[401, False] > 0
    durations = sorted(seconds for _, seconds in reads)
    assert len(reads) > 5 and {status for status, _ in reads} == {200}, Counter(
        status for status, _ in reads
    )
    assert durations[-1] < MAX_READ
    assert "Traceback" not in (folder / "log").read_text()
