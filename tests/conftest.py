"""The fixtures: `app`, `client`, `runner` and `auth`, with a fresh database for each test.

`DATABASE_URL` in the environment runs the suite on MySQL or MariaDB; what is in that database is wiped, so its
name must say that it is for tests. With `-n` each process has one of its own, named after it. `--no-skips` makes every
skipped test a failure: for a machine that has it all.
"""

import os
import shutil
from contextlib import closing
from pathlib import Path

import pymysql
import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from sqlalchemy.engine import make_url
from werkzeug.routing import Rule

from bookapi import create_app
from bookapi.auth import accounts, passwords
from bookapi.db import Base, create_file, db
from bookapi.db.dialects import sqlite
from bookapi.site.commands import _upgrade as upgrade

PASSWORD = "a long enough password"
SHARED = Path(__file__).parents[2] / "shared"
SECRET = "for the tests alone, of no use to anyone else"


def _of_this_worker(url):
    """The address of a database that this process of pytest-xdist has for itself, made where there is none."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if not url or not worker:
        return url
    given = make_url(url)
    own = given.set(database=f"{given.database}_{worker}")
    with closing(
        pymysql.connect(
            host=own.host, port=own.port or 3306, user=own.username, password=own.password or ""
        )
    ) as connection:
        connection.cursor().execute(
            f"CREATE DATABASE IF NOT EXISTS `{own.database}` CHARACTER SET utf8mb4"
        )
    return own.render_as_string(hide_password=False)


DATABASE_URL = _of_this_worker(os.environ.get("DATABASE_URL"))


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="a skipped test is a failure")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.config.getoption("--no-skips") and not hasattr(report, "wasxfail"):
        report.outcome, report.longrepr = (
            "failed",
            f"skipped, but nothing may be skipped here: {report.longrepr}",
        )


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    for name in os.environ:
        if name.startswith("BOOKAPI_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes():
    """Hundreds of tests sign in: they need not take the time that an attacker should. One looks at the real cost."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", cheap)
        patch.setattr(passwords, "_DUMMY_HASH", cheap.hash("nobody"))
        yield


@pytest.fixture(scope="session", autouse=True)
def routes_made_once():
    """werkzeug compiles two functions for each route, which is most of what an application costs; thousands of tests
    make one, with the same routes. The functions depend on nothing but the rule's own words."""
    made, compile_builder = {}, Rule._compile_builder

    def remembered(rule, append_unknown=True):
        key = (rule.rule, repr(rule.defaults), rule.merge_slashes, append_unknown)
        if key not in made:
            made[key] = compile_builder(rule, append_unknown)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", remembered)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_disks():
    """What the tests of this process store need not outlive the machine. Services that the tests start are as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "PRAGMAS", ("synchronous = OFF", "foreign_keys = ON"))
        yield


@pytest.fixture(scope="session")
def shared():
    """The folder of real catalogues and attacks that lies beside the project, where there is one."""
    if not SHARED.is_dir():
        pytest.skip("the shared data is not beside the project")
    return SHARED


def settings(folder, **more):
    chosen = {"DATABASE_URL": DATABASE_URL} if DATABASE_URL else {}
    return {"TESTING": True, "INSTANCE_PATH": str(folder), "SECRET_KEY": SECRET, **chosen, **more}


def _fill(session, password_hash):
    for name in ("admin", "member"):
        accounts.add(session, name, password_hash, name)


@pytest.fixture(scope="session")
def template(tmp_path_factory, cheap_hashes):
    """An instance with the schema, an admin and a member: copied for each test, or wiped back to."""
    folder = tmp_path_factory.mktemp("template")
    if DATABASE_URL and "test" not in make_url(DATABASE_URL).database:
        pytest.exit(
            "DATABASE_URL is wiped by the tests: the name of its database must contain `test`", 2
        )
    app = create_app(settings(folder))
    app.password_hash = passwords.make_hash(PASSWORD)
    with app.app_context():
        if DATABASE_URL:
            _drop_all()
        create_file()
        upgrade()
        if not DATABASE_URL:
            db.write(_fill, app.password_hash)
        db.engine.dispose()  # the last connection to close writes the log back into the file that is copied
    yield app
    with app.app_context():
        db.engine.dispose()


def _drop_all():
    with db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for (name,) in connection.execute(text("SHOW TABLES")).all():
            connection.execute(text(f"DROP TABLE `{name}`"))


def _wipe(session):
    for table in reversed(Base.metadata.sorted_tables):
        if table.name != "catalogue":
            session.execute(table.delete())
    session.execute(text("UPDATE catalogue SET seq = 0, mark = 0, last_id = 0, total = 0"))


@pytest.fixture
def make_app(template, tmp_path):
    """A function that makes the application with more settings; its database is this test's own."""
    made = []
    if not DATABASE_URL:
        shutil.copy(Path(template.instance_path) / "bookapi.sqlite", tmp_path)

    def make(**more):
        app = create_app(settings(tmp_path, **more))
        made.append(app)
        return app

    if DATABASE_URL:
        with template.app_context():
            db.write(_wipe)
            db.write(_fill, template.password_hash)
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


class Auth:
    """Signing a client in and out."""

    def __init__(self, client):
        self.client = client

    def login(self, username="admin", password=PASSWORD):
        return self.client.post("/auth/login", json={"username": username, "password": password})

    def logout(self):
        return self.client.post("/auth/logout")


@pytest.fixture
def auth(client):
    return Auth(client)


@pytest.fixture
def admin(client, auth):
    """A client that is signed in as an admin."""
    assert auth.login().status_code == 200
    return client
