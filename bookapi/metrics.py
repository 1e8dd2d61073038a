"""Figures for Prometheus, counted where things happen and returned by GET /metrics.

The workers of a service share a folder, PROMETHEUS_MULTIPROC_DIR, so that each shows the figures of
all. It must be in the environment before prometheus_client is imported: `bookapi serve` sees to it.
"""

import collections
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST
_MEMORY, _PREFIX, _LOCK = "/dev/shm", "bookapi-", "lock"  # noqa: S108
MAX_PENDING = 1000  # hits of the response cache that are not counted yet

disable_created_metrics()  # type: ignore[no-untyped-call] # half of all lines
_registry = CollectorRegistry()


def _counter(name: str, help: str, *labels: str) -> Counter:
    return Counter(f"bookapi_{name}", help, labels, registry=_registry)


def _gauge(name: str, help: str) -> Gauge:
    return Gauge(f"bookapi_{name}", help, registry=_registry, multiprocess_mode="livesum")


REQUESTS = _counter(
    "requests", "Requests by method, route and status.", "method", "route", "status"
)
SECONDS = Histogram(
    "bookapi_request_seconds",
    "Time that requests took in the application, cached responses left out.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_registry,
)
CACHE_HITS = _counter("cache_hits", "Requests that were answered from the response cache.")
REFUSED = _counter("refused", "Requests that were answered 503 because of load.", "reason")
RETRIES = _counter("database_retries", "Changes that were run again after a conflict.")
CACHE_BYTES = _gauge("cache_bytes", "Memory of the response cache.")
CONNECTIONS = _gauge("database_connections", "Open database connections.")
WRITE_QUEUE = _gauge("write_queue", "Changes that wait for their turn.")
REQUEST_QUEUE = _gauge("request_queue", "Requests that wait for a thread.")

_pending: collections.deque[tuple[str, str, str]] = collections.deque()


@contextmanager
def shared_folder() -> Iterator[None]:
    """The folder of a service's workers, in the environment that they get; without one each shows
    its own figures. In memory: a process dies that writes to a mapped file on a full disk, and
    requests can fill the one for temporary files.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            _remove_abandoned()
            folder = stack.enter_context(TemporaryDirectory(prefix=_PREFIX, dir=_MEMORY))
            lock = stack.enter_context(Path(folder, _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.environ[FOLDER] = folder
            stack.callback(os.environ.pop, FOLDER, None)
        yield


def _remove_abandoned() -> None:
    """Remove the folders of services that were killed: nobody holds their locks."""
    for found in Path(_MEMORY).glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError), found.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(found.parent, ignore_errors=True)


def count_hit(method: str, route: str, status: str) -> None:
    """Count a response from the cache. Cheap: the figures show it a moment later (`flush`)."""
    _pending.append((method, route, status))
    if len(_pending) > MAX_PENDING:
        flush()


def flush() -> None:
    """Add the responses from the cache since the last call to the figures."""
    hits: collections.Counter[tuple[str, str, str]] = collections.Counter()
    with suppress(IndexError):
        while True:
            hits[_pending.popleft()] += 1
    for labels, number in hits.items():
        REQUESTS.labels(*labels).inc(number)
        CACHE_HITS.inc(number)


def exposition() -> bytes:
    """The figures of all workers, in Prometheus's text format."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return generate_latest(_registry)
    _forget_the_dead(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """What a worker has at the moment ends with it; what it has counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{process}").exists():
            mark_process_dead(process)  # type: ignore[no-untyped-call]
