"""Database servers that fail while the service runs (`make test-cluster`)."""

import contextlib
import http.client
import json
import signal
import subprocess
import threading
import time
import uuid

import pytest

from helpers.instance import PASSWORD
from helpers.servers import post, serving
from helpers.support import bookapi
from helpers.waiting import wait_until

pytestmark = pytest.mark.cluster


def _url(port):
    return f"mariadb://books:right@127.0.0.1:{port}/books"


@contextlib.contextmanager
def _service(folder, port, **settings):
    url = {"DATABASE_URL": _url(port), **settings}
    assert bookapi(folder, "init", ADMIN_PASSWORD=PASSWORD, **url).returncode == 0
    with serving(folder, "--workers", "2", **url) as service:
        body = json.dumps({"username": "admin", "password": PASSWORD}).encode()
        service.cookie = (
            service.ask(post("/auth/login", body)).headers["set-cookie"].partition(";")[0]
        )
        yield service


class Clients:
    """Writers and readers until the block ends. A write is repeated with its key until a 201."""

    def __init__(self, service, writers=4, readers=4):
        self._service, self._wanted = service, True
        self.acknowledged, self.statuses, self.reads = {}, [], []
        self.last_write = 0.0
        targets = [self._write] * writers + [self._read] * readers
        self._threads = [threading.Thread(target=target) for target in targets]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._wanted = False
        for thread in self._threads:
            thread.join()

    def _ask(self, method, path, body=None, headers=None):
        asked = http.client.HTTPConnection(*self._service.address, timeout=40)
        try:
            asked.request(method, path, body, headers or {})
            answer = asked.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None, b""
        finally:
            asked.close()

    def _write(self):
        while self._wanted:
            title, key = uuid.uuid4().hex, uuid.uuid4().hex
            headers = {
                "Content-Type": "application/json",
                "Idempotency-Key": key,
                "Cookie": self._service.cookie,
            }
            status = None
            while status != 201 and (self._wanted or status is None):
                status, answer = self._ask(
                    "POST", "/books", json.dumps({"title": title}).encode(), headers
                )
                self.statuses.append(status)
                if status != 201:
                    time.sleep(0.2)
                    if not self._wanted:
                        break
            if status == 201:
                self.acknowledged[title] = json.loads(answer)["id"]
                self.last_write = time.monotonic()

    def _read(self):
        while self._wanted:
            self.reads.append(self._ask("GET", f"/books?limit=1&title={uuid.uuid4().hex}")[0])
            time.sleep(0.02)


def _stored(folder, url):
    done = bookapi(folder, "books", "export", "-", "--format", "jsonl", DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_acknowledged_write_is_lost_when_the_writing_node_is_killed(galera, tmp_path):
    nodes, port = galera
    with _service(tmp_path / "instance", port) as service:
        with Clients(service) as clients:
            wait_until(lambda: len(clients.acknowledged) > 100, 90)
            nodes[0].signal(signal.SIGKILL)
            killed = time.monotonic()
            wait_until(lambda: clients.last_write > killed + 1, 60)
            back, before = clients.last_write - killed, len(clients.acknowledged)
            wait_until(lambda: len(clients.acknowledged) > before + 100, 90)
        titles = [book["title"] for book in _stored(tmp_path / "instance", _url(port))]
        lost = clients.acknowledged.keys() - set(titles)
        print(
            f"writes {len(clients.acknowledged)}, reads {len(clients.reads)}, failed reads "
            f"{sum(status != 200 for status in clients.reads)}, writing again after {back:.1f} s"
        )
        assert not lost and len(titles) == len(set(titles))
        assert back < 30

        # Without a quorum nothing is acknowledged; it heals by itself.
        nodes[1].signal(signal.SIGSTOP)
        body = json.dumps({"title": "without a quorum"}).encode()
        answers = []

        def refused():
            answers.append(service.ask(post("/books", body, service.cookie)))
            return answers[-1].status == 503

        wait_until(refused, 60)
        assert "retry-after" in answers[-1].headers
        nodes[1].signal(signal.SIGCONT)
        wait_until(lambda: service.ask(post("/books", body, service.cookie)).status == 201, 60)


def test_a_connection_to_a_node_that_is_behind_waits_for_it(galera, tmp_path):
    nodes, port = galera
    folder = tmp_path / "instance"
    with _service(folder, port) as service:
        socket = f"--socket={nodes[1].folder}/s.sock"
        hold = "FLUSH TABLES WITH READ LOCK; DO SLEEP(4)"
        with subprocess.Popen(["mariadb", "--no-defaults", socket, "-u", "root", "-e", hold]):
            wait_until(lambda: "SLEEP" in nodes[1].ask("SHOW PROCESSLIST"))
            body = json.dumps({"title": "just acknowledged"}).encode()
            assert service.ask(post("/books", body, service.cookie)).status == 201
            books = _stored(folder, _url(nodes[1].port))
    assert [book["title"] for book in books] == ["just acknowledged"]
