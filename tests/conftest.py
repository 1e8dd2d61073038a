"""Fixtures for every folder: `app`, `client`, `runner`, `auth` and `admin`, with a fresh database
for each test.

`DATABASE_URL` in the environment runs the suite on MySQL or MariaDB. The database is wiped, so its
name must contain `test`. With `-n` each process uses its own, named after the process. `--no-skips`
makes every skipped test a failure.

Every test of a folder in FOLDER_MARKS carries the mark of that name. Other marks are set in the
test modules.
"""

import os
import shutil
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy.engine import make_url
from werkzeug.routing import Map

from bookapi import create_app
from bookapi.app import BookApi
from bookapi.auth import passwords
from bookapi.db import db
from bookapi.db.dialects import sqlite
from bookapi.site.commands import _upgrade as upgrade
from helpers.instance import (
    DATABASE_URL,
    PASSWORD,
    TESTS,
    Auth,
    add_accounts,
    drop_tables,
    settings,
    wipe,
)
from helpers.validation import ValidatingClient

FOLDER_MARKS = ("durability", "large")


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="a skipped test is a failure")


@pytest.hookimpl(tryfirst=True)  # before pytest selects by -m
def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDER_MARKS:
            item.add_marker(folder)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but nothing may be skipped here: {report.longrepr}"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in os.environ:
        if name.startswith("BOOKAPI_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes():
    """Hash passwords quickly: hundreds of tests sign in. test_passwords.py checks the real cost."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", cheap)
        yield


class SharedRoutes(Map):
    """One map of routes for all apps, which have the same ones: compiling it costs most of creating
    an app.
    """

    def __init__(self):
        super().__init__()
        self.known = set()

    def add(self, rulefactory):
        for rule in rulefactory.get_rules(self):
            key = (rule.rule, rule.endpoint, frozenset(rule.methods))
            if key not in self.known:
                self.known.add(key)
                super().add(rule)


@pytest.fixture(scope="session", autouse=True)
def shared_routes():
    routes = SharedRoutes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BookApi, "url_map_class", staticmethod(lambda host_matching: routes))
        yield


@pytest.fixture
def own_routes(monkeypatch):
    """For a test that adds a route: its apps have a map of their own."""
    monkeypatch.setattr(BookApi, "url_map_class", Map)


@pytest.fixture(scope="session", autouse=True)
def valid_xml():
    """Hold every XML document that a test client gets or sends to the XSD."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BookApi, "test_client_class", ValidatingClient)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks():
    """Do not fsync in this process. Servers that the tests start as processes do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "PRAGMAS", ("synchronous = OFF", "foreign_keys = ON"))
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory, cheap_hashes):
    """An app whose database has the schema, an admin and a member; `make_app` copies it, or wipes
    back to it.
    """
    folder = tmp_path_factory.mktemp("template")
    if DATABASE_URL and "test" not in make_url(DATABASE_URL).database:
        pytest.exit(
            "DATABASE_URL is wiped by the tests: the name of its database must contain `test`", 2
        )
    app = create_app(settings(folder))
    app.password_hash = passwords.make_hash(PASSWORD)
    with app.app_context():
        if DATABASE_URL:
            drop_tables()
        db.dialect.create_file()
        upgrade()
        if not DATABASE_URL:
            db.write(add_accounts, app.password_hash)
        db.engine.dispose()  # closing the last connection writes the WAL into the file
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="session")
def signed_in(template, tmp_path_factory):
    """An instance in which the admin is signed in, for copies of it; its cookie."""
    folder = tmp_path_factory.mktemp("signed-in")
    shutil.copy(Path(template.instance_path) / "bookapi.sqlite", folder)
    app = create_app(settings(folder))
    client = app.test_client()
    assert Auth(client).login().status_code == 200
    with app.app_context():
        db.engine.dispose()
    return folder, client.get_cookie("bookapi").value


@pytest.fixture
def make_app(request, template, tmp_path):
    """A function that creates the app with further settings; the database is this test's own."""
    made = []
    if not DATABASE_URL:
        folder = template.instance_path
        if "admin" in request.fixturenames:
            folder, _ = request.getfixturevalue("signed_in")
        shutil.copy(Path(folder) / "bookapi.sqlite", tmp_path)

    def make(**more):
        app = create_app(settings(tmp_path, **more))
        made.append(app)
        return app

    if DATABASE_URL:
        with template.app_context():
            db.write(wipe)
            db.write(add_accounts, template.password_hash)
    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def runner(app):
    return app.test_cli_runner()


@pytest.fixture
def auth(client):
    return Auth(client)


@pytest.fixture
def admin(request, client, auth):
    """A client that is signed in as an admin."""
    if DATABASE_URL:
        assert auth.login().status_code == 200
    else:
        client.set_cookie("bookapi", request.getfixturevalue("signed_in")[1])
    return client
