"""SQLite and the MariaDB of DATABASE_URL side by side, with the same accounts."""

import contextlib

import pytest

from bookapi import create_app
from bookapi.db import Base, db
from bookapi.site.commands import _upgrade as upgrade
from helpers.instance import DATABASE_URL, SECRET, Auth, add_accounts, settings, wipe
from helpers.support import sqlite_url


@contextlib.contextmanager
def two_databases(request, folder):
    """((name, application, a client signed in as an admin), …); what the one named by DATABASE_URL
    holds is wiped."""
    if not DATABASE_URL:
        pytest.skip("DATABASE_URL names no MariaDB to compare SQLite with")
    template = request.getfixturevalue("template")
    with template.app_context():
        db.write(wipe)
        with db.engine.begin() as connection:
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
            for table in Base.metadata.tables:
                if table != "catalogue":  # ids begin with 1 again, whatever is not purged yet
                    connection.exec_driver_sql(f"TRUNCATE TABLE `{table}`")
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 1")
            connection.exec_driver_sql("UPDATE catalogue SET last_user_id = 0")
        db.write(add_accounts, template.password_hash)
    sqlite = create_app(settings(folder, DATABASE_URL=sqlite_url(folder), SECRET_KEY=SECRET))
    with sqlite.app_context():
        db.dialect.create_file()
        upgrade()
        db.write(add_accounts, template.password_hash)
    pair = (("SQLite", sqlite), ("MariaDB", create_app(settings(folder))))
    clients = [app.test_client() for _, app in pair]
    assert {Auth(client).login().status_code for client in clients} == {200}
    yield [(*side, client) for side, client in zip(pair, clients, strict=True)]
    for _, app in pair:
        with app.app_context():
            db.engine.dispose()
