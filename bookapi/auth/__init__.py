"""Accounts: who signs in, and who may what."""
from flask import Flask

from . import commands, sessions, views


def init_app(app: Flask) -> None:
    """Give the application its accounts."""
    sessions.init_app(app)
    app.register_blueprint(views.blueprint)
    app.cli.add_command(commands.users)
