"""Accounts: sign-in, permissions and the audit log."""

from flask import Flask, Request
from flask_login import LoginManager

from ..http.counting import USER
from . import admin_views, commands, proxy_login, sessions, tokens, views
from .permissions import SignedIn


def load_user(request: Request) -> SignedIn | None:
    """Flask-Login's request loader: the owner of the token in the Authorization header, else the
    account that a trusted proxy names, else the owner of the session cookie.
    """
    user = tokens.authenticate() or proxy_login.load() or sessions.load()
    if user is not None:
        request.environ[USER] = user.username
    return user


def init_app(app: Flask) -> None:
    """Register sign-in, the views and the command of accounts."""
    # A session may move to another address, and no cookie can have this name: there is none to
    # be remembered by.
    app.config.update(SESSION_PROTECTION=None, REMEMBER_COOKIE_NAME=";")
    manager = LoginManager(app, add_context_processor=False)
    manager.request_loader(load_user)
    proxy_login.init_app(app)
    app.register_blueprint(views.blueprint)
    app.register_blueprint(admin_views.blueprint)
    app.cli.add_command(commands.users)
