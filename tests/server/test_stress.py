"""Crowds and slow clients, and replaced workers behind NGINX (run with -m stress)."""

import http.client
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from helpers.servers import serving
from helpers.support import bookapi, jsonl_bytes
from helpers.waiting import wait_until

pytestmark = pytest.mark.stress
SECONDS = int(os.environ.get("STRESS_SECONDS", "15"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An instance of 15 MB."""
    folder = tmp_path_factory.mktemp("stress") / "instance"
    bookapi(folder, "init")
    books = [{"title": f"Book {number}", "description": "long " * 2000} for number in range(1500)]
    (folder / "books.jsonl").write_bytes(jsonl_bytes(*books))
    assert bookapi(folder, "books", "import", folder / "books.jsonl").returncode == 0
    return folder


class Askers:
    """Threads that ask for something over kept-alive connections until the block ends."""

    def __init__(self, address, number, method, path, body=None):
        self.statuses, self.failed, self._address, self._wanted = [], [], address, True
        self._asked = (method, path, body, {"Content-Type": "application/json"} if body else {})
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self._wanted = False
        for thread in self._threads:
            thread.join()

    def _ask(self):
        connection = http.client.HTTPConnection(*self._address, timeout=60)
        while self._wanted:
            try:
                connection.request(*self._asked)
                answer = connection.getresponse()
                answer.read()
                self.statuses.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(error)
                connection.close()
        connection.close()


def rate(address, seconds=3):
    """Reads a second of two clients."""
    with Askers(address, 2, "GET", "/books?limit=20&sort=title") as readers:
        time.sleep(seconds)
    assert set(readers.statuses) == {200} and not readers.failed
    return len(readers.statuses) / seconds


def test_idle_connections_slow_readers_slow_bodies_and_an_overload_leave_the_probes_quick(folder):
    with serving(folder) as service:
        worker = service.children()
        before = rate(service.address)
        clients = [service.connect() for _ in range(1000)]
        for number in range(200):
            clients.append(service.connect())
            path = "/books/export?format=jsonl" if number < 12 else "/books?limit=100"
            clients[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        for _ in range(50):
            clients.append(service.connect())
            head = "POST /books/import HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n"
            clients[-1].sendall(head.encode() + b"x" * 1000)
        waits = []
        with Askers(service.address, 80, "GET", "/books?limit=20&facets=language&q=book") as crowd:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                begun = time.monotonic()
                assert service.get("/healthz").status == 200
                waits.append(time.monotonic() - begun)
                time.sleep(0.2)
        assert max(waits) < 2
        assert set(crowd.statuses) <= {200, 503} and 200 in crowd.statuses
        for client in clients:
            client.close()
        time.sleep(5)
        assert rate(service.address) > 0.6 * before
        assert service.children() == worker
        assert service.end() == 0


NGINX_CONF = """
daemon off;
user root root;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream app {{ server unix:{socket}; keepalive 16; keepalive_timeout 2s; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_next_upstream off;
        }}
    }}
}}
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_twenty_replacements_behind_nginx_fail_no_request(folder, tmp_path, workers):
    path = tmp_path / "socket"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "nginx.conf").write_text(NGINX_CONF.format(socket=path, port=port))
    with serving(folder, "--unix-socket", str(path), "--workers", workers) as service:
        command = ["nginx", "-p", f"{tmp_path}/", "-c", "nginx.conf", "-e", "error.log"]
        with subprocess.Popen(command) as nginx:
            try:
                time.sleep(1)
                with Askers(("127.0.0.1", port), 8, "GET", "/books?limit=5") as askers:
                    for _ in range(20):
                        before = set(service.children())
                        service.process.send_signal(signal.SIGHUP)
                        wait_until(
                            lambda before=before: (
                                len(service.children()) == int(workers)
                                and not before & set(service.children())
                            )
                        )
                assert askers.failed == [] and set(askers.statuses) == {200}
                assert len(askers.statuses) > 1000
            finally:
                nginx.terminate()
