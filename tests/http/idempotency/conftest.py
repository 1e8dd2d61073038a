"""Books to be changed again."""

import pytest


@pytest.fixture
def shelf(admin):
    """An admin of a catalogue whose only book is in the trash: each of REQUESTS can be done."""
    admin.post("/books", json={"title": "Gone"})
    assert admin.delete("/books/1").status_code == 204
    return admin
