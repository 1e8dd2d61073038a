"""The service itself: its index, its health, and the operator's commands."""

from flask import Flask

from . import backup, check, commands, views


def init_app(app: Flask) -> None:
    """Give the application its index, its health checks and its operator's commands."""
    app.register_blueprint(views.blueprint)
    for command in (*commands.COMMANDS, backup.backup, backup.restore, check.check):
        app.cli.add_command(command)
