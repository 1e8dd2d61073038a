"""A client that sends bytes exactly as given, and reports the response and the close."""

import contextlib
import json
import select
import socket
import ssl
import struct
from typing import NamedTuple
from urllib.parse import urlsplit

PATIENCE = 15  # seconds for what must come
SHORT = 0.25  # seconds for what need not


class Address(NamedTuple):
    """Where a service listens; `host` is what its requests say in their Host header."""

    name: str
    port: int
    secure: bool
    host: str

    @classmethod
    def of(cls, url, host=None):
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        return cls(
            parts.hostname, parts.port or (443 if secure else 80), secure, host or parts.netloc
        )


class Answer(NamedTuple):
    """One answer; `head` is its status line and headers as they came, `whole`: nothing of its body
    is missing.
    """

    status: int
    head: bytes
    headers: dict
    body: bytes
    whole: bool

    def all(self, name):
        """Every value that a header was given, one for each time."""
        return self.headers.get(name.lower(), [])

    def get(self, name):
        return ", ".join(self.all(name))

    def json(self):
        return json.loads(self.body)


class Malformed(Exception):
    """What came is no answer of HTTP/1."""


class Wire:
    """One connection. `closed`: the other side has ended it, as far as was read."""

    def __init__(self, address, patience=PATIENCE):
        self.closed, self._patience, self._unread = False, patience, b""
        self._socket = socket.create_connection((address.name, address.port), patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.secure:
            self._socket = ssl.create_default_context().wrap_socket(
                self._socket, server_hostname=address.name
            )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, data):
        """Send these bytes; who is answered and cut off in their midst is not told so."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def quiet(self):
        """Whether the connection stands and nothing lies unread in it."""
        return (
            not self.closed and not self._unread and not select.select([self._socket], [], [], 0)[0]
        )

    def finish(self):
        """Say that nothing more will be sent; answers may still come."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """End the connection at once, as a client does that crashed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def answer(self, patience=None, to="GET"):
        """The next answer; None where the connection ends first, or nothing comes in time. `to`:
        the method asked.
        """
        self._socket.settimeout(self._patience if patience is None else patience)
        try:
            return self._read(to)
        except TimeoutError:
            return None
        finally:
            self._socket.settimeout(self._patience)

    def answers(self):
        """Every further answer until the other side ends the connection; TimeoutError where it does
        not.
        """
        found = []
        while self._unread or not self.closed:
            answer = self._read("GET")
            if answer is None:
                break
            found.append(answer)
        return found

    def ended(self):
        """Whether the other side ends the connection in time, with nothing more said."""
        try:
            return not self._more() and not self._unread
        except TimeoutError:
            return False

    def _more(self):
        """Whether there are more bytes now; TimeoutError where that is not known in time."""
        if not self.closed:
            try:
                part = self._socket.recv(65536)
            except (ConnectionError, ssl.SSLEOFError):
                part = b""
            self._unread += part
            self.closed = not part
        return not self.closed

    def _until(self, mark):
        """The bytes up to a mark, the mark taken away; None where the connection ends before it."""
        while mark not in self._unread:
            if not self._more():
                return None
        taken, _, self._unread = self._unread.partition(mark)
        return taken

    def _exactly(self, number):
        while len(self._unread) < number and self._more():
            pass
        taken, self._unread = self._unread[:number], self._unread[number:]
        return taken

    def _read(self, method):
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        line, *lines = head.split(b"\r\n")
        if not line.startswith(b"HTTP/1."):
            raise Malformed(head[:200])
        headers = {}
        for name, _, value in (each.decode("latin-1").partition(":") for each in lines):
            headers.setdefault(name.lower(), []).append(value.strip())
        status = int(line.split(b" ")[1])
        body, whole = self._body(headers, status, method)
        return Answer(status, head, headers, body, whole)

    def _body(self, headers, status, method):
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b"", True
        if "chunked" in headers.get("transfer-encoding", []):
            return self._chunks()
        if "content-length" in headers:
            length = int(headers["content-length"][0])
            body = self._exactly(length)
            return body, len(body) == length
        while self._more():
            pass
        body, self._unread = self._unread, b""
        return body, True

    def _chunks(self):
        body = b""
        while True:
            line = self._until(b"\r\n")
            if line is None:
                return body, False
            size = int(line.partition(b";")[0], 16)
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                return body, False
            if size == 0:
                return body, True


class Exchange(NamedTuple):
    """What came of some bytes: the answers to them, and whether the connection was ended behind
    them.
    """

    answers: list
    closed: bool

    @property
    def status(self):
        """The status of the first answer; None where none came."""
        return self.answers[0].status if self.answers else None


PROBE = "the-probe-behind-it"


def exchange(address, data, waits=False, method="GET"):
    """Send some bytes on a connection of their own; whoever still listens behind them is asked one
    thing more.

    That last question has an id which its answer repeats, so the answers before it are those to the
    bytes, however many they were read as. `waits`: it may be that no answer comes, as the other
    side waits for the rest.
    """
    with Wire(address) as wire:
        wire.send(data)
        found = [wire.answer(SHORT if waits else None, method)]
        while found[-1] and found[-1].status < 200:  # it goes on
            found.append(wire.answer(to=method))
        if found[-1] is None:
            return Exchange(found[:-1], wire.closed)
        if "close" not in found[-1].get("Connection").lower():
            wire.send(
                f"GET /healthz HTTP/1.1\r\nHost: {address.host}\r\nX-Request-ID: {PROBE}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
        found += wire.answers()
        probed = found[-1].get("X-Request-ID") == PROBE
        return Exchange(found[:-1] if probed else found, wire.closed and not probed)
