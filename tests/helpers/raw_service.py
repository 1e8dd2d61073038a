"""A service that tests send exact bytes to, and a book that a smuggled request would delete.

Each case is sent to a server itself (`direct`), and to one behind NGINX, which may reject it in its
own words. With `WIRE_URL=http://…` in the environment all are sent to that server instead, and the
tests that need an admin sign in as `WIRE_USER` with `WIRE_PASSWORD`. Use a test server: attacks
that succeed have their effect.
"""

import json
import os
import uuid
from typing import NamedTuple

import pytest

from helpers.wire import Address, Wire, exchange

HOST = "books.example"
GIVEN = os.environ.get("WIRE_URL")
CUT = (400, 413, 414, 431, 501, 505)  # statuses where the end of the request is not known
NOT_IMPLEMENTED = (501, 505)  # of all 5xx the ones that blame the request


def table(cases, *names):
    """A parametrisation by a dictionary: case name → its values."""
    return pytest.mark.parametrize(", ".join(names), cases.values(), ids=list(cases))


class Service:
    """A service as its clients see it. `strict`: no proxy is in front, all answers are its own."""

    def __init__(self, url, password, host=None, user="keeper", strict=False):
        self.address, self.strict = Address.of(url, host), strict
        self.user, self.password = user, password
        self._cookie = self._wire = self._victim = None

    @property
    def origin(self):
        return f"{'https' if self.address.secure else 'http'}://{self.address.host}"

    @property
    def cookie(self):
        """What an admin's browser sends; the same session for all tests."""
        if self._cookie is None:
            if not self.user or not self.password:
                pytest.skip("WIRE_USER and WIRE_PASSWORD name no admin to sign in as")
            answer = self.ask(
                "POST", "/auth/login", {"username": self.user, "password": self.password}, cookie=""
            )
            assert answer.status == 200, answer.body
            self._cookie = answer.all("Set-Cookie")[0].partition(";")[0]
        return self._cookie

    def ask(self, method, path, data=None, *lines, cookie=None):
        """The answer to a valid request of the admin (or with another cookie)."""
        headers = [f"Cookie: {self.cookie if cookie is None else cookie}", *lines]
        body = b"" if data is None else json.dumps(data).encode()
        headers += (
            []
            if data is None
            else ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        )
        return self.say(self.head(method, path, *headers) + body, method)

    def say(self, data, method="GET"):
        """The answer to one whole request, on the connection of all those that leave it as it
        was.
        """
        wire, self._wire = self._wire, None
        if wire is None or not wire.quiet():
            wire = Wire(self.address)
        wire.send(data)
        answer = wire.answer(to=method)
        if answer is None or not answer.whole or "close" in answer.get("Connection").lower():
            wire.close()
        else:
            self._wire = wire
        return answer

    def victim(self):
        """A book that nothing has happened to; the same one again as long as that is so."""
        if self._victim is None or not self._victim.unharmed():
            title = f"Wire-{uuid.uuid4().hex}"
            answer = self.ask("POST", "/books", {"title": title})
            assert answer.status == 201, answer.body
            self._victim = Victim(self, f"/books/{answer.json()['id']}", title)
        return self._victim

    def close(self):
        if self._victim:
            self.ask("DELETE", self._victim.path)
        if self._wire:
            self._wire.close()

    def head(self, method, path, *lines):
        """The head of a request of HTTP/1.1 with this service's Host."""
        sent = [f"{method} {path} HTTP/1.1", f"Host: {self.address.host}", *lines, "", ""]
        return "\r\n".join(sent).encode("latin-1")

    def exchange(self, data, waits=False, method="GET"):
        """What comes of some bytes, in which `<HOST>` and `<COOKIE>` are filled in. It is never an
        error of the service.
        """
        filled = data.replace(b"<HOST>", self.address.host.encode())
        if b"<COOKIE>" in filled:
            filled = filled.replace(b"<COOKIE>", self.cookie.encode())
        got = exchange(self.address, filled, waits, method)
        for answer in got.answers:
            assert answer.status < 500 or answer.status in NOT_IMPLEMENTED, answer
            assert answer.whole and not (self.strict and "server" in answer.headers), answer
        return got

    def titled(self, title):
        """How many books have this title."""
        return self.ask("GET", f"/books?title={title}").json()["total"]


class Victim(NamedTuple):
    """A book that a hidden request of its admin would delete."""

    service: Service
    path: str
    title: str

    @property
    def hidden(self):
        return self.service.head("DELETE", self.path, f"Cookie: {self.service.cookie}")

    def fill(self, data):
        """The bytes of a case with the hidden request in it: as it is, its length, in a chunk, that
        one's length.
        """
        hidden = self.hidden
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
        for mark, value in (
            (b"<CHUNKED>", chunked),
            (b"<CHUNKS>", b"%d" % len(chunked)),
            (b"<HIDDEN>", hidden),
            (b"<LENGTH>", b"%d" % len(hidden)),
            (b"<HEX>", b"%x" % len(hidden)),
        ):
            data = data.replace(mark, value)
        return data

    def unharmed(self):
        answer = self.service.ask("GET", self.path)
        return answer.status == 200 and (answer.json()["version"], answer.json()["title"]) == (
            1,
            self.title,
        )


def request(*lines, first=b"POST /books HTTP/1.1", body=b""):
    return b"\r\n".join([first, b"Host: <HOST>", *lines, b"", body])
