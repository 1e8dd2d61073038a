"""Sessions: a random secret in a signed cookie, its hash in a table, joined to an active user on each request.

Logout, a new password and disabling delete rows, so they take effect on the very next request of every worker.
"""
import hashlib
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import Flask, current_app, request
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, login_user, logout_user
from flask import session as cookie
from itsdangerous import BadSignature
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_cookie

from ..db import Query, db, now, rfc3339, waits_for
from ..problems import Problem
from .models import LoginSession, User

REMEMBERED_COOKIES, LONGEST_REMEMBERED = 1000, 1024  # headers, characters
SEEN_EVERY = timedelta(minutes=1)  # `last_seen_at` is written no more often: a read should not cost a write
CHALLENGE = {"WWW-Authenticate": 'Session realm="bookapi"'}


class SignedIn(UserMixin):
    """Who sends this request. Flask-Login keeps `get_id` in the cookie: it names the session, not the user."""

    def __init__(self, secret: str, opened: "LoginSession | _Opened", user: "User | _Account"):
        self.secret, self.session_id, self._opened = secret, opened.id, opened
        self.id, self.username, self.role = user.id, user.username, user.role
        self.user = user

    def get_id(self) -> str:
        return self.secret

    @property
    def expires_at(self) -> datetime:
        """When the session ends if this was its last request."""
        return _end_of(self._opened)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _end_of(opened: "LoginSession | _Opened") -> datetime:
    config = current_app.config
    return min(opened.created_at + timedelta(hours=config["SESSION_HOURS"]),
               opened.last_seen_at + timedelta(minutes=config["SESSION_IDLE_MINUTES"]))


def load(secret: str) -> SignedIn | None:
    """Who holds this secret, if the session is still open and the account active."""
    with db.read() as reader:
        rows = reader.rows(_SIGNED_IN, secret_hash=_hash(secret))
    if not rows:
        return None
    session_id, opened_at, seen_at, *account, created_at = rows[0]
    opened = _Opened(session_id, datetime.fromisoformat(opened_at), datetime.fromisoformat(seen_at))
    if _end_of(opened) <= now():
        return None
    if opened.last_seen_at < now() - SEEN_EVERY:
        _touch(opened.id)
    return SignedIn(secret, opened, _Account(*account, True, datetime.fromisoformat(created_at)))


class _Opened(NamedTuple):
    id: int
    created_at: datetime
    last_seen_at: datetime


class _Account(NamedTuple):
    """A `User` as it was read, without the ORM: every request of a session has one."""
    id: int
    username: str
    role: str
    password_hash: str
    active: bool
    created_at: datetime


_SIGNED_IN = Query(
    select(LoginSession.id, rfc3339(LoginSession.created_at), rfc3339(LoginSession.last_seen_at),
           User.id, User.username, User.role, User.password_hash, rfc3339(User.created_at))
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.secret_hash == bindparam("secret_hash"), User.active))


def _touch(session_id: int) -> None:
    """Note that the session is in use. Where that cannot be written now, the request goes on without."""
    with suppress(HTTPException):
        db.write(_seen, session_id)


@waits_for(0.05)  # who only reads shall not wait for those who write
def _seen(session: Session, session_id: int) -> None:
    session.execute(update(LoginSession).where(LoginSession.id == session_id).values(last_seen_at=now()))


def open_session(user: User) -> SignedIn:
    """A new session for an account whose password was right; the one that the client had before ends."""
    old = cookie.get("_user_id")
    secret = secrets.token_urlsafe(32)
    opened = db.write(_open, user.id, _hash(secret), _hash(old) if isinstance(old, str) else None)
    cookie.clear()  # what was put there before signing in must not survive it
    signed_in = SignedIn(secret, opened, user)
    login_user(signed_in)
    return signed_in


def _open(session: Session, user_id: int, secret_hash: str, old_hash: str | None) -> LoginSession:
    user = session.get(User, user_id)
    if user is None or not user.active:  # disabled since the password was compared
        raise Problem(401, "wrong username or password", CHALLENGE)
    user.provisional = False
    if old_hash:
        session.execute(delete(LoginSession).where(LoginSession.secret_hash == old_hash))
    ended = now() - timedelta(hours=current_app.config["SESSION_HOURS"])
    session.execute(delete(LoginSession).where(LoginSession.created_at < ended))
    opened = LoginSession(secret_hash=secret_hash, user_id=user_id)
    session.add(opened)
    session.flush()
    return opened


def close_session(signed_in: SignedIn) -> None:
    """End this session; a copy of its cookie is worth nothing from now on."""
    db.write(lambda session: session.execute(delete(LoginSession).where(LoginSession.id == signed_in.session_id)))
    logout_user()
    cookie.clear()


class Cookies(SecureCookieSessionInterface):
    """The session cookie: under HTTPS Secure and with the `__Host-` prefix, which binds it to this very host.

    A signature that was right stays right, so it is checked once: that costs as much as all the rest of signing in by
    cookie. Whether the session is open is looked up each time.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], dict] = {}

    def _secure(self) -> bool:
        setting = current_app.config["SECURE_COOKIES"]
        return request.is_secure if setting is None else setting

    def get_cookie_name(self, app: Flask) -> str:
        return "__Host-bookapi" if self._secure() else "bookapi"

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
        if opened and len(sent) <= LONGEST_REMEMBERED:
            if len(self._known) >= REMEMBERED_COOKIES:
                self._known.clear()
            self._known[sent, self._secure()] = dict(opened)
        return opened

    def is_ours(self, app: Flask, cookies: str) -> bool:
        """Whether a Cookie header brings what this service signed, no longer ago than a session may last. Whether the
        session is open is not looked at: this asks no database, and may be asked of every request."""
        serializer = self.get_signing_serializer(app)
        sent = parse_cookie(cookies)
        for name in ("__Host-bookapi", "bookapi"):
            with suppress(BadSignature):
                if serializer.loads(sent.get(name, ""), max_age=app.config["SESSION_HOURS"] * 3600):
                    return True
        return False

    def save_session(self, app: Flask, session, response) -> None:
        if session.modified:
            super().save_session(app, session, response)
        elif session.accessed:
            response.headers.add("Vary", "Cookie")


class _Login(LoginManager):
    """Flask-Login without its remember-me cookie, whose handling would make every answer vary by cookie."""

    def init_app(self, app: Flask, add_context_processor: bool = True) -> None:
        app.login_manager = self

    def _load_user_from_remember_cookie(self, cookie):
        return None

    def _session_protection_failed(self) -> bool:
        return False  # the secret is the proof; an address may change under a laptop


def _unauthorized() -> None:
    raise Problem(401, "sign in first: POST /auth/login", CHALLENGE)


def init_app(app: Flask) -> None:
    """Give the application its sessions."""
    app.session_interface = Cookies()
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_PATH="/",
                      SESSION_COOKIE_DOMAIN=None)
    login = _Login()
    login.user_loader(load)
    login.unauthorized_handler(_unauthorized)
    login.init_app(app)
