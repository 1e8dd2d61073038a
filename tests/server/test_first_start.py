"""Starting from the environment alone: `serve --init`, `--wait`, `bookapi health`, and what systemd
is reported.
"""

import signal
import socket
import subprocess
import sys
import time

import pytest

from helpers.instance import PASSWORD
from helpers.servers import Service, post, serving
from helpers.support import bookapi, environment, one_line
from helpers.waiting import PATIENCE


@pytest.fixture
def start(tmp_path):
    """A function that starts ``serve`` with these options and settings; the test's end stops it."""
    started = []

    def run(*options, port="0", **settings):
        process = subprocess.Popen(
            [sys.executable, "-m", "bookapi", "serve", "--port", port, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(tmp_path / "instance", **settings),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=PATIENCE)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def _until_served(process):
    """The lines before ``serving on …``, and the service."""
    lines = []
    while not (line := process.stdout.readline().strip()).startswith("serving on "):
        assert line, process.stderr.read()
        lines.append(line)
    return lines, Service(process, line)


def _signs_in(service, password):
    body = f'{{"username": "admin", "password": "{password}"}}'.encode()
    return service.ask(post("/auth/login", body)).status == 200


@pytest.mark.slow
def test_one_command_starts_from_nothing_and_says_the_password_once(tmp_path, start):
    lines, service = _until_served(start("--init"))
    assert lines[:2] == [f"instance: {tmp_path / 'instance'}", "admin: admin"]
    assert _signs_in(service, lines[2].removeprefix("admin password: "))
    assert service.end() == 0
    lines, service = _until_served(start("--init"))
    assert lines == [f"instance: {tmp_path / 'instance'}"]


@pytest.mark.stress
def test_the_password_of_the_first_admin_may_come_from_a_file(tmp_path, start):
    (tmp_path / "password").write_text(PASSWORD + "\n")
    chosen = {"ADMIN_PASSWORD_FILE": str(tmp_path / "password")}
    lines, service = _until_served(start("--init", **chosen))
    assert lines == [f"instance: {tmp_path / 'instance'}"]
    assert _signs_in(service, PASSWORD)


@pytest.mark.stress
def test_a_weak_password_for_the_first_admin_stops_the_start(start):
    process = start("--init", "--wait", "20", ADMIN_PASSWORD="short")
    assert process.wait(PATIENCE) == 1
    assert "password must have 15" in one_line(process.stderr.read())


@pytest.mark.slow
def test_without_init_nothing_is_made_and_the_line_says_what_to_do(tmp_path, start):
    process = start()
    assert process.wait(PATIENCE) == 1
    assert "bookapi init" in one_line(process.stderr.read())
    assert not (tmp_path / "instance" / "bookapi.sqlite").exists()


@pytest.mark.stress
def test_serve_waits_for_a_database_that_is_not_there_yet(tmp_path, start):
    process = start("--wait", "60")
    assert " waiting: " in process.stderr.readline()
    assert bookapi(tmp_path / "instance", "init").returncode == 0
    assert _until_served(process)[1].get("/readyz").status == 200


@pytest.mark.slow
def test_waiting_ends_with_the_reason(start):
    url = f"mariadb://a:a-secret@127.0.0.1:{_free_port()}/books"
    process = start("--init", "--wait", "1", DATABASE_URL=url)
    assert process.wait(PATIENCE) == 1
    said = process.stderr.read()
    *waiting, failed = said.strip().splitlines()
    assert len(waiting) <= 1  # the reason once, however long it waits
    assert "does the server run" in failed and failed.startswith("Error: ")
    assert "a-secret" not in said and process.stdout.read() == ""


@pytest.mark.stress
def test_sigterm_ends_the_waiting(start):
    process = start("--wait", "600")
    assert " waiting: " in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_health_says_whether_the_service_can_serve(tmp_path, start):
    port = _free_port()
    asked = bookapi(tmp_path, "health", "--port", port)
    assert asked.returncode == 1 and "does not answer" in one_line(asked.stderr)
    _until_served(start("--init", port=port))
    asked = bookapi(tmp_path, "health", "--port", port)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "ready\n", "")
    assert bookapi(tmp_path / "instance", "health").returncode == 0  # the instance knows where
    (tmp_path / "instance" / "bookapi.sqlite").unlink()
    asked = bookapi(tmp_path, "health", "--port", port)
    assert asked.returncode == 1 and "/readyz answers 503" in one_line(asked.stderr)


@pytest.mark.stress
def test_health_asks_at_a_unix_socket(tmp_path):
    assert bookapi(tmp_path, "init").returncode == 0
    path = str(tmp_path / "http.sock")
    with serving(tmp_path, "--unix-socket", path):
        assert bookapi(tmp_path, "health", "--unix-socket", path).returncode == 0
        assert bookapi(tmp_path, "health").returncode == 0


@pytest.mark.stress
@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
def test_systemd_is_told_when_the_service_is_ready_and_that_it_is_alive(
    tmp_path, monkeypatch, is_abstract
):
    assert bookapi(tmp_path, "init").returncode == 0
    name = f"{'@' if is_abstract else ''}{tmp_path / 'notify'}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(name.replace("@", "\0"))
        systemd.settimeout(PATIENCE)
        with serving(tmp_path) as service:
            assert systemd.recv(100) == b"READY=1"
            assert service.get().status == 200
            began = time.monotonic()
            assert systemd.recv(100) == b"WATCHDOG=1" and time.monotonic() - began < 10
            assert service.end() == 0
        while (reported := systemd.recv(100)) != b"STOPPING=1":
            assert reported == b"WATCHDOG=1"
