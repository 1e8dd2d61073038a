"""Crowds and slow clients, and replaced workers behind NGINX (run with -m stress)."""

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager

import pytest

from helpers.crowd import NEWEST, connection, crowding
from helpers.instance import PASSWORD
from helpers.nginx import fronted
from helpers.servers import serving
from helpers.support import bookapi, jsonl_bytes
from helpers.waiting import wait_until

pytestmark = pytest.mark.stress
SECONDS = int(os.environ.get("STRESS_SECONDS", "15"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An instance of 15 MB."""
    folder = tmp_path_factory.mktemp("stress") / "instance"
    bookapi(folder, "init", ADMIN_PASSWORD=PASSWORD)
    books = [{"title": f"Book {number}", "description": "long " * 2000} for number in range(1500)]
    (folder / "books.jsonl").write_bytes(jsonl_bytes(*books))
    assert bookapi(folder, "books", "import", folder / "books.jsonl").returncode == 0
    return folder


CLIENTS = 120  # fifteen times the threads
ROUNDS = 3  # one of them counts: others may be at work on this machine


class Front:
    """How clients reach the service: `tls` through NGINX, else directly."""

    def __init__(self, address, tls):
        self.address, self.tls = address, tls

    def connect(self, number):
        """A connection from an address of its own."""
        made = connection(*self.address, number, self.tls)
        made.connect()
        return made.sock

    def send(self, number, text):
        """A connection on which this was sent."""
        client = self.connect(number)
        client.sendall(text)
        return client

    def probe(self):
        """Status of /healthz, and the seconds that it took."""
        begun = time.monotonic()
        asked = connection(*self.address, 999, self.tls)
        asked.request("GET", "/healthz")
        status = asked.getresponse().status
        asked.close()
        return status, time.monotonic() - begun

    def rate(self, seconds=2):
        """Reads a second of two clients (NGINX refuses what they ask beyond its limit)."""
        with crowding(self.address, 2, seconds, "/books?limit=20&sort=title", self.tls) as crowd:
            reported = crowd()
        assert reported.keys() <= {"200", "429"} if self.tls else {"200"}, reported
        return reported["200"] / seconds


@pytest.fixture(params=["direct", "nginx"])
def fronts(request, tmp_path):
    """A function: the front of a service."""
    with ExitStack() as stack:

        def front(service):
            if request.param == "direct":
                return Front(service.address, False)
            upstream = "{}:{}".format(*service.address)
            nginx = stack.enter_context(fronted(tmp_path / "nginx", [upstream], rate=100))
            return Front(("127.0.0.1", nginx.port), True)

        yield front


def test_idle_and_slow_clients_and_an_overload_leave_the_probes_quick(folder, fronts):
    with serving(folder, TRUSTED_PROXY="127.0.0.1") as service, ExitStack() as clients:
        front, worker = fronts(service), service.children()
        before = front.rate()
        for number in range(1000):
            clients.enter_context(front.connect(number))
        for number in range(200):
            path = "/books/export?format=jsonl" if number < 12 else "/books?limit=100"
            text = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            clients.enter_context(front.send(number, text))
        for number in range(50):
            head = b"POST /books/import HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"
            clients.enter_context(front.send(number, head + b"x" * 1000))
        slowest = [(_others(), _slowest_probe(front)) for _ in range(ROUNDS)]
        # Behind NGINX a probe waits behind the crowd's new TLS handshakes, too: 3 to 5 s were seen.
        limit = 6 if front.tls else 2
        assert min(seconds / others for others, seconds in slowest) < limit, slowest
        clients.close()
        time.sleep(5)
        rates = [front.rate() for _ in range(ROUNDS)]
        assert max(rates) > 0.6 * before, (before, rates)
        assert service.children() == worker
        assert service.end() == 0
    assert "Traceback" not in (folder / "log").read_text()


def _others():
    """How many times longer a second of work takes here, since others are at work: 1 is none."""
    begun, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < 0.3:
        pass
    return (time.monotonic() - begun) / 0.3


def _slowest_probe(front):
    """The seconds of the slowest probe while a crowd asks for what costs much."""
    seconds, path = SECONDS / ROUNDS, "/books?limit=20&facets=language&q=book"
    with crowding(front.address, CLIENTS, seconds, path, front.tls) as crowd:
        waits, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            status, wait = front.probe()
            assert status == 200
            waits.append(wait)
            time.sleep(0.2)
        reported = crowd()
    assert reported.keys() <= {"200", "503", "429"} and "200" in reported, reported
    return max(waits)


# -- behind NGINX with deploy's file ---------------------------------------------------

RATE, ASKERS = 200, 20  # requests a second, by so many clients


def _ask(number, port, cookie, wanted, reported):
    """Ask at a steady pace, each tenth client to change something: the statuses and failures."""
    client, due = connection("127.0.0.1", port, number, True), time.monotonic() + number / RATE
    book = json.dumps({"title": f"Added by {number}"})
    changing = ("POST", "/books", book, {"Cookie": cookie, "Content-Type": "application/json"})
    asked = changing if number % 10 == 0 else ("GET", "/books?limit=5", None, NEWEST)
    while not wanted.is_set():
        time.sleep(max(0, due - time.monotonic()))
        due += ASKERS / RATE
        try:
            client.request(*asked)
            answer = client.getresponse()
            answer.read()
            reported.append(answer.status)
        except (OSError, http.client.HTTPException) as error:
            reported.append(repr(error))
            client.close()
    client.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_twenty_replacements_under_200_requests_a_second_fail_none(folder, tmp_path, workers):
    path = str(tmp_path / "socket")
    options = ("--unix-socket", path, "--workers", workers)
    with (
        serving(folder, *options, TRUSTED_PROXY="unix") as service,
        fronted(tmp_path / "nginx", [f"unix:{path}"], rate=100) as front,
    ):
        account = {"username": "admin", "password": PASSWORD}
        signed_in = front.https("/auth/login", "POST", account)
        cookie = signed_in.headers["Set-Cookie"].partition(";")[0]
        reported, wanted = [], threading.Event()
        threads = [
            threading.Thread(target=_ask, args=(number, front.port, cookie, wanted, reported))
            for number in range(ASKERS)
        ]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for _ in range(20):
            before = set(service.children())
            service.process.send_signal(signal.SIGHUP)
            wait_until(
                lambda before=before: (
                    len(service.children()) == int(workers) and not before & set(service.children())
                )
            )
        took = time.monotonic() - begun
        wanted.set()
        for thread in threads:
            thread.join()
    print(f"{len(reported)} requests, {len(reported) / took:.0f} a second: {Counter(reported)}")
    assert set(reported) == {200, 201}
    assert len(reported) / took > RATE / 2  # others may be at work on this machine


SLOW, WINDOW = 1000, 3  # clients; seconds


@contextmanager
def _slow_headers(front):
    """Clients that send their headers line by line until the block ends; NGINX ends each after
    10 s. It yields those that are connected."""
    clients, ended = [front.connect(number) for number in range(100, 100 + SLOW)], threading.Event()

    def send():
        text = b"GET /books HTTP/1.1\r\n"
        while True:
            for client in [*clients]:
                try:
                    client.sendall(text)
                except OSError:
                    clients.remove(client)
            if ended.wait(0.5):
                return
            text = b"X-Slow: 1\r\n"

    sender = threading.Thread(target=send)
    sender.start()
    yield clients
    ended.set()
    sender.join()
    for client in clients:
        client.close()


def _p99(front):
    """The 99th percentile of the seconds that reads of one client take."""
    client, took, end = connection(*front.address, 1, True), [], time.monotonic() + WINDOW
    while time.monotonic() < end:
        begun = time.monotonic()
        client.request("GET", "/books?limit=5", headers=NEWEST)
        answer = client.getresponse()
        answer.read()
        took.append(time.monotonic() - begun)
        assert answer.status == 200
        time.sleep(0.015)  # within the limit of a client
    client.close()
    return sorted(took)[int(len(took) * 0.99)]


def test_a_thousand_slow_headers_leave_others_their_time(folder, tmp_path):
    with (
        serving(folder, TRUSTED_PROXY="127.0.0.1") as service,
        fronted(tmp_path / "nginx", ["{}:{}".format(*service.address)], rate=100) as nginx,
    ):
        front, found = Front(("127.0.0.1", nginx.port), True), []
        for _ in range(ROUNDS):
            alone = _p99(front)
            with _slow_headers(front) as slow:
                found.append((_p99(front) / alone, alone))
                assert len(slow) > 0.9 * SLOW
    print("p99 beside slow clients in that without them, and that in seconds:", found)
    assert min(ratio for ratio, _ in found) <= 2, found
