"""An instance, and commands that run in it."""

import sys

from click.testing import CliRunner

from bookapi import create_app
from bookapi.cli import Console
from bookapi.db import db
from helpers.support import sqlite_url


class Instance:
    """A folder, and the console over it in this process. Its database is a SQLite file, whatever
    the tests run on.
    """

    def __init__(self, folder, monkeypatch):
        self.folder, self.database, self.secret = (
            folder,
            folder / "bookapi.sqlite",
            folder / "secret",
        )
        self._monkeypatch, self._made = monkeypatch, []

    def _create(self):
        self._made.append(create_app())
        return self._made[-1]

    def run(self, *arguments, stdin=None, status=0, **settings):
        """The command's result; fails where its exit status is another one or an exception came
        through.
        """
        own = {
            "INSTANCE_PATH": str(self.folder),
            "DATABASE_URL": sqlite_url(self.folder),
            **settings,
        }
        with self._monkeypatch.context() as patch:
            patch.setenv("FLASK_RUN_FROM_CLI", "true")  # Flask sets it for good
            patch.setattr(sys, "argv", ["bookapi"])
            for name, value in own.items():
                patch.setenv(f"BOOKAPI_{name}", value)
            result = CliRunner().invoke(
                Console(create_app=self._create, name="bookapi"), arguments, input=stdin
            )
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(
            result.exception
        )
        assert status is None or result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    def login(self, username, password):
        """The status of signing in."""
        app = create_app(
            {"INSTANCE_PATH": str(self.folder), "DATABASE_URL": sqlite_url(self.folder)}
        )
        self._made.append(app)
        answer = app.test_client().post(
            "/auth/login", json={"username": username, "password": password}
        )
        return answer.status_code

    def close(self):
        for app in self._made:
            with app.app_context():
                db.engine.dispose()
