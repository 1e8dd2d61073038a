"""GET /metrics of a service with several workers: each tells the figures of all."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from helpers.instance import PASSWORD
from helpers.servers import post, serving
from helpers.support import bookapi
from helpers.waiting import wait_until

ASKED = 40


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """An instance with an admin, to be copied."""
    folder = tmp_path_factory.mktemp("figures") / "instance"
    bookapi(folder, "init")
    bookapi(folder, "users", "add", "keeper", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    return folder


def signed_in(service):
    body = json.dumps({"username": "keeper", "password": PASSWORD}).encode()
    return service.ask(post("/auth/login", body)).headers["set-cookie"].partition(";")[0]


def scrape(service, cookie):
    """The figures as one of the workers tells them."""
    lines = ("GET /metrics HTTP/1.1", "Host: a", f"Cookie: {cookie}", "Connection: close", "", "")
    answer = service.ask("\r\n".join(lines).encode())
    assert answer.status == 200, answer.body
    return answer.body.decode()


def value(text, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0


def lists(text):
    return value(text, 'bookapi_requests_total{method="GET",route="/books",status="200"}')


@pytest.mark.slow
def test_each_worker_tells_the_figures_of_all_and_counts_survive_a_replacement(folder):
    with serving(folder, "--workers", "2") as service:
        cookie, before = signed_in(service), set(service.children())
        for _ in range(ASKED):
            assert service.get("/books").status == 200
        # Remembered responses are added once a second; from then on every worker says the same.
        wait_until(lambda: lists(scrape(service, cookie)) == ASKED)
        reported = [scrape(service, cookie) for _ in range(8)]
        assert {lists(text) for text in reported} == {ASKED}
        hits = value(reported[-1], "bookapi_cache_hits_total")
        assert ASKED - 16 <= hits < ASKED  # two requests at once may both find nothing
        os.kill(service.process.pid, signal.SIGHUP)
        wait_until(lambda: len(service.children()) == 2 and not before & set(service.children()))
        assert lists(scrape(service, cookie)) == ASKED
        shared = _shared_folder(service)
        wait_until(lambda: _live(scrape(service, cookie), shared) <= set(service.children()))
    assert not shared.exists()


@pytest.mark.slow
def test_the_folder_of_a_killed_service_is_removed_at_the_next_start(folder):
    with serving(folder) as service:
        left = _shared_folder(service)
        service.process.kill()
    assert left.exists()
    with serving(folder) as one, serving(folder) as other:
        assert not left.exists()
        assert _shared_folder(one).exists() and _shared_folder(other).exists()


def _shared_folder(service):
    environ = Path(f"/proc/{service.children()[0]}/environ").read_bytes().split(b"\0")
    [found] = [each for each in environ if each.startswith(b"PROMETHEUS_MULTIPROC_DIR=")]
    return Path(os.fsdecode(found.partition(b"=")[2]))


def _live(_, shared):
    """The processes whose present state is reported."""
    time.sleep(0.05)
    return {int(file.stem.rpartition("_")[2]) for file in shared.glob("gauge_live*.db")}
