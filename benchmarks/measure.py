"""Measuring: a work on the service and on a bare waitress in turns, and an export by one client."""

import http.client
import sys
import time
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from . import load
from .servers import Instance, Server
from .work import JSON, WORKS, XML, Catalogue, get_list

SAMPLE = 100  # requests whose answers tell how many bytes the bare waitress has to serve
WARM_UP_SECONDS = 1
BLOCK = 65536
EXPORTS = {"export-json": JSON, "export-xml": XML}


class Plan(NamedTuple):
    """How everything is measured."""

    books: int
    seconds: float
    turns: int
    wrk: bool
    folder: Path


class Turn(NamedTuple):
    """One run of load on a server, and the microseconds of processor time that a request took
    there."""

    result: load.Result
    cost: float


class Row(NamedTuple):
    """What a work took: turns of the service and of the bare waitress, in pairs one after the
    other."""

    name: str
    pairs: list[tuple[Turn, Turn]]

    HEAD = (
        "work",
        "requests/s ÷ bare",
        "processor time ÷ bare",
        "spread",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "processor µs/request",
        "bare requests/s",
        "bare processor µs/request",
        "bad answers",
    )

    def bad(self) -> int:
        """Bad answers in all turns; a turn without any answer is one."""
        return sum(
            turn.result.bad or not turn.result.answers for pair in self.pairs for turn in pair
        )

    def busy(self) -> float:
        """The loader's share of its processor, where it was highest."""
        return max(turn.result.busy for pair in self.pairs for turn in pair)

    def cells(self) -> list[str]:
        """The medians of the turns, each ratio being that of a pair; `spread`: how far the first
        one's lie apart."""
        ours, bare = ([pair[side] for pair in self.pairs] for side in (0, 1))
        speed = [_ratio(one.result.rate, other.result.rate) for one, other in self.pairs]
        cost = [_ratio(one.cost, other.cost) for one, other in self.pairs]
        return [
            self.name,
            f"{median(speed):.2f}",
            f"{median(cost):.1f}",
            f"{_ratio(max(speed) - min(speed), median(speed)):.0%}" if len(speed) > 1 else "?",
            f"{median(turn.result.rate for turn in ours):,.0f}",
            f"{median(turn.result.p50 for turn in ours):.1f}",
            f"{median(turn.result.p99 for turn in ours):.1f}",
            f"{median(turn.cost for turn in ours):,.0f}",
            f"{median(turn.result.rate for turn in bare):,.0f}",
            f"{median(turn.cost for turn in bare):,.0f}",
            str(self.bad()),
        ]


def _ratio(one: float, other: float) -> float:
    return one / other if other else float("nan")


def measure(instance: Instance, name: str, plan: Plan) -> Row:
    """A work on a fresh service and on a bare waitress."""
    work = WORKS[name]
    with instance.serving(**work.settings) as service:
        requests = work.requests(Catalogue(plan.books, lambda: instance.sign_in(service)))
        with instance.bare(*_sample(name, service, requests)) as bare:
            for server in (service, bare):
                _turn(server, requests, min(WARM_UP_SECONDS, plan.seconds), plan)
            return Row(
                name,
                [
                    (
                        _turn(service, requests, plan.seconds, plan),
                        _turn(bare, requests, plan.seconds, plan),
                    )
                    for _ in range(plan.turns)
                ],
            )


def _turn(server: Server, requests: list[str], seconds: float, plan: Plan) -> Turn:
    before = server.cpu_seconds()
    result = load.run(server, requests, seconds, plan.folder, plan.wrk)
    return Turn(result, (server.cpu_seconds() - before) * 1e6 / max(1, result.answers))


def _sample(name: str, service: Server, requests: list[str]) -> tuple[str, bytes]:
    """Media type and body for the bare waitress: as many bytes as the service's answers have on
    average."""
    answers = [(request, *load.ask(service, request)) for request in (requests * SAMPLE)[:SAMPLE]]
    for request, status, _, body in answers:
        if not 200 <= status < 300:
            print(
                f"{name}: {request.splitlines()[0]} is answered {status}: {body[:300]!r}",
                file=sys.stderr,
            )
            break
    bodies = [body for *_, body in answers]
    return answers[0][2], max(bodies, key=len)[: round(fmean(map(len, bodies)))]


# -- export ----------------------------------------------------------------------------------------


class Download(NamedTuple):
    """One export: whether it came whole, seconds, seconds to its first byte, bytes, memory growth,
    processor time."""

    whole: bool
    seconds: float
    first: float
    length: int
    growth: int
    cpu_seconds: float


class Export(NamedTuple):
    """What exporting every book took, several times over."""

    name: str
    books: int
    downloads: list[Download]

    HEAD = (
        "work",
        "books/s",
        "MB/s",
        "seconds",
        "first byte ms",
        "processor µs/book",
        "peak memory growth MB",
        "MB",
        "bad answers",
    )

    def bad(self) -> int:
        """Exports that failed."""
        return sum(not download.whole for download in self.downloads)

    def cells(self) -> list[str]:
        """The medians of the turns; of the memory the most."""
        seconds = median(one.seconds for one in self.downloads)
        length = median(one.length for one in self.downloads) / 1e6
        return [
            self.name,
            f"{self.books / seconds:,.0f}",
            f"{length / seconds:.1f}",
            f"{seconds:.2f}",
            f"{median(one.first for one in self.downloads) * 1000:.1f}",
            f"{median(one.cpu_seconds for one in self.downloads) * 1e6 / self.books:.0f}",
            f"{max(one.growth for one in self.downloads) / 1e6:.1f}",
            f"{length:.1f}",
            str(self.bad()),
        ]


def measure_export(instance: Instance, name: str, plan: Plan) -> Export:
    """An export of every book from a fresh service, to one client."""
    with instance.serving() as service:
        load.ask(service, get_list())  # what the first request alone costs
        return Export(
            name, plan.books, [_download(service, EXPORTS[name]) for _ in range(plan.turns)]
        )


def _download(server: Server, accept: str) -> Download:
    used, (resident, _) = server.cpu_seconds(), server.memory()
    server.forget_peak()
    connection = http.client.HTTPConnection(server.host, server.port, timeout=load.PATIENCE)
    length, begun = 0, time.perf_counter()
    try:
        connection.request("GET", "/books/export", headers={"Accept": accept})
        answer = connection.getresponse()
        length = len(answer.read(1))
        first = time.perf_counter() - begun
        while block := answer.read(BLOCK):
            length += len(block)
        whole = answer.status == 200
    except (OSError, http.client.HTTPException):
        whole, first = False, time.perf_counter() - begun
    finally:
        connection.close()
    seconds = time.perf_counter() - begun
    return Download(
        whole,
        seconds,
        first,
        length,
        max(0, server.memory()[1] - resident),
        server.cpu_seconds() - used,
    )
