"""The shelf of the tests of filters."""

import pytest

from helpers.filters import SHELF, TRASH
from helpers.support import store


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above; three more books are in the trash."""
    store(app, *SHELF.values())
    for number, record in enumerate(TRASH, len(SHELF) + 1):
        store(app, record)
        assert admin.delete(f"/books/{number}").status_code == 204
    return admin
