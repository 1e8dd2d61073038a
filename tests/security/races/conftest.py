"""Two applications on one database, gates that hold threads, and the people who use them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.db.extension import Database
from bookapi.http.load import LOAD, Load
from helpers.instance import Auth
from helpers.races import BEFORE, HERE, INSIDE, People, let_pass, signed_in


@pytest.fixture
def gates(monkeypatch):
    """Has threads with a gate stop there: before a unit is written, and once it has done all but
    commit.
    """
    write = Database.write

    def held_write(self, operation, *args, **kwargs):
        gate, name = getattr(HERE, "gate", None), operation.__name__
        let_pass(gate, BEFORE, name)

        def held_operation(connection, *args, **kwargs):
            result = operation(connection, *args, **kwargs)
            let_pass(gate, INSIDE, name)
            return result

        return write(self, held_operation, *args, **kwargs)

    monkeypatch.setattr(Database, "write", held_write)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def two(make_app):
    """Two applications on one database. Many may hash at once."""
    apps = [make_app(), make_app()]
    for app in apps:
        app.extensions[LOAD] = Load(threads=100)
    return apps


@pytest.fixture
def people(two, gates):
    """A function that makes them, two books, the second one in the trash, and a session of
    `member`.
    """

    def make(by_token=False, apps=2):
        with two[0].test_client() as client:
            Auth(client).login("admin")
            for number in (1, 2):
                assert client.post("/books", json={"title": f"Book {number}"}).status_code == 201
            assert client.delete("/books/2").status_code == 204
        signed_in(two[0], "member")
        return People(two[:apps], by_token)

    return make
