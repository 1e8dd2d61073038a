"""Waiting for what another thread or process does."""

import time
from collections.abc import Callable

PATIENCE = 40  # seconds; anything takes longer on a busy machine


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.005)
