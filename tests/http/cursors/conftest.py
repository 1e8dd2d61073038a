"""The shelf of the tests of cursors."""

import pytest

from helpers.cursors import BOOKS, store


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above."""
    store(app, *BOOKS)
    return admin
