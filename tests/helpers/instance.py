"""Instances for the tests: their settings, their database, its accounts."""

import os
from contextlib import closing
from pathlib import Path

import pymysql
from sqlalchemy import text
from sqlalchemy.engine import make_url

from bookapi.auth import accounts
from bookapi.db import Base, db

PASSWORD = "a long enough password"
SECRET = "for the tests alone, of no use to anyone else"
TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
DATA = TESTS / "data"


def _of_this_worker(url):
    """The URL of a database for this pytest-xdist process alone, created if it is missing."""
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


def settings(folder, **more):
    chosen = {"DATABASE_URL": DATABASE_URL} if DATABASE_URL else {}
    return {"TESTING": True, "INSTANCE_PATH": str(folder), "SECRET_KEY": SECRET, **chosen, **more}


def add_accounts(session, password_hash):
    """An admin and a member, with the same password."""
    for name in ("admin", "member"):
        accounts.add(session, name, password_hash, name)


def drop_tables():
    """Drop every table of a MySQL database."""
    with db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
        for (name,) in connection.execute(text("SHOW TABLES")).all():
            connection.execute(text(f"DROP TABLE `{name}`"))


def wipe(session):
    """Delete every row, but keep the schema."""
    for table in reversed(Base.metadata.sorted_tables):
        if table.name != "catalogue":
            session.execute(table.delete())
    session.execute(text("UPDATE catalogue SET seq = 0, revision = 0, last_id = 0, total = 0"))


class Auth:
    """Signing a client in and out."""

    def __init__(self, client):
        self.client = client

    def login(self, username="admin", password=PASSWORD):
        return self.client.post("/auth/login", json={"username": username, "password": password})

    def logout(self):
        return self.client.post("/auth/logout")
