"""A storm of sign-ins takes neither all processors nor all threads: the rest of the service goes
on.
"""

import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bookapi.auth import line, passwords
from bookapi.auth.line import Line
from bookapi.http.problems import Problem
from helpers.faults import Client, make_instance
from helpers.instance import PASSWORD
from helpers.servers import serving

PATIENCE = 20
SHORT = 0.05


def refused(error):
    """Whether it is a 503 that says when to come again."""
    return error.code == 503 and int(dict(error.get_headers())["Retry-After"]) >= 1


class Crowd:
    """People in a line, each of whom stays at its hashing until he is let go."""

    def __init__(self, line):
        self.line, self.goes_on = line, threading.Event()
        self.hashing, self.most, self.told = 0, 0, []
        self._lock, self._threads = threading.Lock(), []

    def come(self, number):
        """So many more."""
        self._threads += [threading.Thread(target=self._hash) for _ in range(number)]
        for thread in self._threads[-number:]:
            thread.start()

    def _hash(self):
        begun = time.monotonic()
        try:
            with self.line.place():
                with self._lock:
                    self.hashing += 1
                    self.most = max(self.most, self.hashing)
                assert self.goes_on.wait(PATIENCE)
                with self._lock:
                    self.hashing -= 1
            self.told.append((True, 0))
        except Problem as error:
            self.told.append((refused(error) and "refused", time.monotonic() - begun))

    def end(self):
        """Let all go; returns what became of each."""
        self.goes_on.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        return Counter(done for done, _ in self.told)


@contextmanager
def crowd(line, number):
    """So many people, after a moment."""
    people = Crowd(line)
    try:
        people.come(number)
        time.sleep(SHORT)
        yield people
    finally:
        people.end()


def until(condition):
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.001)


# -- the line --------------------------------------------------------------------------


@pytest.mark.parametrize("at_once, number", [(1, 6), (2, 6), (4, 6), (3, 3)])
def test_no_more_hash_at_the_same_time_and_all_in_line_have_their_turn(at_once, number):
    with crowd(Line(at_once), number) as people:
        until(lambda: people.hashing == at_once)
        time.sleep(SHORT)
        assert people.hashing == at_once
        assert people.end() == {True: number}
    assert people.most == at_once


@pytest.mark.parametrize(
    "processors, at_once", [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 4), (None, 1)]
)
def test_a_part_of_the_processors_hashes(monkeypatch, processors, at_once):
    monkeypatch.setattr(line.os, "cpu_count", lambda: processors)
    with crowd(Line(), 5) as people:
        until(lambda: people.hashing == at_once)
        time.sleep(SHORT)
        assert people.hashing == at_once


@pytest.fixture
def short(monkeypatch):
    """Nobody waits in line for long."""
    monkeypatch.setattr(line, "PATIENCE", SHORT)


def test_who_is_in_line_for_too_long_is_refused(short):
    with crowd(Line(1), 3) as people:
        until(lambda: len(people.told) == 2)
        assert min(seconds for _, seconds in people.told) >= SHORT
        assert people.end() == {True: 1, "refused": 2}


def test_a_place_is_given_back_whatever_happens_at_it(short):
    own = Line(1)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), own.place():
            1 / 0
    with own.place():
        pass


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
def test_whatever_hashes_a_password_is_in_line(app, admin, short, path, document):
    app.extensions[line.LINE] = Line(1)
    with app.extensions[line.LINE].place():
        method = "PATCH" if path.endswith("/2") else "POST"
        path = (
            path
            if method == "POST"
            else f"/auth/users/{admin.get('/auth/users').json['users'][1]['id']}"
        )
        answer = admin.open(path, method=method, json=document)
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "1"


def test_who_is_refused_in_line_is_not_counted_as_one_who_failed(app, client, short):
    app.extensions[line.LINE] = Line(1)
    with app.extensions[line.LINE].place():
        told = [
            client.post("/auth/login", json={"username": "member", "password": "wrong"})
            for _ in range(12)
        ]
    assert {answer.status_code for answer in told} == {503}
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
    told = Counter()
    while time.monotonic() < end:
        name = f"name-{number}-{sum(told.values()) // 9}"
        answer = client.ask(
            "POST",
            "/auth/login",
            {"username": name, "password": "a wrong password"},
            **{"X-Forwarded-For": f"203.0.113.{number}"},
        )
        told[answer.status, answer.status in (429, 503) and "retry-after" in answer.headers] += 1
    return told


def read(client, end):
    """The status of each read and how long it took."""
    told = []
    while time.monotonic() < end:
        begun = time.monotonic()
        status = client.ask("GET", f"/books?limit={1 + len(told) % 100}").status
        told.append((status, time.monotonic() - begun))
        time.sleep(0.02)
    return told


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
