"""Concurrent clients: no lost update, nothing done twice, no reader blocked by a lock.

`-m durability` runs these tests; `DURABILITY=long` makes them run longer.
"""

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.db.queue import IMPATIENT_SECONDS
from helpers.faults import FILE, LONG, Client, flaws, kill, make_instance, rounds, stored
from helpers.servers import post, serving
from helpers.waiting import PATIENCE

pytestmark = pytest.mark.durability
SEED = 20260102


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_instance(tmp_path_factory.mktemp("concurrency") / "instance")


@contextlib.contextmanager
def clients(service, number):
    """Connected clients who share a session."""
    with contextlib.ExitStack() as opened:
        first = opened.enter_context(Client(service))
        cookie = first.sign_in()
        yield [first, *[opened.enter_context(Client(service, cookie)) for _ in range(number - 1)]]


def at_once(work, *every):
    """What the work returns for each, all begun in the same moment."""
    together = threading.Barrier(len(every[0]), timeout=PATIENCE)

    def begin(*args):
        together.wait()
        return work(*args)

    with ThreadPoolExecutor(len(every[0])) as pool:
        return list(pool.map(begin, *every))


# -- increments and duplicates ---------------------------------------------------------


def increment(client, times):
    """Add 1 to the pages of the book, so many times; returns how often each status was the
    answer.
    """
    statuses = Counter()
    while statuses[200] < times and not statuses.keys() - {200, 412}:
        read = client.ask("GET", "/books/1")
        answer = client.ask(
            "PATCH",
            "/books/1",
            {"pages": read.json()["pages"] + 1},
            **{"If-Match": read.headers["etag"]},
        )
        statuses[answer.status] += 1
    return statuses


def test_concurrent_increments_with_if_match_lose_none(folder):
    times = rounds(30, 1000)
    with serving(folder, "--workers", "2") as service, clients(service, 32) as every:
        assert every[0].create("Counter", pages=1).status == 201
        statuses = sum(at_once(lambda client: increment(client, times), every), Counter())
        every[0].http.close()  # the service ends a connection that was idle for 30 s
        book = every[0].ask("GET", "/books/1").json()
        assert statuses.keys() == {200, 412} and statuses[200] == 32 * times
        assert book["version"] - 1 == book["pages"] - 1 == statuses[200]
    assert flaws(folder / FILE) == []


def isbn(number):
    """The ISBN of that number."""
    digits = f"978{number:09}"
    return digits + str(
        -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    )


def test_concurrent_creates_of_one_isbn_create_one_and_refer_the_others_to_it(
    folder,
):
    with serving(folder, "--workers", "2") as service, clients(service, 16) as every:
        for number in range(rounds(20, 500)):
            answers = at_once(
                lambda client, number=number: client.create("Same", isbn=isbn(number)), every
            )
            assert Counter(answer.status for answer in answers) == {201: 1, 409: 15}
            [location] = [answer.headers["location"] for answer in answers if answer.status == 201]
            assert {answer.json()["existing"] for answer in answers if answer.status == 409} == {
                location
            }
    assert flaws(folder / FILE) == []


# -- lost answers ----------------------------------------------------------------------

BATCH = 25  # requests, the last of which the service does not survive


class Impatient:
    """A client that goes before its answer comes, or before it has said all, and asks again with
    the same key.
    """

    def __init__(self, folder):
        self.file, self.chance, self.count = folder / FILE, random.Random(SEED), 0
        self.reported, self.done_before, self.busy = {}, 0, 0

    @property
    def title(self):
        return f"Book {self.count}"

    def cut(self, service, cookie):
        """Send the next request, or the beginning of it, and go."""
        self.count += 1
        request = post("/books", json.dumps({"title": self.title}).encode(), cookie, **self._key())
        whole = self.chance.random() < 0.8
        with service.connect() as connection:
            connection.sendall(request if whole else request[: self.chance.randrange(len(request))])
            time.sleep(self.chance.uniform(0, 0.008))

    def retry(self, client):
        """Ask again, until it is not at work on the first one any more."""
        self.done_before += self.title in {book["title"] for book in stored(self.file).values()}
        answer = client.ask("POST", "/books", {"title": self.title}, **self._key())
        while answer.status == 409 and self.busy < 1000:
            self.busy += 1
            time.sleep(0.01)
            answer = client.ask("POST", "/books", {"title": self.title}, **self._key())
        assert answer.status == 201, answer
        self.reported[answer.json()["id"]] = self.title

    def _key(self):
        return {"Idempotency-Key": f"key-{self.count}"}


def test_retrying_with_a_key_after_a_lost_response_creates_one_book(folder):
    impatient, cookie = Impatient(folder), None
    for _ in range(rounds(4, 40)):
        with serving(folder, "--workers", "2") as service, Client(service, cookie) as client:
            cookie = cookie or client.sign_in()
            if impatient.count:  # the service was killed meanwhile
                impatient.retry(client)
            for _ in range(BATCH - 1):
                impatient.cut(service, cookie)
                impatient.retry(client)
            impatient.cut(service, cookie)
            kill(service)
    with serving(folder, "--workers", "2") as service, Client(service, cookie) as client:
        impatient.retry(client)
    books = {number: book["title"] for number, book in stored(folder / FILE).items()}
    assert (
        books == impatient.reported
        and len(set(books.values())) == len(books) == rounds(4, 40) * BATCH
    )
    assert (
        0 < impatient.done_before < impatient.count
    )  # some were done the first time, some were not
    assert flaws(folder / FILE) == []


# -- a foreign lock --------------------------------------------------------------------

WAIT, HELD = (5, 12) if LONG else (2, 4)
USUAL_READ_SECONDS = 0.25
READ_SECONDS = 1  # the longest that a read may take meanwhile, on a machine that has more to do
HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextlib.contextmanager
def foreign_lock(file, seconds):
    """A process that holds the write lock for so long."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file), str(seconds)], stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            yield
        finally:
            holder.kill()


def write_until_stored(client, title):
    """Each answer to a create and how long it took, up to the first 201."""
    answers, end = [], time.monotonic() + HELD + 3 * WAIT
    while time.monotonic() < end and not (answers and answers[-1][0].status == 201):
        begun = time.monotonic()
        answers.append((client.create(title), time.monotonic() - begun))
    return answers


def read_for(client, seconds):
    """Status and duration of each read, remembered answers and others, for so long."""
    reads, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for path in (
            "/books/1",
            "/books",
            f"/books?q=book&limit={1 + len(reads) % 100}",
            "/books/changes",
        ):
            begun = time.monotonic()
            reads.append((client.ask("GET", path).status, time.monotonic() - begun))
        time.sleep(0.005)
    return reads


# A service has 8 threads unless it is told otherwise. Changes that would take too many of them are
# refused, once it is
# plain that nothing goes on.
@pytest.mark.parametrize(
    "writers, longest_read", [(3, READ_SECONDS), (16, READ_SECONDS + IMPATIENT_SECONDS)]
)
def test_a_foreign_lock_makes_writes_fail_in_time_and_delays_no_read(folder, writers, longest_read):
    with (
        serving(folder, DATABASE_WAIT_SECONDS=str(WAIT)) as service,
        clients(service, writers) as every,
        Client(service) as reader,
        ThreadPoolExecutor(writers + 1) as pool,
    ):
        assert every[0].create("Book").status == 201
        with foreign_lock(folder / FILE, HELD):
            reading = pool.submit(read_for, reader, HELD)
            writing = [
                pool.submit(write_until_stored, client, f"Book {number}")
                for number, client in enumerate(every)
            ]
            answers = [answer for each in writing for answer in each.result()]
        assert Counter(answer.status for answer, _ in answers)[201] == len(every)
        refusals = [(answer, seconds) for answer, seconds in answers if answer.status != 201]
        assert len(refusals) >= len(every)
        assert {
            (answer.status, answer.headers["retry-after"].isdigit()) for answer, _ in refusals
        } == {(503, True)}
        assert max(seconds for _, seconds in refusals) < WAIT + 1.5
        reads = reading.result()
        assert len(reads) > 100 and {status for status, _ in reads} == {200}
        durations = sorted(seconds for _, seconds in reads)
        assert (
            durations[-1] < longest_read and durations[len(reads) * 95 // 100] < USUAL_READ_SECONDS
        )


# -- the change feed -------------------------------------------------------------------

CYCLE = [("PATCH", "", "updated"), ("DELETE", "", "deleted"), ("POST", "/restore", "restored")]


def change_until(client, ended):
    """Every change that was acknowledged, as the feed should tell it: book, version and what was
    done.
    """
    made = []
    while not ended.is_set():
        answer = client.create("Fed", pages=1)
        assert answer.status == 201, answer
        book = answer.json()["id"]
        made.append((book, 1, "created"))
        for version, (method, path, action) in enumerate(CYCLE, 2):
            answer = client.ask(
                method, f"/books/{book}{path}", {"pages": 2} if method == "PATCH" else None
            )
            assert answer.status in (200, 204), answer
            made.append((book, version, action))
    return made


def follow(client, writing, chance):
    """The whole feed as someone sees it who polls it while others write, and how often it was at
    its end.
    """
    changes, ends, after = [], 0, 0
    while True:
        quiet = all(each.done() for each in writing)
        answer = client.ask("GET", f"/books/changes?after={after}&limit={chance.randint(1, 100)}")
        assert answer.status == 200, answer
        changes += answer.json()["changes"]
        after = changes[-1]["seq"] if changes else 0
        if "next" not in answer.json()["links"]:
            ends += 1
            if quiet:
                return changes, ends


@pytest.mark.parametrize("workers", ["1", "2"])
def test_following_the_feed_during_writes_shows_each_change_once_in_order(folder, workers):
    ended, chance = threading.Event(), random.Random(SEED)
    with (
        serving(folder, "--workers", workers) as service,
        clients(service, 4) as writers,
        Client(service) as reader,
        ThreadPoolExecutor(5) as pool,
    ):
        writing = [pool.submit(change_until, client, ended) for client in writers]
        following = pool.submit(follow, reader, writing, chance)
        ended.wait(rounds(4, 60))
        ended.set()
        changes, ends = following.result(rounds(60, 600))
        made = sorted(change for each in writing for change in each.result())
    assert [change["seq"] for change in changes] == list(range(1, len(made) + 1))
    assert (
        sorted((change["book_id"], change["version"], change["action"]) for change in changes)
        == made
    )
    assert len(made) > 100 and ends > 10
