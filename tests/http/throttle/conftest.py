"""A clock that tests set, for throttling."""

import argon2
import pytest

from bookapi.auth import throttle
from helpers.throttling import Clock


@pytest.fixture
def clock(monkeypatch):
    """The time by which failures are counted; it stands still until a test has it go on."""
    clock = Clock()
    monkeypatch.setattr(throttle, "now", clock)
    return clock


@pytest.fixture
def compared(monkeypatch):
    """The passwords that were compared with a hash, and hashed for it."""
    asked, verify = [], argon2.PasswordHasher.verify
    monkeypatch.setattr(
        argon2.PasswordHasher, "verify", lambda *given: asked.append(given[2]) or verify(*given)
    )
    return asked
