"""Exports over real connections: slow readers, pipelined requests, the limit of temporary files."""

import time

import pytest

from helpers.servers import serving
from helpers.support import bookapi, jsonl_bytes
from helpers.waiting import wait_until

pytestmark = pytest.mark.slow

BOOKS = 1500  # of 10 KB: more than the kernel's buffers hold
EXPORT = b"GET /books/export?format=jsonl HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An instance of 15 MB."""
    folder = tmp_path_factory.mktemp("exports") / "instance"
    bookapi(folder, "init")
    (folder / "books.jsonl").write_bytes(
        jsonl_bytes(
            *[{"title": f"Book {number}", "description": "long " * 2000} for number in range(BOOKS)]
        )
    )
    assert bookapi(folder, "books", "import", folder / "books.jsonl").returncode == 0
    return folder


@pytest.fixture(scope="module")
def service(folder):
    with serving(folder) as running:
        yield running


HELD = 30  # seconds after which the server gives up a client that reads nothing


def rest_of(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_slow_readers_of_exports_hold_no_thread(service):
    readers = [service.connect() for _ in range(12)]
    try:
        for reader in readers:
            reader.sendall(EXPORT)
            reader.recv(100)
        begun = time.monotonic()
        for _ in range(20):
            assert service.get("/healthz").status == 200
            assert service.get("/books?limit=1").status == 200
        assert time.monotonic() - begun < HELD / 2
    finally:
        for reader in readers:
            reader.close()


def test_a_second_request_behind_an_export_holds_no_thread(service):
    readers = [service.connect() for _ in range(12)]
    try:
        for reader in readers:
            reader.sendall(EXPORT + EXPORT + LAST)
            reader.recv(100)
        begun = time.monotonic()
        for _ in range(20):
            assert service.get("/healthz").status == 200
        assert time.monotonic() - begun < HELD / 2
        assert rest_of(readers[0]).count(b'"title":"Book ') == 2 * BOOKS
    finally:
        for reader in readers:
            reader.close()


def test_an_export_says_its_length_and_keeps_the_connection(service):
    answer = service.ask(EXPORT + LAST)
    length = int(answer.headers["content-length"])
    assert answer.body[:length].count(b'"title":"Book ') == BOOKS
    assert answer.body[length:].startswith(b"HTTP/1.1 200 OK")


def test_what_is_known_already_is_not_sent_again(service):
    tag = service.get("/books/export?format=jsonl").headers["etag"]
    ask = f"GET /books/export?format=jsonl HTTP/1.1\r\nHost: a\r\nIf-None-Match: {tag}\r\n\r\n"
    answer = service.ask(ask.encode())
    assert (answer.status, answer.body) == (304, b"")


def test_exports_beyond_the_limit_are_refused_until_others_were_read(folder):
    with serving(folder, EXPORT_SPOOL_BYTES=str(20 * 1024 * 1024)) as service:
        with service.connect() as reader:
            reader.sendall(EXPORT)
            reader.recv(100)
            refused = service.get("/books/export?format=csv")
            assert refused.status == 503, refused.headers
            assert refused.headers["retry-after"] == "10"
            assert service.get("/books/export?format=jsonl&q=nothing").status == 200
        wait_until(lambda: service.get("/books/export?format=csv").status == 200)
