"""The catalogue."""

from flask import Flask

from . import addresses, commands, results, views  # noqa: F401 # the schemas register themselves


def init_app(app: Flask) -> None:
    """Give the application its catalogue."""
    addresses.init_app(app)
    app.register_blueprint(views.blueprint)
    app.cli.add_command(commands.books)
