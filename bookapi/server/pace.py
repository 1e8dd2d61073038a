"""How long a client may take. waitress waits for ever for who sends a byte now and then, or reads one."""

import time
from collections.abc import Callable
from typing import Any

HEADER_SECONDS = 30  # from the first byte of a request to the end of its headers
PROGRESS_SECONDS = 60  # of a body, or of an answer that the client has still to take
PROGRESS_BYTES = 60 * 1024  # the least that has to go over in that time


class Pace:
    """One client's pace, looked at now and then. What is waited for is told each time: a change begins a new watch."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._what, self._since, self._moved = None, 0.0, 0

    def late_with_header(self, what: Any) -> bool:
        """Whether the headers of this request have been under way for too long."""
        return self._same(what, 0) and self._clock() - self._since > HEADER_SECONDS

    def too_slow(self, what: Any, moved: int) -> bool:
        """Whether too little has moved of this body or answer; `moved`: bytes until now, on this connection."""
        if not self._same(what, moved) or self._clock() - self._since < PROGRESS_SECONDS:
            return False
        slow = moved - self._moved < PROGRESS_BYTES
        self._since, self._moved = self._clock(), moved
        return slow

    def rest(self) -> None:
        """Nothing is waited for from this client."""
        self._what = None

    def _same(self, what: Any, moved: int) -> bool:
        if what == self._what:
            return True
        self._what, self._since, self._moved = what, self._clock(), moved
        return False
