"""The shelf of the tests of chosen fields, facets and value lists."""

import pytest

from helpers.facets import BOOKS, TRASH
from helpers.support import store


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above; one more book is in the trash."""
    store(app, *BOOKS, TRASH)
    assert admin.delete(f"/books/{len(BOOKS) + 1}").status_code == 204
    return admin
