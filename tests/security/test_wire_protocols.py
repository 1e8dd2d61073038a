"""Other protocols, and requests that are cut off or come slowly."""

import json
import time
import uuid

import pytest

from helpers.raw_service import request, table
from helpers.wire import Wire

pytestmark = pytest.mark.stress


OTHER_PROTOCOLS = {
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n<HIDDEN>", {400, 404, 505}),
    "HTTP/0.9": (b"GET /books\r\n\r\n<HIDDEN>", {200, 400, 505}),
    "HTTP/0.9 with a version": (b"GET /books HTTP/0.9\r\n\r\n<HIDDEN>", {200, 400, 505}),
    "HTTP/1.0": (b"GET /books HTTP/1.0\r\nHost: <HOST>\r\n\r\n<HIDDEN>", {200}),
    "HTTP/3": (b"GET /books HTTP/3.0\r\nHost: <HOST>\r\n\r\n<HIDDEN>", {200, 400, 505}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n<HIDDEN>", {400}),
    "a proxy's line": (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n<HIDDEN>", {400}),
    "a proxy's bytes": (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12) + b"<HIDDEN>", {400}),
    "SMTP": (b"EHLO evil.example\r\n\r\n<HIDDEN>", {400, 404}),
}


@table(OTHER_PROTOCOLS, "sent", "statuses")
def test_other_protocols_get_at_most_one_response(service, victim, sent, statuses):
    got = service.exchange(victim.fill(sent))
    assert victim.unharmed()
    assert got.status in statuses or not service.strict
    assert got.closed and len(got.answers) <= 1


def test_an_upgrade_to_http_2_is_ignored(service, victim):
    got = service.exchange(
        victim.fill(
            request(
                b"Connection: Upgrade, HTTP2-Settings",
                b"Upgrade: h2c",
                b"HTTP2-Settings: AAMAAABkAAQAAP__",
                b"Content-Length: <LENGTH>",
                first=b"GET /healthz HTTP/1.1",
                body=b"<HIDDEN>",
            )
        )
    )
    assert victim.unharmed() and [answer.status for answer in got.answers] == [200]


def _create(service, title, *lines):
    body = json.dumps({"title": title}).encode()
    return service.head(
        "POST", "/books", f"Cookie: {service.cookie}", "Content-Type: application/json", *lines
    ), body


PARTS = {
    "half of the head": lambda head, body: head[: len(head) // 2],
    "all but the end of the head": lambda head, body: head[:-2],
    "no body": lambda head, body: head,
    "half of the body": lambda head, body: head + body[: len(body) // 2],
    "all but a letter": lambda head, body: head + body[:-1],
}
CHUNKED_PARTS = {
    "half a chunk": lambda head, body: head + b"%x\r\n" % len(body) + body[:-3],
    "all but the end of a chunk": lambda head, body: head + b"%x\r\n" % len(body) + body,
    "all but the last chunk": lambda head, body: head + b"%x\r\n%s\r\n" % (len(body), body),
    "all but its end": lambda head, body: head + b"%x\r\n%s\r\n0\r\n" % (len(body), body),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@table(
    {
        name: (parts is CHUNKED_PARTS, cut)
        for parts in (PARTS, CHUNKED_PARTS)
        for name, cut in parts.items()
    },
    "chunked",
    "cut",
)
def test_a_truncated_request_has_no_effect(service, chunked, cut, reset):
    title = f"Cut-{uuid.uuid4().hex}"
    length = len(_create(service, title)[1])
    head, body = _create(
        service, title, "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
    )
    with Wire(service.address) as wire:
        wire.send(cut(head, body))
        time.sleep(0.02)  # for it to be read before the connection ends
        if reset:
            wire.reset()
    assert service.titled(title) == 0


def test_a_body_shorter_than_its_content_length_has_no_effect(service):
    title = f"Cut-{uuid.uuid4().hex}"
    head, body = _create(service, title, f"Content-Length: {len(_create(service, title)[1]) + 1}")
    with Wire(service.address) as wire:
        wire.send(head + body)
        wire.finish()  # nothing more will come, it says
        answer = wire.answer()
    assert answer is None or answer.status >= 400
    assert service.titled(title) == 0


def test_a_request_sent_byte_by_byte_is_one_request(service):
    title = f"Slow-{uuid.uuid4().hex}"
    head, body = _create(service, title, f"Content-Length: {len(_create(service, title)[1])}")
    with Wire(service.address) as wire:
        for byte in head + body:
            wire.send(bytes([byte]))
        answer = wire.answer()
    assert (answer.status, service.titled(title)) == (201, 1)
    service.ask("DELETE", f"/books/{answer.json()['id']}")
