"""What a service does that is asked ten times as much as it can: `python -m benchmarks.overload`,
or

    python -m benchmarks.overload [--books N] [--seconds S]

As many clients as the service has threads ask for something costly without a pause: that is what
it can. Then there are
ten times as many, who pause for PAUSE after a 503 only: far less than Retry-After asks for. Then
one client alone.
"""

import argparse
import heapq
import os
import selectors
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from . import books
from .loader import answer_end
from .run import _within
from .servers import Instance, Server, on_cpus
from .work import get_list

THREADS = 8  # that the service has
TIMES = 10
PAUSE = 0.02  # seconds after a 503
SETTLE = 1.0  # seconds until an overload is known for certain
PATIENCE = 30  # seconds for the service to be as quick as before
USUAL = 1.5  # times the usual p99 is as quick as before
REQUESTS = [
    get_list(q=f"{start}*", facets="language,author,subject")  # each finds a tenth of the books
    for start in sorted({word[:4] for word in books.RARE_WORDS})
]


class Seen(NamedTuple):
    """One answer: when it came, after how many seconds, and its status."""

    at: float
    took: float
    status: int


class Clients:
    """Clients that ask in turn over and over, each over a connection of its own, made anew where
    it is closed."""

    def __init__(self, server: Server, requests: list[str], number: int):
        self._address, self._requests = (
            (server.host, server.port),
            [request.encode() for request in requests],
        )
        self._selector, self._resting, self._asked = selectors.DefaultSelector(), [], 0
        self.seen, self.lost = [], 0
        for _ in range(number):
            self._connect(0.0)

    def run(self, seconds: float) -> list[Seen]:
        """What they saw in so many seconds; they stop at the end of them."""
        self._begun = time.perf_counter()
        while (now := time.perf_counter()) - self._begun < seconds:
            while self._resting and self._resting[0][0] <= now:
                self._ask(heapq.heappop(self._resting)[2])
            wait = self._resting[0][0] - now if self._resting else 0.1
            for key, _ in self._selector.select(min(0.1, max(0.0, wait))):
                self._receive(key.fileobj, key.data)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        return self.seen

    def _connect(self, at: float) -> None:
        connection = socket.create_connection(self._address, PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(connection, selectors.EVENT_READ, [0.0, bytearray()])
        self._rest(connection, at)

    def _rest(self, connection: socket.socket, until: float) -> None:
        heapq.heappush(self._resting, (until, connection.fileno(), connection))

    def _ask(self, connection: socket.socket) -> None:
        request = self._requests[self._asked % len(self._requests)]
        self._asked += 1
        self._selector.get_key(connection).data[:] = time.perf_counter(), bytearray()
        connection.sendall(request)

    def _receive(self, connection: socket.socket, state: list) -> None:
        begun, received = state
        try:
            part = connection.recv(262144)
        except ConnectionError:
            part = b""
        received += part
        end, now = answer_end(received), time.perf_counter()
        if end is None and part:
            return
        refused = received[9:12] == b"503"
        if end is None:
            self.lost += 1
        else:
            self.seen.append(Seen(now - self._begun, now - begun, int(received[9:12])))
        if end is not None and b"Connection: close" not in received[: received.find(b"\r\n\r\n")]:
            self._rest(connection, now + PAUSE * refused)
            return
        self._selector.unregister(connection)
        connection.close()
        self._connect(now + PAUSE * refused)


def percentile(times: list[float], share: float) -> float:
    """In milliseconds; not a number where there are none."""
    return (
        sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000
        if times
        else float("nan")
    )


def line(name: str, times: list[float], seconds: float) -> str:
    """One row of the table."""
    return (
        f"| {name} | {len(times):,} | {len(times) / seconds:,.0f} | {percentile(times, 0.5):.1f} | "
        f"{percentile(times, 0.99):.1f} | {percentile(times, 1):.1f} |"
    )


def seconds_until_quick(server: Server, requests: list[str], limit: float) -> float:
    """How long a single client asks until an answer is a good one within `limit` seconds."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < PATIENCE:
        asked = time.perf_counter()
        seen = Clients(server, requests, 1).run(limit)
        if any(one.status == 200 and one.took <= limit for one in seen):
            return asked - begun
    return float("nan")


def measure(server: Server, requests: list[str], seconds: float) -> int:
    """Measure and print; the exit status: 0 where every answer was 200 or 503."""
    Clients(server, requests, THREADS).run(1)  # warm
    usual = Clients(server, requests, THREADS).run(min(seconds, 10))
    crowd = Clients(server, requests, THREADS * TIMES)
    many = crowd.run(seconds)
    usual_times = [one.took for one in usual]
    accepted = [one for one in many if one.status == 200]
    refused = [one.took for one in many if one.status == 503]
    settled = [one.took for one in accepted if one.at - one.took > SETTLE]
    back = seconds_until_quick(server, requests, USUAL * percentile(usual_times, 0.99) / 1000)
    print("| | answers | a second | p50 ms | p99 ms | longest ms |\n|---|---:|---:|---:|---:|---:|")
    print(line(f"{THREADS} clients", usual_times, min(seconds, 10)))
    print(line(f"{THREADS * TIMES} clients: accepted", [one.took for one in accepted], seconds))
    print(line(f"accepted who came after {SETTLE:g} s", settled, seconds - SETTLE))
    print(line("refused (503)", refused, seconds))
    share = len(refused) / max(1, len(many))
    ratio = percentile(settled, 0.99) / percentile(usual_times, 0.99)
    print(
        f"\n{share:.1%} refused; p99 of the accepted who came after {SETTLE:g} s is "
        f"{ratio:.1f} times the usual one; "
        f"as quick as before {back:.2f} s after the end; {crowd.lost} connections lost."
    )
    strange = {one.status for one in [*usual, *many]} - {200, 503}
    if strange:
        print(f"\n**STRANGE ANSWERS: {sorted(strange)}**")
    return 1 if strange or crowd.lost else 0


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.overload", description="Ask too much of the service."
    )
    parser.add_argument("--books", type=_within(int, 50, 1_000_000), default=10_000, metavar="N")
    parser.add_argument(
        "--seconds", type=_within(float, 2, 600), default=30.0, help="of the overload (30)"
    )
    asked = parser.parse_args(arguments)
    allowed = sorted(os.sched_getaffinity(0))
    service, clients = ({allowed[0]}, {allowed[1]}) if len(allowed) > 1 else (set(), set())
    with tempfile.TemporaryDirectory(prefix="bookapi-overload-") as folder, on_cpus(clients):
        books.write(asked.books, Path(folder, "books.jsonl"))
        instance = Instance(Path(folder), service)
        instance.load(Path(folder, "books.jsonl"))
        with instance.serving(ANSWER_CACHE_BYTES="0") as server:
            status = measure(server, REQUESTS, asked.seconds)
        sys.stderr.write(Path(folder, "service.log").read_text()[-2000:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
