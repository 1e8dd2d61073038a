"""The session cookie, and how Flask-Login finds out who sends a request."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress

from flask import Flask, current_app, g, request
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager
from itsdangerous import BadSignature
from werkzeug.http import parse_cookie

from . import credentials, sessions, tokens

REMEMBERED_COOKIES, MAX_REMEMBERED = 1000, 1024  # headers, characters
NAMES = ("__Host-bookapi", "bookapi")


class Cookies(SecureCookieSessionInterface):
    """The session cookie: under HTTPS Secure and with the `__Host-` prefix, which binds it to this very host.

    A signature that was right stays right, so it is checked once: that costs as much as all the rest of signing in by
    cookie. Whether the session is open is looked up each time.
    """

    digest_method = staticmethod(hashlib.sha256)

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], dict] = {}

    def _secure(self) -> bool:
        setting = current_app.config["SECURE_COOKIES"]
        return request.is_secure if setting is None else setting

    def get_cookie_name(self, app: Flask) -> str:
        return NAMES[0] if self._secure() else NAMES[1]

    def get_cookie_secure(self, app: Flask) -> bool:
        return self._secure()

    def open_session(self, app: Flask, request):
        # Most requests bring no cookie; building a serializer for them would cost more than the rest.
        sent = request.environ.get("HTTP_COOKIE")
        if sent is None:
            return self.session_class()
        known = self._known.get((sent, self._secure()))
        if known is not None:
            return self.session_class(known)
        opened = super().open_session(app, request)
        if opened and len(sent) <= MAX_REMEMBERED:
            if len(self._known) >= REMEMBERED_COOKIES:
                self._known.clear()
            self._known[sent, self._secure()] = dict(opened)
        return opened

    def is_known(self, app: Flask, headers: Mapping[str, str]) -> bool:
        """Whether a request brings a token that this service made, or a cookie that it signed no longer ago than a
        session may last. Whether they still hold is not looked at: this asks no database, and may be asked of every
        request."""
        return tokens.is_ours(app, headers.get("AUTHORIZATION", "")) or self._is_ours(
            app, headers.get("COOKIE", "")
        )

    def _is_ours(self, app: Flask, cookies: str) -> bool:
        serializer = self.get_signing_serializer(app)
        sent = parse_cookie(cookies)
        for name in NAMES:
            with suppress(BadSignature):
                if serializer.loads(sent.get(name, ""), max_age=app.config["SESSION_HOURS"] * 3600):
                    return True
        return False

    def save_session(self, app: Flask, session, response) -> None:
        if session.modified:
            super().save_session(app, session, response)
        elif session.accessed:
            response.vary.add("Cookie")


class _Login(LoginManager):
    """Flask-Login without its remember-me cookie, whose handling would make every answer vary by cookie."""

    def init_app(self, app: Flask, add_context_processor: bool = True) -> None:
        app.login_manager = self

    def _load_user_from_remember_cookie(self, cookie):
        return None

    def _load_user(self) -> None:
        by_token = g.get("by_token")
        if by_token is None:
            super()._load_user()
        else:
            self._update_request_context_with_user(by_token)

    def _session_protection_failed(self) -> bool:
        return False  # the secret is the proof; an address may change under a laptop


def take_authorization() -> None:
    """Who sends an Authorization header is its token's owner, whatever the cookies say; 401 where it is wrong, even for
    what everyone may read: who sends one believes that it is right."""
    header = request.environ.get("HTTP_AUTHORIZATION")
    if header is not None and request.method != "OPTIONS":
        g.by_token = credentials.signed_in_by(header)


def init_app(app: Flask) -> None:
    """Give the application its cookie and its way to know who asks."""
    app.session_interface = Cookies()
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN=None,
    )
    login = _Login()
    login.user_loader(sessions.load)
    login.init_app(app)
    app.before_request(take_authorization)
