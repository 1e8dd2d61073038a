"""`bookapi init`: safe to repeat, and to run several times at once; what a user without rights
is reported.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from bookapi import config, create_app
from bookapi.db import db
from bookapi.db.schema import upgrade_schema
from helpers.instance import DATABASE_URL, drop_tables, settings
from helpers.servers import serving
from helpers.support import SECONDS, bookapi, environment


@pytest.fixture
def empty_database(tmp_path):
    """The settings of a database without tables."""
    app = create_app(settings(tmp_path))
    if not DATABASE_URL:
        yield {}
        return
    with app.app_context():
        drop_tables()
    yield {"DATABASE_URL": DATABASE_URL}
    with app.app_context():
        drop_tables()
        upgrade_schema(db.engine)
        db.engine.dispose()


@pytest.mark.slow
def test_of_three_inits_at_once_one_prints_the_password_of_the_admin(tmp_path, empty_database):
    folder = tmp_path / "instance"
    variables = environment(folder, **empty_database)
    command = [sys.executable, "-m", "bookapi", "init"]
    processes = [
        subprocess.Popen(
            command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    done = [process.communicate(timeout=SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], done
    printed = [
        line.removeprefix("admin password: ")
        for output, _ in done
        for line in output.splitlines()
        if line.startswith("admin password: ")
    ]
    assert len(printed) == 1
    assert sorted(path.name for path in folder.glob("secret*")) == ["secret"]
    app = create_app({"INSTANCE_PATH": str(folder), "TESTING": True, **empty_database})
    login = {"username": "admin", "password": printed[0]}
    assert app.test_client().post("/auth/login", json=login).status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_unreadable_settings_are_one_clear_line(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(config.SettingError) as caught:
        config.from_file(tmp_path / "config.py")
    assert (
        caught.value.format_message() == f"cannot read {tmp_path / 'config.py'}: Permission denied"
    )


@pytest.mark.slow
def test_a_second_secret_for_one_database_is_reported(tmp_path):
    one, other = {"SECRET_KEY": "1" * 40}, {"SECRET_KEY": "2" * 40}
    assert bookapi(tmp_path, "init", **one).returncode == 0
    assert bookapi(tmp_path, "init", **one).returncode == 0
    assert bookapi(tmp_path, "check", **one).returncode == 0
    checked = bookapi(tmp_path, "check", **other)
    assert checked.returncode == 1 and "wrong  secret in use: " in checked.stdout
    with serving(tmp_path, **other):
        pass
    assert "the secret differs" in (tmp_path / "log").read_text()
    assert bookapi(tmp_path, "check", **one).returncode == 0  # serving has not replaced it
    assert bookapi(tmp_path, "init", **other).returncode == 0
    assert bookapi(tmp_path, "check", **other).returncode == 0
