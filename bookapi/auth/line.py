"""The line before the hashing of passwords: each takes 19 MiB and tens of milliseconds of a processor, so that a storm
of sign-ins may have but a part of the processors. (The server lets it have but a part of the threads, too.)
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from ..http.problems import Problem

LINE = "bookapi.password_line"  # in the application's extensions
PATIENCE = 5.0  # seconds in line


class Line:
    """At most `at_once` hash; by default half as many as there are processors, up to four."""

    def __init__(self, at_once: int | None = None):
        self._hashing = threading.BoundedSemaphore(
            at_once or max(1, min(4, (os.cpu_count() or 1) // 2))
        )

    @contextmanager
    def place(self) -> Iterator[None]:
        """A block that hashes; 503 where too many are before it for too long."""
        if not self._hashing.acquire(timeout=PATIENCE):
            raise Problem(
                503, "too many are signing in at this moment; try again", {"Retry-After": "1"}
            )
        try:
            yield
        finally:
            self._hashing.release()


def of() -> Line:
    """The line of this process."""
    return current_app.extensions[LINE]


def init_app(app: Flask) -> None:
    """Give the application its line."""
    app.extensions[LINE] = Line()
