"""Fixtures of the tests through the test client."""

import pytest

from bookapi.auth import mfa
from helpers.mfa import Clock, Factor


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(mfa, "now", made)
    return made


@pytest.fixture
def factor(app, clock):
    return Factor(app, clock)
