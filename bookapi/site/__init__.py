"""The service itself: what is here, whether it works, and how it is run."""

from flask import Flask

from . import commands, safety_commands, views


def init_app(app: Flask) -> None:
    """Give the application its front door and its operator's commands."""
    app.register_blueprint(views.blueprint)
    for command in (*commands.COMMANDS, *safety_commands.COMMANDS):
        app.cli.add_command(command)
