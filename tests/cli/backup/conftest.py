"""Catalogues to be backed up, and others to restore them into."""

import pytest

from bookapi.books import changes
from bookapi.db import db
from bookapi.db.schema import upgrade_schema
from helpers.backups import BOOKS
from helpers.support import NO_PRECONDITIONS, Somebody, edit, sqlite_url, store


@pytest.fixture
def filled(app):
    """An application with books: one changed, one in the trash, and what the accounts have."""
    store(app, *BOOKS)
    with app.app_context():
        db.write(changes.change, 1, edit(pages=513), NO_PRECONDITIONS, Somebody("admin"))
        db.write(changes.delete, 4, NO_PRECONDITIONS, Somebody("admin"))
    return app


@pytest.fixture
def local(make_app, tmp_path):
    """A function that makes an application on a SQLite file of its own, whatever the tests run
    on.
    """

    def make(name="local", **more):
        folder = tmp_path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        made = make_app(**{"DATABASE_URL": sqlite_url(folder), **more})
        with made.app_context():
            db.dialect.create_file()
            upgrade_schema(db.engine)
        return made

    return make


@pytest.fixture
def other(make_app, tmp_path):
    """An application whose SQLite file was not made yet."""
    return make_app(DATABASE_URL=sqlite_url(tmp_path / "new" / "folder"))
