"""Requests that are rejected because of too many others."""

from contextlib import ExitStack

import pytest

from bookapi.http.endpoints import Cost
from bookapi.http.load import LOAD, MAX_QUEUE, Load
from bookapi.http.problems import Problem

KINDS = list(Cost)


def take_all(load, kind, account=None):
    """Slots of a kind until one is refused."""
    taken = []
    with pytest.raises(Problem) as refused:
        while True:
            slot = load.slot(kind, account)
            slot.__enter__()
            taken.append(slot)
    assert (refused.value.code, refused.value.headers) == (503, {"Retry-After": "1"})
    return taken


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_at_most_half_of_the_threads(threads, kind):
    assert 1 <= len(take_all(Load(threads), kind)) <= max(1, threads // 2)


@pytest.mark.parametrize("threads", [3, 4, 8, 64])
def test_two_threads_are_left_to_what_costs_little(threads):
    load = Load(threads)
    assert sum(map(len, [take_all(load, kind) for kind in KINDS])) <= threads - 2


def test_a_slot_is_given_back_whatever_happens_in_it():
    load = Load(8)
    for _ in range(20):
        with pytest.raises(ValueError), load.slot(Cost.HASHING):
            raise ValueError
    assert len(take_all(load, Cost.HASHING)) == 2


def test_an_account_has_half_of_the_imports():
    load = Load(8)
    assert list(map(len, [take_all(load, Cost.IMPORT, account) for account in (1, 2, 3)])) == [
        2,
        2,
        0,
    ]


def test_those_who_wait_for_the_same_share_a_slot():
    load, shared = Load(8), ExitStack()
    with shared:
        for _ in range(5):
            shared.enter_context(load.slot(Cost.TERMS, work="the same"))
        with load.slot(Cost.TERMS, work="another"), pytest.raises(Problem):
            shared.enter_context(load.slot(Cost.TERMS, work="the same"))  # two threads are left
        shared.enter_context(load.slot(Cost.TERMS, work="the same"))
    assert len(take_all(load, Cost.TERMS)) == 4


def test_what_several_do_takes_a_slot_until_the_last_of_them_ends():
    load = Load(8)
    with load.slot(Cost.TERMS, work="the same"):
        with load.slot(Cost.TERMS, work="the same"):
            pass
        assert len(take_all(load, Cost.TERMS)) == 3


@pytest.fixture
def waiting(app):
    """A list that the application takes for the queue of its server."""
    queue = []
    app.extensions[LOAD] = Load(8, queue)
    return queue


def statuses(client, path, number=300, **headers):
    return [client.get(path, headers=headers).status_code for _ in range(number)]


def test_a_queue_of_usual_length_is_served(client, waiting):
    waiting.extend(range(MAX_QUEUE))
    assert set(statuses(client, "/", 20)) == {200}


def test_while_the_queue_is_long_most_requests_are_refused(client, waiting):
    waiting.extend(range(MAX_QUEUE * 10))
    assert statuses(client, "/").count(503) > 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_probes_are_never_refused(client, waiting, path):
    waiting.extend(range(MAX_QUEUE * 1000))
    assert set(statuses(client, path, 20)) == {200}


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("*/*", "application/problem+json"),
        ("application/xml", "application/problem+xml"),
        ("image/png", "application/problem+json"),
    ],
)
def test_a_refusal_is_a_problem_that_says_when_to_try_again(client, waiting, accept, kind):
    waiting.extend(range(MAX_QUEUE * 1000))
    answer = client.get("/books", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (503, kind)
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["X-Request-ID"]
    assert client.head("/books").data == b""


@pytest.mark.parametrize(
    "method, path, kind",
    [
        ("POST", "/auth/login", Cost.HASHING),
        ("GET", "/books/export", Cost.EXPORT),
        ("POST", "/books/import", Cost.IMPORT),
        ("GET", "/books/authors", Cost.TERMS),
        ("GET", "/books?facets=language", Cost.TERMS),
    ],
)
def test_a_costly_request_is_refused_while_its_kind_has_no_slot(app, admin, method, path, kind):
    usual = admin.open(path, method=method).status_code
    taken = take_all(app.extensions[LOAD], kind)
    assert (usual, admin.open(path, method=method).status_code) != (503, 503)
    assert admin.open(path, method=method).status_code == 503
    assert admin.get("/books").status_code == 200
    for slot in taken:
        slot.__exit__(None, None, None)
    for _ in range(10):
        assert admin.open(path, method=method).status_code == usual
