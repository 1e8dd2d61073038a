"""Which worker takes a new connection: one that has no more of them than any other. Without it the
worker that is awake takes all that come at the same time, and keeps them.
"""

import mmap
import os
import time

ABSENT = 255  # in the place of a worker that takes no connections
PATIENCE = 0.02  # seconds that a worker with fewer connections has to take the next one


def open_counts(workers: int) -> int:
    """A file descriptor for what so many workers share: how many connections each has."""
    file = os.memfd_create("bookapi-connections")
    os.write(file, bytes([ABSENT]) * workers)
    return file


def leave(file: int, place: int) -> None:
    """Note that there is no worker in this place."""
    os.pwrite(file, bytes([ABSENT]), place)


class Share:
    """The place of one worker among all."""

    def __init__(self, file: int, place: int):
        self._counts, self._place, self._look_at = mmap.mmap(file, 0), place, 0.0
        self._counts[place] = 0

    def turn(self, own: int) -> tuple[bool, float]:
        """(whether this worker, which has `own` connections, takes the next one; for how many
        seconds that holds)"""
        self._counts[self._place] = own = min(own, ABSENT - 1)
        if own <= min(self._counts[:]):
            return True, 1
        now = time.monotonic()
        if now < self._look_at:
            return False, self._look_at - now
        self._look_at = now + PATIENCE
        return True, 0

    def leave(self) -> None:
        """This worker takes no more connections."""
        self._counts[self._place] = ABSENT
