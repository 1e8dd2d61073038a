"""Load shedding: what may run at a time, and what is refused when too many requests wait.

waitress has one queue for all threads, first come, first served. So costly requests may take only
some of the threads: each kind has a limit, and together they leave two threads to everything else.
Those who ask for the same facets wait for one result, and count as one of the kind. Beyond a limit
a request is answered 503 at once. So are most requests while the queue is long; the probes never
are.
"""

import os
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sized
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import quote

from flask import Flask, current_app
from flask_login import current_user

from .. import formats, metrics
from ..logs import REQUEST_ID, new_request_id_for
from . import security
from .endpoints import Cost, requests_costing
from .negotiation import best
from .problems import Problem, document
from .request import Request, current_request

LOAD = "bookapi.load"  # in the application's extensions
THREADS = 8  # of a server that does not say
MAX_QUEUE = 128  # requests that wait for a thread before most are refused
PROBES = ("/healthz", "/readyz")
RETRY = {"Retry-After": "1"}
_DETAIL = "the service is busy; try again in a moment"


PROCESSORS = os.sched_getaffinity(0)  # those that this process has at its start


def run_on(cpus: Collection[int]) -> None:
    """Keep this thread, and those that it starts, to these processors, if the system lets it."""
    with suppress(OSError):
        os.sched_setaffinity(0, cpus)


def run_in_background() -> None:
    """Run this thread on any processor, at a low priority."""
    run_on(PROCESSORS)
    os.nice(10)  # on Linux this is of the thread alone: nice(2), C library/kernel differences


class Load:
    """Counts the costly requests in progress. `queue`: the requests that wait for a thread."""

    def __init__(self, threads: int = THREADS, queue: Sized = ()):
        half = max(1, threads // 2)
        self.limits = {**dict.fromkeys(Cost, half), Cost.HASHING: max(1, threads // 4)}
        self.queue, self._all, self._taken = queue, max(1, threads - 2), 0
        self._lock = threading.RLock()
        # What runs of a kind, or of an account, with the number of requests for it.
        self._running = defaultdict[Hashable, Counter[Hashable]](Counter)

    @contextmanager
    def slot(self, kind: Cost, account: int | None = None, work: Hashable = None) -> Iterator[None]:
        """Run a block of this kind, on any processor; 503 where too many do. `account`: it may have
        half of the kind's slots; `work`: blocks of the same work share a slot.
        """
        work = work or object()
        limits: dict[Hashable, int] = {kind: self.limits[kind]}
        if account is not None:
            limits[kind, account] = max(1, self.limits[kind] // 2)
        with self._lock:
            if self._taken >= self._all or any(
                work not in self._running[key] and len(self._running[key]) >= limit
                for key, limit in limits.items()
            ):
                metrics.REFUSED.labels(kind).inc()
                raise Problem(503, _DETAIL, RETRY)
            self._taken += 1
            for key in limits:
                self._running[key][work] += 1
        own = os.sched_getaffinity(0)
        try:
            run_on(PROCESSORS)
            yield
        finally:
            run_on(own)
            with self._lock:
                self._taken -= 1
                for key in limits:
                    self._running[key] -= Counter((work,))

    def is_full(self, kind: Cost) -> bool:
        """Whether no more of this kind may run at this moment."""
        return len(self._running[kind]) >= self.limits[kind] or self._taken >= self._all


def take_slot(request: Request) -> None:
    """Before a view: a slot of the cost that its endpoint declares, until the response is made."""
    cost, work = request.declared and request.declared.cost, None
    if request.query_string and "facets" in request.args:
        cost, work = Cost.TERMS, request.full_path
    if cost and request.method != "OPTIONS":
        account = getattr(current_user, "id", None) if cost is Cost.IMPORT else None
        load: Load = current_app.extensions[LOAD]
        request.slots = ExitStack()
        request.slots.enter_context(load.slot(cost, account, work))


def give_back_slot(_: BaseException | None) -> None:
    """After the request, whatever came of it."""
    if (slots := current_request().slots) is not None:
        slots.close()


class LoadMiddleware:
    """The WSGI application, with requests refused while too many wait, and sign-ins while too many
    hash.

    Each refusal ends its connection (the body has no length), so that a client which asks again at
    once has to connect first: the server accepts fewer connections than it reads requests of those
    that are kept, and so the others get more turns.
    """

    def __init__(self, app: Flask):
        self._app, self._extensions = app.wsgi_app, app.extensions
        self._hashing = requests_costing(app, Cost.HASHING)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        load, path, method = self._extensions[LOAD], environ["PATH_INFO"], environ["REQUEST_METHOD"]
        waiting = len(load.queue)
        # At random: on average MAX_QUEUE of those that wait are served.
        is_refused = waiting > MAX_QUEUE and random.random() * waiting > MAX_QUEUE  # noqa: S311
        if is_refused and path not in PROBES:
            metrics.REFUSED.labels("queue").inc()
        elif (method, path) in self._hashing and load.is_full(Cost.HASHING):
            metrics.REFUSED.labels(Cost.HASHING).inc()
        else:
            return self._app(environ, start_response)
        documents = tuple(each for each in formats.all_formats() if each.can("problem"))
        chosen = best(environ.get("HTTP_ACCEPT", ""), documents) or documents[0]
        body = chosen.problem(document(503, _DETAIL, quote(path, encoding="latin-1")))
        headers = [
            *security.HEADERS,
            *RETRY.items(),
            ("Content-Type", chosen.problem_type),
            ("Vary", "Accept"),
            ("Cache-Control", "no-store"),
            (REQUEST_ID, new_request_id_for(environ)),
        ]
        start_response("503 Service Unavailable", headers)
        return iter([body] if method != "HEAD" else [])


def init_app(app: Flask) -> None:
    """Limit the application; a server says how many threads it has by another `Load`."""
    app.extensions[LOAD] = Load()
    app.teardown_request(give_back_slot)
    app.wsgi_app = LoadMiddleware(app)  # type: ignore[method-assign]
