"""Two hosts of two workers behind NGINX, on three Galera nodes behind HAProxy.

`make test-cluster`; `WRITES` and `READS` are how many are asked for in a second: few by default,
since all of it shares the processors of one machine.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import threading
import time
import uuid
from typing import NamedTuple

import pytest

from helpers.instance import PASSWORD, SECRET
from helpers.nginx import connection, fronted
from helpers.servers import serving
from helpers.support import bookapi
from helpers.waiting import wait_until

pytestmark = pytest.mark.cluster

WRITES, READS = int(os.environ.get("WRITES", "15")), int(os.environ.get("READS", "75"))
WRITERS, READERS = 8, 12  # threads, each with a connection of its own
BACK = 10  # seconds until changes are stored again
PHASE = 8  # seconds that each fault is watched
LONG = 90


class Asked(NamedTuple):
    """A request: when it began and ended, and its answer; None: there was none."""

    begun: float
    ended: float
    status: int | None
    body: bytes


class Crowd:
    """Writers and readers until the block ends. A writer repeats a change with its key until it is
    a 201."""

    def __init__(self, port, cookie):
        self._port, self._cookie, self._end = port, cookie, threading.Event()
        self.acknowledged, self.stored, self.reads = {}, [], []
        works = [(self._write, WRITERS / WRITES)] * WRITERS + [
            (self._read, READERS / READS)
        ] * READERS
        self._threads = [threading.Thread(target=self._work, args=each) for each in works]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _work(self, ask, pause):
        with contextlib.closing(connection(self._port)) as own:
            due = time.monotonic() + random.uniform(0, pause)
            while not self._end.wait(max(0, due - time.monotonic())):
                ask(own)
                due = max(due + pause, time.monotonic() - 1)  # not all that was missed is made up

    def _ask(self, own, *request):
        begun, status, body = time.monotonic(), None, b""
        try:
            own.request(*request)
            answer = own.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            own.close()
            body = repr(error).encode()
        return Asked(begun, time.monotonic(), status, body)

    def _write(self, own):
        title = uuid.uuid4().hex
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        headers["Idempotency-Key"] = title
        body = json.dumps({"title": title})
        while (asked := self._ask(own, "POST", "/books", body, headers)).status != 201:
            if self._end.wait(0.2):
                return
        self.acknowledged[title] = json.loads(asked.body)["id"]
        self.stored.append(asked.ended)

    def _read(self, own):
        """A list, or the book that was acknowledged last: it is there at once."""
        path = "/books?limit=5"
        if self.acknowledged and random.random() < 0.5:
            path = f"/books/{self.acknowledged[next(reversed(self.acknowledged))]}"
        self.reads.append(self._ask(own, "GET", path, None, {"Cache-Control": "no-cache"}))

    def watch(self, fault, begun):
        """See some seconds of a fault that began at this moment: no read that began after it fails,
        and changes are stored again in time."""
        before = len(self.stored)
        time.sleep(PHASE)
        wait_until(lambda: len(self.stored) > before + WRITES, LONG)
        moments = [begun, *sorted(at for at in self.stored if at > begun), time.monotonic()]
        gap = max(after - at for at, after in zip(moments, moments[1:], strict=False))
        failed = [each for each in self.reads if each.begun > begun and each.status != 200]
        print(f"{fault}: no change stored for {gap:.1f} s, {len(failed)} reads failed")
        assert gap < BACK
        assert failed == [], {(each.status, each.body[:200]) for each in failed}


@contextlib.contextmanager
def _hosts(folder, database):
    """(the port of NGINX before two hosts of two workers, these hosts, the cookie of an admin)"""
    shared = {"DATABASE_URL": database, "SECRET_KEY": SECRET, "TRUSTED_PROXY": "127.0.0.1"}
    with contextlib.ExitStack() as stack:
        hosts = []
        for instance in (folder / "host1", folder / "host2"):
            done = bookapi(instance, "init", ADMIN_PASSWORD=PASSWORD, **shared)
            assert done.returncode == 0, done.stderr
            hosts.append(stack.enter_context(serving(instance, "--workers", "2", **shared)))
        addresses = ["{}:{}".format(*host.address) for host in hosts]
        front = stack.enter_context(fronted(folder / "nginx", addresses))
        account = {"username": "admin", "password": PASSWORD}
        signed_in = front.https("/auth/login", "POST", account)
        yield front.port, hosts, signed_in.headers["Set-Cookie"].partition(";")[0]


def _writing(nodes):
    """The node that has connections of the service; there is one."""
    asked = "SELECT count(*) FROM information_schema.processlist WHERE user = 'books'"
    [writing] = [node for node in nodes if node.ask(asked) not in (None, "0")]
    return writing


def test_no_change_is_lost_or_doubled_and_no_read_fails_when_nodes_and_workers_do(galera, tmp_path):
    nodes, port = galera
    url = f"mariadb://books:right@127.0.0.1:{port}/books"
    with _hosts(tmp_path, url) as (front, hosts, cookie):
        begun = time.monotonic()
        with Crowd(front, cookie) as crowd:
            wait_until(lambda: len(crowd.stored) > 5 * WRITES, LONG)
            taken = time.monotonic() - begun
            print(
                f"{len(crowd.stored) / taken:.0f} changes/s, {len(crowd.reads) / taken:.0f} reads/s"
            )

            killed, begun = _writing(nodes), time.monotonic()
            killed.end()
            crowd.watch("writing node killed", begun)

            begun = time.monotonic()
            killed.start()
            crowd.watch("it is back", begun)
            assert _writing(nodes) is not killed

            begun = time.monotonic()
            os.kill(hosts[0].children()[0], signal.SIGKILL)
            crowd.watch("worker killed", begun)

            cut_off, begun = _writing(nodes), time.monotonic()
            cut_off.ask("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
            crowd.watch("writing node cut off from the others", begun)

            begun = time.monotonic()
            cut_off.ask("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
            crowd.watch("it is back", begun)
            assert _writing(nodes) is not cut_off

        done = bookapi(tmp_path, "books", "export", "-", "--format", "jsonl", DATABASE_URL=url)
        assert done.returncode == 0, done.stderr
        titles = [json.loads(line)["title"] for line in done.stdout.splitlines()]
        lost, doubled = crowd.acknowledged.keys() - set(titles), len(titles) - len(set(titles))
        print(f"{len(crowd.stored)} changes acknowledged, {len(lost)} lost, {doubled} doubled")
        print(
            f"{sum(each.status != 200 for each in crowd.reads)} of {len(crowd.reads)} reads failed"
        )
        assert not lost and not doubled
