"""Sign-ins at the same time: no more of them are tried than one after the other."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from bookapi.auth import passwords
from bookapi.auth.models import Throttle
from bookapi.http.load import LOAD, Load
from helpers.instance import PASSWORD
from helpers.throttling import FREE, PATIENCE, fail, login, rows, throttled_events, wait_of


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
