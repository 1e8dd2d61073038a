"""The line before the hashing of passwords: each takes 19 MiB and tens of milliseconds of a processor, so that a storm
of sign-ins may have but a part of the processors, and never all threads.
"""
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from ..problems import Problem

LINE = "bookapi.password_line"  # in the application's extensions
PATIENCE = 5.0  # seconds in line
BURST_PATIENCE = 0.5  # seconds before it, for who finds all places taken
CALM = 1.0  # seconds after which a storm is over
THREADS = 8  # of a service that did not say


class Line:
    """At most `at_once` hash, and all but two threads of a process are in line or at it. Who is one too many waits a
    moment for a place, as long as no other had to go away with a 503 just before."""

    def __init__(self, at_once: int | None = None, threads: int = THREADS):
        self._hashing = threading.BoundedSemaphore(at_once or max(1, min(4, (os.cpu_count() or 1) // 2)))
        self._turned_away = -CALM
        self.keep_threads(threads)

    def keep_threads(self, threads: int) -> None:
        """Leave two of a service's threads to everybody else."""
        self._places = threading.BoundedSemaphore(max(1, threads - 2))

    @contextmanager
    def place(self) -> Iterator[None]:
        """A block that hashes; 503 where there are too many."""
        places, stormy = self._places, time.monotonic() - self._turned_away < CALM
        if not places.acquire(timeout=0 if stormy else BURST_PATIENCE):
            self._turned_away = time.monotonic()
            raise _busy()
        try:
            if not self._hashing.acquire(timeout=PATIENCE):
                raise _busy()
            try:
                yield
            finally:
                self._hashing.release()
        finally:
            places.release()


def _busy() -> Problem:
    return Problem(503, "too many are signing in at this moment; try again", {"Retry-After": "1"})


def of(app: Flask | None = None) -> Line:
    """The line of this process."""
    return (app or current_app).extensions[LINE]


def init_app(app: Flask) -> None:
    """Give the application its line."""
    app.extensions[LINE] = Line()
