"""Imports by a real server: large bodies go to a file, for known clients only."""

import base64
import contextlib
import json
import os
import socket
from http.client import HTTPConnection

import pytest

from helpers.instance import PASSWORD
from helpers.servers import is_problem, post, serving
from helpers.support import bookapi, jsonl_bytes
from helpers.waiting import wait_until

pytestmark = pytest.mark.slow

MAX_BODY, MAX_IMPORT = 64 * 1024, 16 * 1024 * 1024
LITTLE = 1024 * 1024
LARGE = jsonl_bytes({"title": "Large"}) + (b" " * 1023 + b"\n") * (MAX_IMPORT // 1024 - 1)
each_way = pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service with an admin and a member, whose imports may be 16 MiB."""
    folder = tmp_path_factory.mktemp("imports") / "instance"
    bookapi(folder, "init")
    for name, role in (("keeper", "admin"), ("reader", "member")):
        bookapi(folder, "users", "add", name, "--role", role, "--password-stdin", stdin=PASSWORD)
    with serving(folder, MAX_BODY_BYTES=str(MAX_BODY), MAX_IMPORT_BYTES=str(MAX_IMPORT)) as running:
        yield running


def signed_in(service, name):
    answer = service.ask(
        post("/auth/login", json.dumps({"username": name, "password": PASSWORD}).encode())
    )
    assert answer.status == 200, answer.body
    return answer.headers["set-cookie"].partition(";")[0]


@pytest.fixture(scope="module")
def cookie(service):
    return signed_in(service, "keeper")


def bring(service, body, cookie=None, chunked=False, path="/books/import", **headers):
    return service.ask(
        post(path, body, cookie, chunked, **{"Content-Type": "application/x-ndjson", **headers})
    )


def figure(service, name):
    """A figure of the process in KiB, from its status."""
    with open(f"/proc/{service.process.pid}/status") as status:
        return int(next(line for line in status if line.startswith(name)).split()[1])


def in_files(service):
    """How many bytes the service holds in files that have no name."""
    held = 0
    for number in range(100):
        with contextlib.suppress(OSError):
            descriptor = f"/proc/{service.children()[0]}/fd/{number}"
            with open(descriptor, "rb") as file:
                held += file.seek(0, 2) if "(deleted)" in os.readlink(descriptor) else 0
    return held


@each_way
def test_a_large_import_is_read_and_not_held_in_memory(service, cookie, chunked):
    assert (
        bring(service, LARGE[:MAX_BODY], cookie, chunked).status == 200
    )  # what is loaded at the first time
    before = figure(service, "VmHWM")
    answer = bring(service, LARGE, cookie, chunked)
    assert (answer.status, answer.json()["read"]) == (200, 1), answer.body
    assert figure(service, "VmHWM") - before < 10 * 1024


@each_way
def test_an_oversized_import_is_a_413(service, cookie, chunked):
    assert bring(service, LARGE + b" " * 2048, cookie, chunked).status == 413


@each_way
def test_other_urls_keep_their_limit(service, cookie, chunked):
    body = json.dumps({"title": "x" * MAX_BODY}).encode()
    for path, status in (("/books", 413), ("/books/import/", 404), ("/auth/login", 413)):
        answer = bring(service, body, cookie, chunked, path, **{"Content-Type": "application/json"})
        assert is_problem(answer, status)


@each_way
@pytest.mark.parametrize(
    "sent",
    [
        None,
        "bookapi=x",
        "bookapi=eyJfdXNlcl9pZCI6IngifQ.aSTdYA.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "other=1",
        "__Host-bookapi=" + "a" * 5000,
    ],
)
def test_a_large_anonymous_import_is_a_401_and_not_stored(service, chunked, sent):
    assert is_problem(bring(service, LARGE, sent, chunked), 401)


@contextlib.contextmanager
def half_sent(service, cookie):
    """A connection on which half of a large import was sent, until the block ends."""
    connection = HTTPConnection(*service.address, timeout=15)
    connection.putrequest("POST", "/books/import")
    for name, value in (
        ("Content-Length", str(len(LARGE))),
        ("Content-Type", "text/csv"),
        ("Cookie", cookie),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(LARGE[: len(LARGE) // 2])
    try:
        yield
    finally:
        connection.close()


def test_a_large_body_is_in_a_file_and_removed_with_the_connection(service, cookie):
    with half_sent(service, cookie):
        wait_until(lambda: in_files(service) > LITTLE)
    wait_until(lambda: in_files(service) < LITTLE)


@each_way
def test_a_client_that_hangs_up_in_the_middle_stores_nothing(service, cookie, chunked):
    body = jsonl_bytes(*[{"title": f"Hung up {number}"} for number in range(200_000)])
    request = post(
        "/books/import?on_error=skip",
        body,
        cookie,
        chunked,
        **{"Content-Type": "application/x-ndjson"},
    )
    with socket.create_connection(service.address, timeout=15) as connection:
        connection.sendall(request[: len(request) // 2])
        wait_until(lambda: in_files(service) > LITTLE)
    wait_until(lambda: in_files(service) < LITTLE)
    assert service.get("/books?q=hung").json()["total"] == 0


def test_a_member_gets_a_403(service):
    assert is_problem(bring(service, LARGE, signed_in(service, "reader")), 403)


def token(service, name, scope):
    """The secret of a new token."""
    sent = json.dumps({"name": "an import", "scope": scope}).encode()
    answer = service.ask(post("/auth/tokens", sent, signed_in(service, name)))
    assert answer.status == 201, answer.body
    return answer.json()["secret"]


@each_way
def test_a_large_import_by_a_write_token_is_accepted(service, chunked):
    owned = [
        token(service, *owner)
        for owner in (("keeper", "write"), ("keeper", "read"), ("reader", "write"))
    ]
    by_basic = base64.b64encode(f"keeper:{owned[0]}".encode()).decode()
    forged = owned[0][:-1] + ("a" if owned[0][-1] != "a" else "b")
    for header, status in (
        (f"Bearer {owned[0]}", 200),
        (f"Basic {by_basic}", 200),
        (f"Bearer {owned[1]}", 403),
        (f"Bearer {owned[2]}", 403),
        (f"Bearer {forged}", 401),
        ("Basic " + "a" * 100, 401),
    ):
        answer = bring(service, LARGE, chunked=chunked, Authorization=header)
        assert answer.status == status and (status == 200 or is_problem(answer, status)), header


def test_an_import_is_replayed_and_reads_go_on(service, cookie):
    body = jsonl_bytes(
        *[{"title": f"Book {number}", "identifiers": [f"n:{number}"]} for number in range(3000)]
    )
    for created in (3000, 0):
        answer = bring(service, body, cookie, **{"Idempotency-Key": f"k{created}"})
        assert (answer.status, answer.json()["created"], answer.json()["unchanged"]) == (
            200,
            created,
            3000 - created,
        )
        assert service.get("/books?limit=1").status == 200
