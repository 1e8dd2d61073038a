"""A small HTTP load generator, for where wrk is not installed: one thread, raw sockets, kept alive.

    python -m benchmarks.loader PLAN

It is slower than wrk: where it is the busier side, the requests a second are what it can do, not
the server.
"""

import json
import re
import selectors
import socket
import sys
import time
from pathlib import Path

from .books import ISBN, new_isbn

PATIENCE = 30  # seconds without any answer

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)


def answer_end(received: bytes | bytearray) -> int | None:
    """Where the answer at the beginning of these bytes ends; None while it is not all there."""
    body = received.find(b"\r\n\r\n") + 4
    if body < 4:
        return None
    length = _LENGTH.search(received, 0, body)
    if length:
        end = body + int(length[1])
        return end if end <= len(received) else None
    return _chunks_end(received, body) if _CHUNKED.search(received, 0, body) else body


def _chunks_end(received: bytes | bytearray, start: int) -> int | None:
    while (line_end := received.find(b"\r\n", start)) >= 0:
        size = int(received[start:line_end].partition(b";")[0], 16)
        start = line_end + 2 + size + 2
        if not size:
            return start if start <= len(received) else None
    return None


class _Loader:
    """One request under way on each connection; the next one goes out when its answer is all
    there."""

    def __init__(self, host: str, port: int, requests: list[str], connections: int, first: int):
        self._address, self._requests, self._first = (host, port), requests, first
        self._selector, self._sent = selectors.DefaultSelector(), 0
        self.latencies, self.bad = [], 0
        for _ in range(connections):
            self._connect()

    def _connect(self) -> None:
        connection = socket.create_connection(self._address, PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = [0.0, bytearray()]
        self._selector.register(connection, selectors.EVENT_READ, state)
        self._send(connection, state)

    def _send(self, connection: socket.socket, state: list) -> None:
        request = self._requests[self._sent % len(self._requests)]
        self._sent += 1
        if ISBN in request:
            request = request.replace(ISBN, new_isbn(self._first + self._sent))
        state[:] = time.perf_counter(), bytearray()
        connection.sendall(request.encode("ascii"))

    def run(self, seconds: float) -> float:
        """Load until the time is over and there was an answer; the seconds it took."""
        begun = time.perf_counter()
        while (now := time.perf_counter() - begun) < seconds or not (
            self.latencies or now > PATIENCE
        ):
            for key, _ in self._selector.select(0.1):
                self._receive(key.fileobj, key.data)
        return now

    def _receive(self, connection: socket.socket, state: list) -> None:
        begun, received = state
        try:
            part = connection.recv(262144)
        except ConnectionError:
            part = b""
        received += part
        end = answer_end(received)
        if end is not None:
            self.latencies.append((time.perf_counter() - begun) * 1000)
            self.bad += not received.startswith(b"HTTP/1.1 2")
            if not _CLOSE.search(received, 0, received.find(b"\r\n\r\n")):
                self._send(connection, state)
                return
        elif part:
            return
        else:
            self.bad += 1  # its request was never answered
        self._selector.unregister(connection)
        connection.close()
        self._connect()


def main(plan: str) -> None:
    """Load as the plan says, and print what wrk's script prints."""
    host, port, requests, connections, seconds, first = json.loads(Path(plan).read_text())
    loader = _Loader(host, port, requests, connections, first)
    took = loader.run(seconds)
    times = sorted(loader.latencies) or [0.0]
    print(
        json.dumps(
            [
                len(loader.latencies),
                took,
                times[len(times) // 2],
                times[len(times) * 99 // 100],
                loader.bad,
            ]
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
