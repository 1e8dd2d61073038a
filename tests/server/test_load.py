"""Too many requests at once, and clients that are too slow: whoever can be answered is, the others are told soon."""

import contextlib
import heapq
import itertools
import json
import threading
import time
from collections import deque
from socket import create_connection
from statistics import median

import pytest

from bookapi.http.endpoints import Access, endpoint
from bookapi.server import http, listen, load, pace
from bookapi.server import worker as workers
from bookapi.server.load import CALM, INTERVAL, STUCK, TARGET, Load
from bookapi.server.pace import HEADER_SECONDS, PROGRESS_BYTES, PROGRESS_SECONDS, Pace

PATIENCE = 15  # seconds; how long anything may take on a machine that is busy with other things


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


# -- the choice, in a time of our own ---------------------------------------------------------------------------------


class Play:
    """A service whose threads take `cost` seconds for a request, and clients that come when they are told to."""

    def __init__(self, threads, cost):
        self.clock, self.told = Clock(), []
        self.load = Load(threads, lambda line, *values: self.told.append(line % values), self.clock)
        self.cost, self.free, self.queue = cost, threads, deque()
        self.refused, self.served, self.lengths = (
            [],
            [],
            [],
        )  # when; (when, after how long); (when, how many wait)
        self._events, self._number = [], itertools.count()

    def come(self, after, until=0.0, pause=0.02):
        """A client after so many seconds. Until then it asks again at once, and after a pause where it was refused."""
        self._at(self.clock.now + after, self._come, until, pause)

    def run(self, seconds=1000.0):
        """What happens in so many seconds."""
        end = self.clock.now + seconds
        while self._events and self._events[0][0] <= end:
            self.clock.now, _, happen, *more = heapq.heappop(self._events)
            happen(*more)
            self._drop()
            self._take()
            self.lengths.append((self.clock.now, len(self.queue)))
        self.clock.now = end

    def stall(self, seconds):
        """No thread takes anything for so long."""
        free, self.free = self.free, -1000
        self._at(self.clock.now + seconds, self._resume, free + 1000)

    def _at(self, when, *event):
        heapq.heappush(self._events, (when, next(self._number), *event))

    def _come(self, until, pause):
        if self.load.admit():
            self.queue.append((self.clock.now, until, pause))
        else:
            self._refuse(until, pause)

    def _refuse(self, until, pause):
        self.refused.append(self.clock.now)
        if self.clock.now < until:
            self._at(self.clock.now + pause, self._come, until, pause)

    def _drop(self):
        for _ in range(self.load.surplus()):
            self.load.drop()
            self._refuse(*self.queue.pop()[1:])

    def _take(self):
        while self.free > 0 and self.queue:
            came, until, pause = self.queue.popleft()
            self.load.take()
            self.free -= 1
            self._at(self.clock.now + self.cost, self._done, came, until, pause)

    def _done(self, came, until, pause):
        self.free += 1
        self.served.append((self.clock.now, self.clock.now - came))
        if self.clock.now < until:
            self._come(until, pause)

    def _resume(self, count):
        self.free += count


USUAL = 8 / 900  # seconds: with eight threads 900 requests a second, as creates are


@pytest.mark.parametrize("count", [1, 16, 64, 300])
def test_a_burst_of_usual_requests_waits_and_is_answered(count):
    play = Play(8, USUAL)
    for _ in range(count):
        play.come(0)
    play.run()
    assert (len(play.served), play.refused, play.told) == (count, [], [])


@pytest.mark.parametrize("clients", [16, 32, 64])
def test_many_clients_of_usual_requests_who_never_pause_are_all_answered(clients):
    play = Play(8, USUAL)
    for _ in range(clients):
        play.come(0, until=play.clock.now + 10)
    play.run()
    assert (play.refused, play.told) == ([], [])
    assert len(play.served) == pytest.approx(9000, rel=0.02)


@pytest.mark.parametrize("seconds", [0.3, 0.9, 2.5])
def test_who_comes_while_nothing_goes_on_for_a_moment_is_not_refused_for_long_after(seconds):
    play = Play(8, USUAL)
    for _ in range(64):
        play.come(0, until=play.clock.now + 10)
    play.run(1)
    play.stall(seconds)
    play.run(seconds)
    stalled = play.clock.now
    play.run()
    assert all(at < stalled + 0.3 for at in play.refused)
    assert not play.refused or seconds > STUCK
    assert len(play.served) > 900 * (10 - seconds) * 0.97


@pytest.mark.stress
@pytest.mark.parametrize(
    "threads, cost, clients", [(2, 0.3, 40), (8, 0.2, 80), (8, 0.12, 80), (1, 0.2, 10), (8, 2, 80)]
)
def test_what_is_too_much_is_refused_and_the_rest_answered_nearly_as_soon_as_ever(
    threads, cost, clients
):
    play = Play(threads, cost)
    begun = play.clock.now
    for _ in range(clients):
        play.come(0, until=begun + 30)
    play.run()
    late = begun + 3 * STUCK + 2 * cost
    assert max(length for at, length in play.lengths if at > late) <= max(
        1, threads // 2, 1 + TARGET * threads / cost
    )
    # Each thread has a processor of its own here: nobody who was let in waits for two others.
    assert max(took for at, took in play.served if at > late + cost) <= 2 * cost + 0.01
    assert len(play.served) >= 0.95 * 30 * threads / cost
    assert len(play.refused) > 10 * len(play.served)


@pytest.mark.parametrize("before", [0, 100])
def test_nobody_waits_much_longer_than_a_second_where_too_many_had_been_let_in(before):
    play = Play(8, 0.6)
    for number in range(before):  # who find an idle thread
        play.come(number)
    for _ in range(200):
        play.come(before)
    play.run()
    assert 150 < len(play.refused) < 190
    assert max(took for _, took in play.served) < 0.6 + INTERVAL + STUCK + 2 * 0.6


def test_an_overload_is_over_when_nobody_had_to_be_refused_for_a_second():
    play = Play(2, 0.3)
    for _ in range(40):
        play.come(0, until=play.clock.now + 5)
    play.run(6)
    assert play.load.overloaded
    play.run(CALM + 0.5)
    play.load.surplus()  # the main loop looks again and again
    assert not play.load.overloaded
    before = len(play.refused)
    for _ in range(20):
        play.come(0)
    play.run(0.2)
    assert (len(play.refused), play.load.waiting) == (before, 18)


def test_the_log_gets_one_line_when_it_begins_and_one_when_it_is_over():
    play = Play(2, 0.3)
    for _ in range(40):
        play.come(0, until=play.clock.now + 5)
    play.run(20)
    play.load.surplus()
    assert len(play.told) == 2
    assert play.told[0].startswith("overloaded: ")
    assert play.told[1].startswith(
        f"no longer overloaded: {len(play.refused)} requests were refused within "
    )
    assert play.load.refused == len(play.refused) > 100


def test_threads_that_hang_are_noticed_by_who_comes_next():
    clock = Clock()
    load = Load(4, clock=clock)
    for _ in range(4):
        assert load.admit()
        load.take()
    assert all(load.admit() for _ in range(10))
    clock.now += 10 * STUCK
    assert load.surplus() == 8  # so that two still wait
    for _ in range(8):
        load.drop()
    assert [load.admit(), load.admit(always=True), load.waiting, load.refused] == [
        False,
        True,
        3,
        9,
    ]


@pytest.mark.parametrize("waits", [(0.0, 0.2, 0.01), (0.2,)])
def test_requests_that_wait_by_chance_behind_a_long_one_are_no_overload(waits):
    clock = Clock()
    load = Load(1, clock=clock)
    for _ in range(50):
        for wait in waits:
            assert load.admit()
            clock.now += wait
            load.take()
    assert not load.overloaded


# -- the pace of clients, in a time of our own ------------------------------------------------------------------------


def test_headers_have_so_long_from_their_first_byte():
    clock = Clock()
    pace = Pace(clock)
    assert not pace.late_with_header("one")
    clock.now += HEADER_SECONDS - 1
    assert [pace.late_with_header("one"), pace.late_with_header("another")] == [False, False]
    clock.now += HEADER_SECONDS + 1
    assert pace.late_with_header("another")


@pytest.mark.parametrize(
    "a_second, slow", [(0, True), (900, True), (1100, False), (1_000_000, False)]
)
def test_a_body_has_to_come_on(a_second, slow):
    clock = Clock()
    pace = Pace(clock)
    found = []
    for second in range(3 * PROGRESS_SECONDS):
        found.append(pace.too_slow("one", second * a_second))
        clock.now += 1
    assert any(found) == slow
    assert not any(found[:PROGRESS_SECONDS])


def test_a_rest_begins_a_new_watch():
    clock = Clock()
    pace = Pace(clock)
    assert not pace.too_slow("one", PROGRESS_BYTES)
    clock.now += 2 * PROGRESS_SECONDS
    pace.rest()
    assert not pace.too_slow("one", PROGRESS_BYTES)


# -- real requests ----------------------------------------------------------------------------------------------------


class Served:
    """A service in this process. Its view /wait ends when it is let go; /sleep takes 0.3 s; /long is a long answer."""

    def __init__(self, app, threads):
        self.goes_on, self.waiting = threading.Semaphore(0), threading.Semaphore(0)
        for path, view in (("/wait", self._wait), ("/sleep", self._sleep), ("/long", self._long)):
            app.add_url_rule(
                path, path[1:], endpoint(Access.ANYONE, "service")(lambda view=view: view())
            )
        listening = listen("127.0.0.1", 0, None)
        self.address = listening.getsockname()
        self.worker = workers.Worker(app, listening, threads)
        self.load = self.worker.load
        self._thread = threading.Thread(target=self.worker.run)

    def _wait(self):
        self.waiting.release()
        assert self.goes_on.acquire(timeout=PATIENCE)
        return {"status": "waited"}

    def _sleep(self):
        time.sleep(0.3)
        return {"status": "slept"}

    def _long(self):
        return b"x" * 30_000_000

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *failure):
        self.goes_on.release(1000)
        self.worker.stop()
        self._thread.join(2 * PATIENCE)
        assert not self._thread.is_alive()

    def connect(self):
        return contextlib.closing(Client(self.address))


class Client:
    """One connection, and the answers on it."""

    def __init__(self, address):
        self.socket = create_connection(address, PATIENCE)
        self.file = self.socket.makefile("rb")

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, path, *headers, method="GET"):
        lines = [f"{method} {path} HTTP/1.1", "Host: a", *headers]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def answer(self, head=False):
        """Status, headers and body; the status is None where the connection has ended."""
        first = self.file.readline()
        if not first:
            return None, {}, b""
        headers = {}
        while line := self.file.readline().rstrip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        body = b"" if head else self.file.read(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    def ask(self, path, *headers, method="GET"):
        self.send(path, *headers, method=method)
        return self.answer(head=method == "HEAD")

    def ended(self):
        """Whether the service has ended the connection."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def quick_looks(monkeypatch):
    monkeypatch.setattr(workers, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(http, "LOOK_SECONDS", 0.05)


@pytest.fixture
def jammed(app, monkeypatch):
    """A service whose only thread is busy, and another request waits for it: who comes now is refused."""
    monkeypatch.setattr(load, "STUCK", 0.0)
    monkeypatch.setattr(load, "LATE", 0.0)
    monkeypatch.setattr(load, "TARGET", 0.0)
    with Served(app, 1) as served, served.connect() as busy, served.connect() as waiting:
        busy.send("/wait")
        assert served.waiting.acquire(timeout=PATIENCE)
        waiting.send("/sleep")
        until(lambda: served.load.waiting == 1)
        served.busy, served.next = busy, waiting
        yield served


def until(condition):
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "accept, media_type, start",
    [
        ("application/json", "application/problem+json", b"{"),
        ("application/xml", "application/problem+xml", b"<?xml"),
        ("image/png", "application/problem+json", b"{"),
    ],
)
def test_a_refusal_is_a_problem_that_says_when_to_come_again(jammed, accept, media_type, start):
    with jammed.connect() as client:
        status, headers, body = client.ask("/books", f"Accept: {accept}", "X-Request-ID: mine")
    assert (status, headers["retry-after"], headers["content-type"]) == (503, "1", media_type)
    assert body.startswith(start) and b"the service is busy" in body
    told = {
        name: headers[name] for name in ("x-request-id", "cache-control", "x-content-type-options")
    }
    assert told == {
        "x-request-id": "mine",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    assert "date" in headers and "server" not in headers


def test_a_refused_client_may_ask_again_on_its_connection_and_is_answered_when_there_is_room(
    jammed,
):
    with jammed.connect() as client:
        ids = {client.ask("/sleep")[1]["x-request-id"] for _ in range(3)}
        assert client.ask("/sleep", "Content-Length: 0", method="POST")[0] == 503
        jammed.goes_on.release()
        assert (jammed.busy.answer()[0], jammed.next.answer()[0], client.ask("/sleep")[0]) == (
            200,
            200,
            200,
        )
    assert len(ids) == 3
    assert jammed.load.refused == 4


def test_a_refusal_of_head_has_no_body_and_leaves_the_connection_in_step(jammed):
    with jammed.connect() as client:
        status, headers, _ = client.ask("/books", method="HEAD")
        assert (status, int(headers["content-length"]) > 0) == (503, True)
        assert client.ask("/books")[0] == 503


@pytest.mark.parametrize("more", [["Connection: close"], ["Connection: Close, TE"]])
def test_a_refused_connection_is_ended_where_its_client_wants_that(jammed, more):
    with jammed.connect() as client:
        status, headers, _ = client.ask("/books", *more)
        assert (status, headers["connection"], client.ended()) == (503, "close", True)


def test_who_sends_many_requests_at_once_is_refused_once_and_begins_anew(jammed):
    with jammed.connect() as client:
        client.socket.sendall(b"GET /books HTTP/1.1\r\nHost: a\r\n\r\n" * 200)
        status, headers, _ = client.answer()
        assert (status, headers["connection"], client.ended()) == (503, "close", True)
    assert jammed.load.refused == 1


def test_a_second_request_that_came_with_one_that_is_served_has_no_right_to_wait_either(jammed):
    with jammed.connect() as client:
        jammed.goes_on.release()
        assert (jammed.busy.answer()[0], jammed.next.answer()[0]) == (200, 200)
        client.socket.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        assert jammed.waiting.acquire(timeout=PATIENCE)
        jammed.next.send("/sleep")
        until(lambda: jammed.load.waiting == 1)
        assert jammed.busy.ask("/books")[0] == 503  # an overload it is from here on
        jammed.goes_on.release()
        assert (client.answer()[0], client.answer()[0]) == (200, 503)
        assert (jammed.next.answer()[0], client.ask("/sleep")[0]) == (200, 200)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_whether_it_is_alive_and_ready_is_never_refused(jammed, path, method):
    with jammed.connect() as prober, jammed.connect() as client:
        prober.send(path, method=method)
        until(lambda: jammed.load.waiting == 2)
        assert client.ask("/books")[0] == 503
        jammed.goes_on.release()
        assert prober.answer(head=method == "HEAD")[0] == 200


def test_what_is_no_request_is_told_so_even_now(jammed):
    with jammed.connect() as client:
        client.socket.sendall(b"hello\r\n\r\n")
        assert client.answer()[0] == 400


def test_who_waits_already_when_it_turns_out_that_the_threads_hang_is_refused_from_the_end(
    app, monkeypatch
):
    monkeypatch.setattr(load, "LATE", 0.0)
    monkeypatch.setattr(load, "TARGET", 0.0)
    monkeypatch.setattr(workers, "TICK_SECONDS", 0.05)
    with Served(app, 1) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(4)]
        for number, client in enumerate(clients):
            client.send("/wait" if number == 0 else "/sleep")
            until(lambda: served.load.waiting == number)
            if number == 0:
                assert served.waiting.acquire(timeout=PATIENCE)
        assert [client.answer()[0] for client in clients[2:]] == [503, 503]
        served.goes_on.release()
        assert [client.answer()[0] for client in clients[:2]] == [200, 200]


class Crowd:
    """Clients who ask for something slow again and again, after a short pause where they were refused."""

    def __init__(self, served, number):
        self.served, self.seen, self._wanted = served, [], True
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]

    def _ask(self):
        with self.served.connect() as client:
            while self._wanted:
                begun = time.monotonic()
                status, headers, _ = client.ask("/sleep")
                self.seen.append((status, headers.get("retry-after"), time.monotonic() - begun))
                time.sleep(0.1 if status == 503 else 0)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self._wanted = False
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)


@pytest.mark.stress
def test_of_a_crowd_some_are_answered_and_the_rest_told_at_once(app):
    with Served(app, 2) as served:
        with Crowd(served, 40) as crowd, served.connect() as prober:
            until(lambda: served.load.overloaded)
            probes = []
            for _ in range(6):
                probes.append(prober.ask("/healthz")[0])
                time.sleep(0.3)
        begun = time.monotonic()
        with served.connect() as client:
            until(lambda: client.ask("/books")[0] == 200)
        assert time.monotonic() - begun < 5
    assert probes == [200] * 6
    assert {(status, after) for status, after, _ in crowd.seen} == {(200, None), (503, "1")}
    refused = [took for status, _, took in crowd.seen if status == 503]
    assert len(refused) == served.load.refused > 40
    assert median(refused) < 0.5
    assert max(took for status, _, took in crowd.seen if status == 200) < PATIENCE


def test_a_burst_is_answered_to_the_last(app):
    with Served(app, 8) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(32)]
        for client in clients:
            client.send("/books")
        assert [client.answer()[0] for client in clients] == [200] * 32
    assert served.load.refused == 0


# -- clients that take their time -------------------------------------------------------------------------------------


def drip(client, pieces, seconds=0.1):
    """Send piece after piece, until the service has had enough; whether it took them all."""
    for piece in pieces:
        try:
            client.socket.sendall(piece)
        except ConnectionError:
            return False
        time.sleep(seconds)
    return True


def test_headers_that_come_byte_by_byte_are_a_408(app, monkeypatch, quick_looks):
    monkeypatch.setattr(pace, "HEADER_SECONDS", 0.5)
    with Served(app, 1) as served, served.connect() as client:
        client.socket.settimeout(PATIENCE)
        dripping = threading.Thread(target=drip, args=(client, itertools.repeat(b"G", 100), 0.05))
        dripping.start()
        status, headers, body = client.answer()
        assert (status, headers["content-type"], json.loads(body)["status"]) == (
            408,
            "application/problem+json",
            408,
        )
        assert (headers["connection"], client.ended()) == ("close", True)
        dripping.join()


def test_headers_that_take_their_time_within_reason_are_read(app, monkeypatch, quick_looks):
    monkeypatch.setattr(pace, "HEADER_SECONDS", PATIENCE)
    with Served(app, 1) as served, served.connect() as client:
        assert drip(client, [b"GET /books HTTP/1.1\r\n", b"Host: ", b"a\r", b"\n\r", b"\n"], 0.2)
        assert client.answer()[0] == 200


def body_of(size):
    return f"POST /books HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode()


def slow_bodies(monkeypatch):
    monkeypatch.setattr(pace, "PROGRESS_SECONDS", 0.5)
    monkeypatch.setattr(pace, "PROGRESS_BYTES", 500)


def test_a_body_that_hardly_comes_is_a_408(app, monkeypatch, quick_looks):
    slow_bodies(monkeypatch)
    with Served(app, 1) as served, served.connect() as client:
        client.socket.sendall(body_of(100_000))
        dripping = threading.Thread(target=drip, args=(client, itertools.repeat(b"x", 100), 0.05))
        dripping.start()
        status, headers, body = client.answer()
        assert (status, json.loads(body)["detail"]) == (408, "the request took too long to arrive")
        assert (headers["connection"], client.ended()) == ("close", True)
        dripping.join()


def test_a_body_that_comes_slowly_but_surely_is_read(app, monkeypatch, quick_looks):
    slow_bodies(monkeypatch)
    with Served(app, 1) as served, served.connect() as client:
        client.socket.sendall(body_of(30 * 5000))
        assert drip(client, itertools.repeat(b"x" * 5000, 30), 0.05)
        assert client.answer()[0] == 401


def test_who_does_not_take_an_answer_does_not_keep_a_thread_for_ever(app, monkeypatch, quick_looks):
    slow_bodies(monkeypatch)
    with Served(app, 1) as served, served.connect() as sleepy, served.connect() as client:
        sleepy.send("/long")
        assert client.ask("/books")[0] == 200


def test_who_takes_an_answer_slowly_but_surely_gets_it_whole(app, monkeypatch, quick_looks):
    slow_bodies(monkeypatch)
    with Served(app, 1) as served, served.connect() as client:
        client.send("/long")
        got = 0
        while got < 30_000_000:
            part = client.socket.recv(1_000_000)
            assert part
            got += len(part)
            time.sleep(0.01)


def test_who_has_to_wait_for_the_service_or_asks_for_nothing_is_not_slow(
    app, monkeypatch, quick_looks
):
    monkeypatch.setattr(pace, "HEADER_SECONDS", 0.5)
    slow_bodies(monkeypatch)
    with Served(app, 1) as served, served.connect() as client:
        client.socket.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\nGET /bo")
        time.sleep(1)
        served.goes_on.release()
        assert client.answer()[0] == 200
        client.socket.sendall(b"oks HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer()[0] == 200
        time.sleep(1)
        assert client.ask("/books")[0] == 200
