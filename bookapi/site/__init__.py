"""The service itself: its index, its health, its documents, and the operator's commands."""

from flask import Flask

from . import backup, check, check_api, commands, genconfig, views
from .contract import publish
from .contract import views as contract_views

__all__ = ["init_app", "publish"]


def init_app(app: Flask) -> None:
    """Give the application its index, its health checks and its operator's commands."""
    app.register_blueprint(views.blueprint)
    app.register_blueprint(contract_views.blueprint)
    for command in (
        *commands.COMMANDS,
        backup.backup,
        backup.restore,
        check.check,
        check_api.check_api,
        genconfig.genconfig,
    ):
        app.cli.add_command(command)
