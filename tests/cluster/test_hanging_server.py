"""A MariaDB that hangs: its connections stay open, but nothing is answered."""

import concurrent.futures
import json
import signal
import subprocess
import time

import pytest

from helpers.instance import PASSWORD
from helpers.servers import post, serving
from helpers.support import bookapi
from helpers.waiting import wait_until

pytestmark = pytest.mark.parts

MOST = 5  # seconds until a 503
BOOK = json.dumps({"title": "after"}).encode()
SIGN_IN = json.dumps({"username": "admin", "password": PASSWORD}).encode()


@pytest.fixture
def service(mariadb, tmp_path):
    """The service with two workers, all other settings as they are by default."""
    url = {"DATABASE_URL": f"mariadb://books:right@127.0.0.1:{mariadb.port}/books"}
    assert bookapi(tmp_path, "init", ADMIN_PASSWORD=PASSWORD, **url).returncode == 0
    with serving(tmp_path, "--workers", "2", **url) as service:
        signed_in = service.ask(post("/auth/login", SIGN_IN))
        service.cookie = signed_in.headers["set-cookie"].partition(";")[0]
        yield service


def _requests(service):
    """What asks the database in different ways; `/books` is remembered by then."""
    write = post("/books", BOOK, service.cookie)
    reads = ("/books", "/books?title=new", "/books/export", "/readyz", "/books?facets=language")
    return [
        *(lambda path=path: service.get(path) for path in reads),
        lambda: service.ask(write),
        lambda: service.ask(post("/auth/login", SIGN_IN)),
    ]


def _timed(ask):
    began = time.monotonic()
    answer = ask()
    return answer, time.monotonic() - began


def _slowest(asked, pool):
    """The seconds that the slowest of these took; each is a 503 in time."""
    answers = list(pool.map(_timed, asked))
    assert [answer.status for answer, _ in answers] == [503] * len(answers)
    assert all("retry-after" in answer.headers for answer, _ in answers)
    slowest = max(took for _, took in answers)
    assert slowest < MOST
    return slowest


def _works_again(service):
    # Both workers do: one of twenty requests reaches each.
    wait_until(lambda: all(service.get("/readyz").status == 200 for _ in range(20)), 10)
    wait_until(lambda: service.get("/books?title=c").status == 200, 10)
    wait_until(lambda: service.ask(post("/books", BOOK, service.cookie)).status == 201, 10)


def test_a_server_that_hangs_is_a_503_in_time_and_is_used_again_when_it_answers(mariadb, service):
    asked = _requests(service)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        # Each worker and each thread has open connections, and answers that it remembers.
        assert {ask().status for ask in asked * 4} <= {200, 201}
        mariadb.signal(signal.SIGSTOP)
        first = _slowest(asked * 2, pool)
        later = _slowest(asked, pool)
        print(f"503 after at most {first:.1f} s, then after {later:.1f} s")
        time.sleep(15 - first - later)
        assert _slowest(asked, pool) < 1
        mariadb.signal(signal.SIGCONT)
        began = time.monotonic()
        _works_again(service)
        print(f"all works again after {time.monotonic() - began:.1f} s")


def test_a_statement_that_the_server_works_on_when_it_hangs_is_a_503_in_time(mariadb, service):
    session = ["mariadb", "--no-defaults", f"--socket={mariadb.folder}/s.sock", "-u", "root"]
    lock = [*session, "-e", "LOCK TABLES books.books WRITE; DO SLEEP(4)"]
    with concurrent.futures.ThreadPoolExecutor(20) as pool, subprocess.Popen(lock) as locking:
        time.sleep(1)
        waiting = [pool.submit(lambda: service.get("/books?title=waits")) for _ in range(4)]
        time.sleep(0.5)
        assert not any(answer.done() for answer in waiting)
        mariadb.signal(signal.SIGSTOP)
        answers = [answer.result(MOST) for answer in waiting]
        assert [answer.status for answer in answers] == [503] * 4
        mariadb.signal(signal.SIGCONT)
        locking.wait()
    _works_again(service)
