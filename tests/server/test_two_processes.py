"""Two processes on one database never serve data older than acknowledged changes."""

import contextlib
import functools
import json
import os
import re
import signal
import threading
from collections import Counter
from http.client import HTTPConnection

import pytest

from helpers.instance import PASSWORD
from helpers.servers import serving
from helpers.support import bookapi, jsonl_bytes
from helpers.waiting import PATIENCE

SECONDS = 3
MAX_READS = 20_000
BOOKS, WRITERS, READERS = 6, 2, 4
ISBNS = [
    "9780141439587",
    "9780306406157",
    "9781492056355",
    "9780441478125",
    "9780131103627",
    "9780262033848",
]
ADDRESSES = [
    "/",
    "/books",
    "/books?sort=-title&limit=3",
    "/books?q=storm",
    "/books?facets=language,author",
    "/books?cursor=*&limit=2",
    "/books/1",
    f"/books/isbn/{ISBNS[1]}",
    "/books/authors",
    "/books/export",
    "/books/export?q=storm%20-two&sort=title",
    "/books/export?title=b&title=a&author=One&fields=isbn,title",
]
FORMATS = ["application/json", "application/xml"]
HOST = {"Host": "books.example"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An instance with an admin and a few books, to be copied."""
    folder = tmp_path_factory.mktemp("storm") / "instance"
    bookapi(folder, "init")
    bookapi(folder, "users", "add", "keeper", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    (folder / "books.jsonl").write_bytes(
        jsonl_bytes(
            *[
                {
                    "title": f"Book {number}",
                    "isbn": isbn,
                    "pages": 1,
                    "authors": ["Storm", f"No {number}"],
                    "language": "en",
                }
                for number, isbn in enumerate(ISBNS, 1)
            ]
        )
    )
    assert bookapi(folder, "books", "import", folder / "books.jsonl").returncode == 0
    return folder


class Connection:
    """A connection that is kept; `ended` counts those that the service has ended."""

    def __init__(self, address):
        self._http, self.ended = HTTPConnection(*address, timeout=PATIENCE), 0
        self.ask("GET", "/healthz")

    def ask(self, method, path, body=None, **headers):
        """Status, headers and body."""
        sent = None if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if sent else {}
        self._http.request(method, path, sent, {**HOST, **kind, **headers})
        answer = self._http.getresponse()
        self.ended += answer.will_close
        return answer.status, answer.headers, answer.read()

    def close(self):
        self._http.close()


@contextlib.contextmanager
def closing_all(connect):
    """Connections of `connect`, which are all closed in the end: a service that ends would wait for
    them a while.
    """
    with contextlib.ExitStack() as opened:
        yield lambda *args: opened.enter_context(contextlib.closing(connect(*args)))


@contextlib.contextmanager
def two_workers(folder):
    """Ways to connect to each of two workers behind one address: the other one stands still
    meanwhile.
    """

    def connect_to(worker):
        others = [one for one in workers if one != worker]
        try:
            for other in others:
                os.kill(other, signal.SIGSTOP)
            return Connection(service.address)
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)

    with serving(folder, "--workers", "2") as service, closing_all(connect_to) as connect:
        workers = service.children()
        assert len(workers) == 2
        yield [functools.partial(connect, worker) for worker in workers]


@contextlib.contextmanager
def two_services(folder):
    """Ways to connect to each of two services, which know nothing of each other."""
    with serving(folder) as one, serving(folder) as other, closing_all(Connection) as connect:
        yield [functools.partial(connect, service.address) for service in (one, other)]


class Storm:
    """Writers, and readers who hold what they read against what was acknowledged before they
    asked.
    """

    def __init__(self, ways):
        self.ways, self.lock, self.ended = ways, threading.Lock(), threading.Event()
        self.versions, self.created, self.deleted = dict.fromkeys(range(1, BOOKS + 1), 1), 0, []
        self.reads, self.writes, self.faults = Counter(), Counter(), []

    def connect(self):
        """A connection to each of the two."""
        return [way() for way in self.ways]

    def rage(self):
        """Let it; all connections are there before the first change."""
        login = {"username": "keeper", "password": PASSWORD}
        status, headers, _ = self.connect()[0].ask("POST", "/auth/login", login)
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        work = [(self._write, number, self.connect(), cookie) for number in range(WRITERS)]
        work += [(self._read, number, self.connect()) for number in range(READERS)]
        threads = [threading.Thread(target=self._run, args=each) for each in work]
        for thread in threads:
            thread.start()
        self.ended.wait(SECONDS)
        self.ended.set()
        for thread in threads:
            thread.join(PATIENCE)

    def _run(self, work, *args):
        try:
            work(*args)
        except Exception as error:  # what ends a thread would be lost
            self.faults.append(repr(error))
        finally:
            self.ended.set()

    def _write(self, number, connections, cookie):
        own, turn, tags = range(number + 1, BOOKS + 1, WRITERS), 0, {}
        while not self.ended.is_set():
            turn += 1
            connection, book = connections[turn % 2], own[turn // 2 % len(own)]
            version = self.versions[book] + 1
            status, _, body = connection.ask(
                "PATCH", f"/books/{book}", {"pages": version}, **cookie
            )
            if (status, json.loads(body)["version"]) != (200, version):
                self.faults.append(("PATCH", status, body))
            with self.lock:
                self.versions[book] = version
            self.writes["PATCH"] += 1
            for other in connections[::-1] if turn % 2 else connections:
                self._look(self._one, other.ask, book, tags)
            if turn % 5 == 0:
                self._come_and_go(connections, cookie, f"Came {number} {turn}")

    def _come_and_go(self, connections, cookie, title):
        """A book that stays, and another that is deleted by the other process."""
        for authors in (["Staying"], ["Leaving"]):
            status, _, body = connections[0].ask(
                "POST", "/books", {"title": title, "authors": authors}, **cookie
            )
            if status != 201:
                self.faults.append(("POST", status, body))
            if authors == ["Staying"]:
                with self.lock:
                    self.created += 1
        left = json.loads(body)["id"]
        status = connections[1].ask("DELETE", f"/books/{left}", **cookie)[0]
        if status != 204:
            self.faults.append(("DELETE", status))
        with self.lock:
            self.deleted.append(left)
        self.writes["POST"] += 2

    def _read(self, number, connections):
        kinds = [
            self._one,
            self._one_in_xml,
            self._by_isbn,
            self._total,
            self._known,
            self._list,
            self._terms,
            self._gone,
        ]
        turn, tags = number, {}
        while not self.ended.is_set() and self.reads.total() < MAX_READS:
            turn += 1
            self._look(
                kinds[turn // 2 % len(kinds)],
                connections[turn % 2].ask,
                turn // 2 % BOOKS + 1,
                tags,
            )

    def _look(self, kind, ask, book, tags):
        """Read, and hold it against what is acknowledged now."""
        with self.lock:
            versions, created, deleted = dict(self.versions), self.created, self.deleted[-1:]
        fault = kind(ask, book, versions, created, deleted, tags)
        if fault:
            self.faults.append((kind.__name__, fault))
        self.reads[kind.__name__] += 1

    def _one(self, ask, book, versions, created, deleted, tags, address=None):
        status, headers, body = ask("GET", address or f"/books/{book}")
        shown = json.loads(body)
        right = (
            status == 200
            and headers["ETag"].startswith(f'"{book}-{shown["version"]}-')
            and shown["pages"] == shown["version"] >= versions[book]
            and shown["id"] == book
        )
        tags[book] = headers["ETag"]
        return None if right else (status, headers["ETag"], body, versions[book])

    def _by_isbn(self, ask, book, *known):
        return self._one(ask, book, *known, address=f"/books/isbn/{ISBNS[book - 1]}")

    def _one_in_xml(self, ask, book, versions, *known):
        status, headers, body = ask("GET", f"/books/{book}", Accept="application/xml")
        version, pages = (
            re.search(rb"<version>(\d+)<", body)[1],
            re.search(rb"<pages>(\d+)<", body)[1],
        )
        right = status == 200 and version == pages and int(version) >= versions[book]
        return None if right else (status, body, versions[book])

    def _known(self, ask, book, versions, created, deleted, tags):
        """304 may only be reported for what is not older than the newest that was acknowledged."""
        tag = tags.get(book, '"x"')
        status, headers, body = ask("GET", f"/books/{book}", **{"If-None-Match": tag})
        version = int(headers["ETag"].split("-")[1])
        unchanged = headers["ETag"] == tag
        right = version >= versions[book] and (status, body == b"") == (
            (304, True) if unchanged else (200, False)
        )
        tags[book] = headers["ETag"]
        return None if right else (status, tag, headers["ETag"], versions[book])

    def _total(self, ask, book, versions, created, deleted, tags):
        status, _, body = ask("GET", "/books?author=Staying&limit=1")
        return (
            None
            if status == 200 and json.loads(body)["total"] >= created
            else (status, body, created)
        )

    def _list(self, ask, book, versions, *known):
        status, _, body = ask("GET", f"/books?author=Storm&limit={BOOKS}")
        shown = {one["id"]: one for one in json.loads(body)["books"]}
        right = (
            status == 200
            and set(shown) == set(versions)
            and all(
                shown[book]["pages"] == shown[book]["version"] >= version
                for book, version in versions.items()
            )
        )
        return None if right else (status, body, versions)

    def _terms(self, ask, book, versions, created, deleted, tags):
        status, _, body = ask("GET", "/books/authors?limit=100")
        counts = {term["value"]: term["count"] for term in json.loads(body)["terms"]}
        right = status == 200 and counts.get("Staying", 0) >= created and counts["Storm"] == BOOKS
        return None if right else (status, counts, created)

    def _gone(self, ask, book, versions, created, deleted, tags):
        statuses = [ask("GET", f"/books/{left}")[0] for left in deleted]
        return None if set(statuses) <= {410} else (deleted, statuses)


@pytest.mark.slow
@pytest.mark.parametrize("two", [two_workers, two_services])
def test_under_load_no_read_is_older_than_acknowledged_changes(folder, two):
    with two(folder) as ways:
        storm = Storm(ways)
        storm.rage()
        assert storm.faults[:3] == []
        assert min(storm.reads.values()) >= 10 <= min(storm.writes.values()), (
            storm.reads,
            storm.writes,
        )
        last = [
            {
                book: json.loads(connection.ask("GET", f"/books/{book}")[2])["version"]
                for book in storm.versions
            }
            for connection in [way() for way in ways]
        ]
        assert last == [storm.versions] * 2


@pytest.mark.slow
def test_two_processes_give_the_same_etag_for_the_same_bytes(folder):
    with two_services(folder) as ways:
        one, other = [way() for way in ways]
        cookie = one.ask("POST", "/auth/login", {"username": "keeper", "password": PASSWORD})[1][
            "Set-Cookie"
        ]
        bodies = {}
        for change in ({"title": "Storm One"}, {"title": "Storm two", "authors": ["One", "Two"]}):
            assert one.ask("PATCH", "/books/2", change, Cookie=cookie.partition(";")[0])[0] == 200
            for address in ADDRESSES:
                for kind in FORMATS:
                    answers = [
                        each.ask("GET", address, Accept=kind) for each in (one, other, other, one)
                    ]
                    [(status, tag, body)] = {
                        (status, headers["ETag"], body) for status, headers, body in answers
                    }
                    assert (status, bodies.setdefault((address, kind, tag), body)) == (200, body), (
                        address
                    )
        assert len(bodies) > 1.5 * len(ADDRESSES) * len(FORMATS)


@pytest.mark.slow
def test_forwarding_headers_are_part_of_the_cache_key(folder):
    with serving(folder, TRUSTED_PROXY="127.0.0.1") as service, closing_all(Connection) as connect:
        connection = connect(service.address)
        variants = [
            {"X-Forwarded-Host": host, "X-Forwarded-Proto": scheme, **port}
            for host in ("a.example", "b.example")
            for scheme in ("http", "https")
            for port in ({}, {"X-Forwarded-Port": "8080"})
        ]
        reported = {}
        for variant in [*variants, *variants, *variants[::-1]]:
            status, _, body = connection.ask("GET", "/", **variant)
            base = f"{variant['X-Forwarded-Proto']}://{variant['X-Forwarded-Host']}"
            assert status == 200 and json.loads(body)["links"]["books"].startswith(base), variant
            assert reported.setdefault(str(variant), body) == body
        assert len(set(reported.values())) == len(variants)
