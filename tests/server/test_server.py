"""Real server processes on the loopback interface, with raw requests."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from helpers.instance import PASSWORD
from helpers.servers import SAFE_HEADERS, Service, is_problem, post, read_to_end, serving
from helpers.support import READ_ONLY, bookapi, environment, jsonl_bytes, one_line
from helpers.waiting import PATIENCE, wait_until

MAX_BODY = 64 * 1024


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An instance with an admin and 1,500 long books, to be copied."""
    folder = tmp_path_factory.mktemp("server") / "instance"
    bookapi(folder, "init")
    bookapi(folder, "users", "add", "keeper", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    (folder / "books.jsonl").write_bytes(
        jsonl_bytes(
            *[{"title": f"Book {number}", "description": "long " * 2000} for number in range(1500)]
        )
    )
    assert bookapi(folder, "books", "import", folder / "books.jsonl").returncode == 0
    return folder


@pytest.fixture(scope="module")
def service(filled, tmp_path_factory):
    """A service that all tests of what it refuses share."""
    folder = Path(shutil.copytree(filled, tmp_path_factory.mktemp("shared") / "instance"))
    with serving(folder, MAX_BODY_BYTES=str(MAX_BODY)) as running:
        yield running


@pytest.fixture(scope="module")
def cookie(service):
    body = json.dumps({"username": "keeper", "password": PASSWORD}).encode()
    answer = service.ask(post("/auth/login", body))
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", [b"X: " + b"x" * 70000 + b"\r\n", b"X: y\r\n" * 12000, b"X: " + b"x" * 300000]
)
def test_headers_that_are_too_large_are_a_431(service, header):
    answer = service.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + header + b"\r\n")
    assert (answer.status, answer.headers["content-type"]) == (431, "text/plain; charset=utf-8")


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [MAX_BODY + 1, 4 * 1024 * 1024])
def test_an_oversized_body_is_a_413(service, cookie, chunked, size):
    answer = service.ask(
        post("/books", b'{"title": "' + b"x" * (size - 13) + b'"}', cookie, chunked)
    )
    assert is_problem(answer, 413)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_oversized_anonymous_body_is_a_401(service, chunked):
    answer = service.ask(post("/books", b"x" * (MAX_BODY + 1), chunked=chunked))
    assert is_problem(answer, 401)
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_oversized_body_of_an_unsupported_type_is_a_415(service, cookie, chunked):
    answer = service.ask(
        post("/books", b"x" * (MAX_BODY + 1), cookie, chunked, **{"Content-Type": "text/plain"})
    )
    assert is_problem(answer, 415)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_as_large_as_allowed_is_read(service, cookie, chunked):
    answer = service.ask(post("/books", b'{"title": "Large"}'.ljust(MAX_BODY), cookie, chunked))
    assert (answer.status, answer.json()["title"]) == (201, "Large")
    assert set(READ_ONLY) < set(answer.json())


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1 extra\r\n\r\n",
        b"GET / FTP/1.0\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"POST /books HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /books HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /books HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /books HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"POST /books HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\nabc\r\n0\r\n\r\n",
    ],
    ids=repr,
)
def test_garbage_gets_a_400_and_closes_the_connection(service, request_bytes):
    answer = service.ask(request_bytes)
    assert answer.status == 400 and answer.whole
    assert "server" not in answer.headers and b"Traceback" not in answer.body


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a:port\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: <a>\r\nConnection: close\r\n\r\n",
    ],
    ids=repr,
)
def test_an_invalid_host_is_a_400(service, request_bytes):
    assert is_problem(service.ask(request_bytes), 400)


@pytest.mark.parametrize(
    "path", ["/", "/books?limit=1", "/nowhere", "/healthz", "/readyz", "/books/1"]
)
def test_no_answer_names_the_server(service, path):
    answer = service.get(path)
    assert "server" not in answer.headers and "via" not in answer.headers
    assert SAFE_HEADERS.items() <= answer.headers.items() and answer.headers["x-request-id"]


def test_pipelined_requests_are_answered_in_order(service):
    one, last = (
        f"GET /{path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()
        for path, more in (
            ("healthz", "X-Request-ID: one\r\n"),
            ("nowhere", "X-Request-ID: two\r\nConnection: close\r\n"),
        )
    )
    text = service.ask(one + last)
    assert text.headers["x-request-id"] == "one" and text.body.count(b"HTTP/1.1 404") == 1
    assert b"x-request-id: two" in text.body.partition(b"HTTP/1.1 404")[2].lower()


def test_a_connection_ends_behind_answers_without_a_body(service):
    tag = service.get("/books/1").headers["etag"]
    asked = [
        "GET /books/1 HTTP/1.1\r\nHost: a\r\n\r\n",
        f"GET /books/1 HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n",
    ]
    with service.connect() as connection:
        connection.sendall("".join(asked).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.endswith(b"\r\n\r\n") and b"HTTP/1.1 304" in received


def test_expect_100_for_a_wanted_body_gets_100_continue(service):
    answer = service.ask(
        b"POST /books HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
        b"Connection: close\r\n\r\n{}"
    )
    assert (answer.status, b"HTTP/1.1 401" in answer.body) == (100, True)


@pytest.mark.parametrize("option", ["", "Connection: close\r\n"])
def test_head_of_a_stream_leaves_the_connection_usable(service, option):
    more = "" if option else "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = service.ask(f"HEAD /books/export HTTP/1.1\r\nHost: a\r\n{option}\r\n{more}".encode())
    assert answer.status == 200 and b"title" not in answer.body


def test_an_http_1_1_request_needs_a_host(service):
    assert is_problem(service.ask(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 400)


@pytest.mark.parametrize("query", ["q=red&title=Émile", "q=紅樓夢", "title=%C3%89mile&q=é"])
def test_an_address_that_is_not_encoded_is_refused(service, query):
    assert service.get(f"/books?{query}").status == 400


# -- ending ----------------------------------------------------------------------------


class Visitors:
    """Threads that ask all the time, over connections that stay and over new ones; what they saw is
    counted.
    """

    def __init__(self, service, number=4):
        self.service, self.answered, self.lost = service, 0, []
        self._wanted, self._lock = True, threading.Lock()
        self._threads = [
            threading.Thread(target=self._visit, args=(place % 2 == 0,)) for place in range(number)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info):
        self._wanted = False
        for thread in self._threads:
            thread.join(PATIENCE)

    def wait_for(self, more):
        """Until that many more answers came."""
        aim, begun = self.answered + more, time.monotonic()
        while self.answered < aim and not self.lost:
            assert time.monotonic() - begun < PATIENCE, "no answers"
            time.sleep(0.01)

    def _visit(self, keeps):
        while self._wanted:
            connection = HTTPConnection(*self.service.address, timeout=PATIENCE)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return  # the door is closed: nothing was accepted
            except OSError as error:
                self.lost.append(error)
                return
            with contextlib.closing(connection):
                self._ask(connection, keeps)

    def _ask(self, connection, keeps):
        while self._wanted:
            try:
                connection.request(
                    "GET", "/books?limit=20", headers={} if keeps else {"Connection": "close"}
                )
                answer = connection.getresponse()
                right = answer.status == 200 and len(json.loads(answer.read())["books"]) == 20
            except (OSError, HTTPException, ValueError) as error:
                self.lost.append(error)
                return
            with self._lock:
                self.answered += 1
            time.sleep(0.005)  # leave the service some time
            if not right:
                self.lost.append(answer.status)
            if answer.will_close:
                return


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_during_requests_loses_no_response(folder, workers):
    with serving(folder, "--workers", workers) as service, Visitors(service) as visitors:
        visitors.wait_for(40)
        assert service.end() == 0
    assert visitors.lost == []
    assert visitors.answered >= 40


class Newcomers(Visitors):
    """Visitors who knock without a pause, each time anew."""

    def _ask(self, connection, keeps):
        try:
            connection.request("GET", "/healthz", headers={"Connection": "close"})
            connection.getresponse().read()
        except (OSError, HTTPException) as error:
            self.lost.append(error)
        with self._lock:
            self.answered += 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_connections_accepted_during_shutdown_are_answered(folder, workers):
    with serving(folder, "--workers", workers) as service, Newcomers(service, 8) as newcomers:
        newcomers.wait_for(200)
        assert service.end() == 0
    assert newcomers.lost == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_connection_is_accepted_and_dropped_while_draining(folder, workers):
    with (
        serving(folder, "--workers", workers) as service,
        service.connect(),
    ):  # idle: the drain waits for it a while
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with contextlib.suppress(ConnectionRefusedError):
            assert service.get().whole
        assert service.process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_a_partial_request_at_shutdown_is_answered(folder):
    with serving(folder) as service, service.connect() as connection:
        request = post(
            "/auth/login", json.dumps({"username": "keeper", "password": PASSWORD}).encode()
        )
        connection.sendall(request[:-20])
        service.get()
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(request[-20:])
        answer = read_to_end(connection)
        assert (answer.status, answer.whole) == (200, True)
        assert service.process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_a_long_response_at_shutdown_is_completed(folder):
    with serving(folder) as service, service.connect() as connection:
        connection.sendall(b"GET /books/export?format=jsonl HTTP/1.0\r\n\r\n")
        begun = connection.recv(4096)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        rest = read_to_end_bytes(connection)
        assert (begun + rest).count(b'"title":"Book ') == 1500
        assert service.process.wait(PATIENCE) == 0


def read_to_end_bytes(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.slow
def test_sigint_ends_the_service(folder):
    with serving(folder) as service:
        assert service.get().status == 200
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(PATIENCE) == 0


# -- replacing -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sighup_replaces_the_workers_without_downtime(folder, workers):
    with serving(folder, "--workers", workers) as service, Visitors(service) as visitors:
        visitors.wait_for(20)
        before = set(service.children())
        service.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: len(service.children()) == int(workers) and not before & set(service.children())
        )
        visitors.wait_for(20)
        assert visitors.lost == []
        visitors.__exit__()
        assert service.end() == 0


@pytest.mark.slow
def test_sighup_reloads_the_settings(folder):
    with serving(folder) as service:
        assert service.get("/books?limit=1").status == 200
        (folder / "config.py").write_text("PUBLIC_READ = False\n")
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: service.get("/books?limit=1").status == 401)
        assert service.get("/healthz").status == 200


@pytest.mark.slow
def test_sighup_with_an_invalid_setting_keeps_the_old_worker(folder):
    with serving(folder) as service:
        (folder / "config.py").write_text("PUBLIC_READ = 'perhaps'\n")
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "PUBLIC_READ" in (folder / "log").read_text())
        assert service.get().status == 200
        assert service.end() == 0


@pytest.mark.slow
def test_sigterm_soon_after_sighup_is_handled(folder):
    with serving(folder) as service, service.connect():  # idle: the old worker drains for a while
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(service.children()) == 1)
        time.sleep(1.5)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(10) == 0


@pytest.mark.slow
def test_two_workers_share_the_work_and_a_dead_one_is_replaced(folder):
    with serving(folder, "--workers", "2") as service:
        before = service.children()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(service.children()) == 2 and set(service.children()) != set(before))
        assert (len(before), service.get().status) == (2, 200)


@pytest.mark.slow
def test_workers_end_when_their_supervisor_is_killed(folder):
    with serving(folder, "--workers", "2") as service:
        children = service.children()
        service.process.kill()
        wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
        assert len(children) == 2


@pytest.mark.slow
def test_a_service_survives_the_shell_that_started_it(folder):
    command = f'"{sys.executable}" -m bookapi serve --port 0'
    shell = f'{command} > "{folder}/said" 2> "{folder}/log" & echo $!'
    shell += f'; while [ ! -s "{folder}/said" ]; do sleep 0.1; done'
    done = subprocess.run(
        ["sh", "-c", shell],
        env=environment(folder),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
    )
    number = int(done.stdout)
    try:
        wait_until(lambda: (folder / "said").read_text())
        service = Service(None, (folder / "said").read_text().strip())
        for _ in range(5):
            time.sleep(0.4)
            assert service.get().status == 200
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{number}").exists())


# -- where it listens ------------------------------------------------------------------


@pytest.mark.slow
def test_a_unix_socket_serves_its_group_and_is_reused_after_a_crash(folder):
    path = folder / "socket"
    with serving(folder, "--unix-socket", str(path)) as service:
        assert service.announced == f"serving on unix:{path}"
        assert (service.get("/books/1").status, stat.S_IMODE(path.stat().st_mode)) == (200, 0o660)
        service.process.kill()
        service.process.wait(PATIENCE)
    with serving(folder, "--unix-socket", str(path)) as service:
        assert service.get().status == 200


@pytest.mark.slow
def test_a_unix_socket_in_use_is_not_taken(folder):
    path = str(folder / "socket")
    with serving(folder, "--unix-socket", path) as service:
        done = bookapi(folder, "serve", "--unix-socket", path)
        assert done.returncode == 1 and path in one_line(done.stderr)
        assert service.get().status == 200


def test_a_file_that_is_not_a_socket_is_not_removed(folder):
    path = folder / "notes"
    path.write_text("dear to somebody")
    command = [sys.executable, "-m", "bookapi", "serve", "--unix-socket", str(path)]
    with subprocess.Popen(
        command, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        announced = process.stdout.readline()  # empty, where it ends as it should
        if announced:
            process.terminate()
        assert (announced, process.wait(PATIENCE)) == ("", 1)
        assert str(path) in one_line(process.stderr.read())
    assert path.read_text() == "dear to somebody"


# -- the database goes away ------------------------------------------------------------


def _gone(path):
    path.unlink()


def _replaced(path):
    shutil.copy(path, path.with_suffix(".copy"))
    os.replace(path.with_suffix(".copy"), path)


def _spoilt(path):
    path.write_bytes(b"this is no database " * 1000)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_after_a_stop_the_database_file_alone_holds_everything(folder, tmp_path, workers):
    assert not (folder / "bookapi.sqlite-wal").exists()  # commands leave none, either
    with serving(folder, "--workers", workers) as service:
        account = json.dumps({"username": "keeper", "password": PASSWORD}).encode()
        cookie = service.ask(post("/auth/login", account)).headers["set-cookie"].partition(";")[0]
        assert service.ask(post("/books", b'{"title": "The newest"}', cookie)).status == 201
        known = json.loads(service.get("/books?sort=-id&format=json").body)
        assert service.end() == 0
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("bookapi.sqlite", "secret"):
        shutil.copy(folder / name, copy)
    assert bookapi(copy, "check").returncode == 0
    with serving(copy) as service:
        assert json.loads(service.get("/books?sort=-id&format=json").body) == known


@pytest.mark.slow
@pytest.mark.parametrize("harm", [_gone, _replaced, _spoilt])
def test_a_missing_database_makes_the_service_unready_and_is_not_recreated(folder, harm):
    with serving(folder) as service:
        login = service.ask(
            post("/auth/login", json.dumps({"username": "keeper", "password": PASSWORD}).encode())
        )
        cookie = login.headers["set-cookie"].partition(";")[0]
        harm(folder / "bookapi.sqlite")
        assert is_problem(service.get("/readyz"), 503) and service.get("/healthz").status == 200
        assert is_problem(service.ask(post("/books", b'{"title": "Lost"}', cookie)), 503)
        assert (folder / "bookapi.sqlite").exists() == (harm is not _gone)
