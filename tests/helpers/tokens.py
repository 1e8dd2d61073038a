"""Requests about API tokens."""

import pytest

from helpers.people import (
    stranger,
)

both = pytest.mark.parametrize("name", ["json", "xml"])


def ask(app, headers, address="/auth/me", method="GET", **more):
    return stranger(app).open(address, method=method, headers=headers, **more)
