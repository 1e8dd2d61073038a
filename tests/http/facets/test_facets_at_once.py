"""Facets and counts that several ask for at once."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bookapi.books.queries import facets as facet_queries
from bookapi.books.queries import matches, single_flight
from bookapi.db.failures import TooSlow

CROWD = 6  # as many as may use threads at once; four may count different facets


@pytest.fixture
def crowd(app, shelf, monkeypatch):
    """A function that has several clients ask for an address at once: their answers, and what was
    computed. What computes goes on when the others wait for its result; it may `fail`."""
    waiting, computed = threading.Semaphore(0), []

    class Watched(Future):
        def result(self, timeout=None):
            if not self.done():
                waiting.release()
            return super().result(timeout)

    def ask(address, fail=None):
        def once(key, make):
            def slowly():
                computed.append(key[0])
                assert all(waiting.acquire(timeout=10) for _ in range(CROWD - 1))
                if fail:
                    raise fail
                return make()

            return single_flight.once(key, slowly)

        with monkeypatch.context() as patch, ThreadPoolExecutor(CROWD) as pool:
            patch.setattr(single_flight, "Future", Watched)
            patch.setattr(matches, "once", once)
            clients = [app.test_client() for _ in range(CROWD)]
            answers = list(pool.map(lambda client: client.get(address), clients))
        return [(answer.status_code, answer.json) for answer in answers], computed

    return ask


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("/books?language=en-GB&facets=author", "author"),
        ("/books?published_from=1800", "count"),
    ],
)
def test_what_several_ask_for_at_once_is_computed_once(crowd, admin, address, what):
    answers, computed = crowd(address)
    assert computed == [what]
    assert answers == [(200, admin.get(address).json)] * CROWD


def test_what_takes_too_long_is_given_up_for_all_who_asked_and_computed_again_later(crowd, admin):
    address = "/books?language=en-GB&facets=author"
    answers, computed = crowd(address, TooSlow())
    assert (len(computed), {status for status, _ in answers}) == (1, {503})
    assert all("facets, language" in reported["detail"] for _, reported in answers)
    assert admin.get(address).status_code == 200


def test_the_marks_of_two_lists_are_made_at_the_same_time(app, shelf, monkeypatch):
    both, make, places = threading.Barrier(2, timeout=10), matches.Matches._marks, set()

    def marks(self, query, **values):
        places.add(both.wait())
        return make(self, query, **values)

    monkeypatch.setattr(matches.Matches, "_marks", marks)
    monkeypatch.setattr(facet_queries, "LOOKED_UP", 1000)
    addresses = [f"/books?published_from={year}&facets=author" for year in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda address: app.test_client().get(address), addresses))
    assert [answer.status_code for answer in answers] == [200, 200] and places == {0, 1}
