"""A SQLite file that is damaged, replaced or closed to writers while the service uses it."""

import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bookapi import create_app
from bookapi.auth import accounts, passwords
from bookapi.db import db
from bookapi.db.schema import upgrade_schema
from bookapi.db.sqlite import sqlite3
from helpers.instance import PASSWORD, SECRET, Auth

SOON = 2  # seconds: less than DATABASE_WAIT_SECONDS, the time that a lock is waited for


@pytest.fixture
def served(tmp_path):
    """(client of an admin, database file) of an application with one book."""
    path = tmp_path / "own" / "bookapi.sqlite"
    app = create_app(
        {
            "TESTING": True,
            "INSTANCE_PATH": str(tmp_path / "own"),
            "SECRET_KEY": SECRET,
            "DATABASE_URL": f"sqlite:///{path}",
            "PROPAGATE_EXCEPTIONS": False,
        }
    )
    with app.app_context():
        db.dialect.create_file()
        upgrade_schema(db.engine)
        db.write(accounts.add, "admin", passwords.make_hash(PASSWORD), "admin")
        db.engine.dispose()
    client = app.test_client()
    Auth(client).login()
    assert client.post("/books", json={"title": "before"}).status_code == 201
    assert client.get("/readyz").status_code == 200
    yield client, path
    with app.app_context():
        db.engine.dispose()


def checkpoint(path):
    """Copy all changes from the log to the file, as another process may do at any time."""
    code = (
        "import sys; from bookapi.db.sqlite import sqlite3;"
        "sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(PASSIVE)').fetchall()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=30)


def overwrite_first_page(path):
    with open(path, "r+b") as file:
        file.write(b"\xff" * 4096)


def cut(path):
    os.truncate(path, 0)


def delete(path):
    path.unlink()


def replace(path):
    shutil.copy(path, f"{path}.other")
    os.replace(f"{path}.other", path)


def copy_another_over(path):
    other = path.with_name("other.sqlite")
    shutil.copy(path, other)
    connection = sqlite3.connect(other)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("UPDATE books SET title = 'another'")
    connection.commit()
    connection.close()
    time.sleep(0.01)
    path.write_bytes(other.read_bytes())


def delete_log(path):
    os.unlink(f"{path}-wal")


DAMAGES = [overwrite_first_page, cut, delete, replace, copy_another_over, delete_log]


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("written_back", [False, True])
def test_after_damage_nothing_is_acknowledged_and_the_service_is_not_ready(
    served, damage, written_back, caplog, monkeypatch
):
    client, path = served
    monkeypatch.setattr(client.application.logger, "propagate", True)
    if written_back:
        checkpoint(path)
        assert client.get("/readyz").status_code == 200
    damage(path)
    begun = time.monotonic()
    ready, change = client.get("/readyz"), client.post("/books", json={"title": "after"})
    assert time.monotonic() - begun < SOON
    assert [
        (answer.status_code, "Retry-After" in answer.headers) for answer in (ready, change)
    ] == [(503, True)] * 2
    lines = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert all(str(path) in line.getMessage() or "restart" in line.getMessage() for line in lines)
    assert not any(line.exc_info for line in lines)
    assert any("bookapi init" in line.getMessage() for line in lines) == (not path.exists())
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503, "until a restart"


def test_damage_during_an_operation_is_seen_before_the_change_is_acknowledged(served):
    client, path = served

    def operation(connection):
        delete_log(path)
        connection.exec_driver_sql("UPDATE books SET title = 'lost'")

    with client.application.app_context(), pytest.raises(Exception, match="503"):
        db.write(operation)


@pytest.mark.slow
def test_checkpoints_of_any_process_are_no_damage(served):
    client, path = served
    for number in range(20):
        assert client.post("/books", json={"title": f"t{number}"}).status_code == 201
        if number % 3 == 0:
            checkpoint(path)
        if number % 7 == 0:
            with client.application.app_context(), db.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
        assert client.get("/readyz").status_code == 200


def enterable(path):
    """Let every user enter the folders of the tests above a file."""
    for folder in path.parents:
        if folder.stat().st_uid == os.geteuid() and folder not in (Path("/"), Path("/tmp")):
            os.chmod(folder, 0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another user")
def test_a_folder_that_may_not_be_entered_is_a_503(served):
    client, path = served
    with client.application.app_context():
        db.engine.dispose()
    enterable(path)
    os.chmod(path.parent, 0o700)
    os.seteuid(65534)
    try:
        ready, change = client.get("/readyz"), client.post("/books", json={"title": "after"})
    finally:
        os.seteuid(0)
    assert (ready.status_code, change.status_code) == (503, 503)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as another user")
def test_a_file_of_another_user_is_a_503_for_changes_and_the_log_names_owner_and_mode(
    served, caplog, monkeypatch
):
    client, path = served
    monkeypatch.setattr(client.application.logger, "propagate", True)
    with client.application.app_context():
        db.engine.dispose()
    enterable(path)
    os.chmod(path, 0o444)
    os.seteuid(65534)
    try:
        ready, change = client.get("/readyz"), client.post("/books", json={"title": "after"})
    finally:
        os.seteuid(0)
    assert [
        (answer.status_code, "Retry-After" in answer.headers) for answer in (ready, change)
    ] == [(503, True)] * 2
    lines = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not any(line.exc_info for line in lines)
    reported = [line.getMessage() for line in lines if line.getMessage().startswith("database: ")]
    assert reported and all("belongs to root, mode 0" in line for line in reported)
