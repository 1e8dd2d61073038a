"""A client whose responses are cached, and others of the same database."""

import pytest

from bookapi.app import BookApi
from helpers.caching import BOOKS, Client, entering
from helpers.instance import Auth


@pytest.fixture(autouse=True)
def answers_are_read_to_their_end(monkeypatch):
    monkeypatch.setattr(BookApi, "test_client_class", Client)


@pytest.fixture
def editor(admin):
    """A client that is signed in as an admin, with some books in the catalogue."""
    for book in BOOKS:
        assert admin.post("/books", json=book).status_code == 201
    return admin


@pytest.fixture
def reader(editor):
    """A client whose responses are cached."""
    return editor.application.test_client(use_cookies=False)


@pytest.fixture
def uncached(editor, make_app):
    """A client of an application on the same database that caches nothing."""
    return make_app(ANSWER_CACHE_BYTES=0).test_client(use_cookies=False)


@pytest.fixture
def elsewhere(editor, make_app):
    """An admin of another application on the same database, as of another process."""
    client = make_app().test_client()
    assert Auth(client).login().status_code == 200
    return client


@pytest.fixture
def entered(editor):
    with entering(editor.application) as seen:
        yield seen
