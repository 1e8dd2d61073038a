"""A catalogue to search in."""

import pytest

from helpers.searches import BOOKS, TRASH
from helpers.support import store


@pytest.fixture
def editor(app, admin):
    """A client signed in as an admin, with BOOKS in the catalogue and one book in the trash."""
    store(app, *BOOKS.values(), TRASH)
    assert admin.delete(f"/books/{len(BOOKS) + 1}").status_code == 204
    return admin
