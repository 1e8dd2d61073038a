"""Accounts: who signs in, and who may what."""

from flask import Flask

from . import commands, cookies, line, permissions, views


def init_app(app: Flask) -> None:
    """Give the application its accounts."""
    line.init_app(app)
    cookies.init_app(app)
    app.before_request(permissions.authorize)
    for blueprint in views.BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.cli.add_command(commands.users)
