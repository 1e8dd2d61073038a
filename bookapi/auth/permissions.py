"""Authorization: who sends a request, and one access level on every view. A view without one stops the application from
starting (default deny).
"""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from flask import Flask, current_app, request
from flask_login import current_user
from sqlalchemy import Row, or_, select
from sqlalchemy.engine import Connection

from ..db import now
from ..http.conditional import cacheable
from ..http.problems import Problem
from ..http.security import SAFE_METHODS
from . import audit
from .audit import Action
from .models import ADMIN, READ, WRITE, LoginSession, Token, User

CHALLENGE = {"WWW-Authenticate": 'Session realm="bookapi", Bearer realm="bookapi"'}

# What a query selects to make a SignedIn of.
ACCOUNT = (
    User.id.label("user_id"),
    User.username,
    User.role,
    User.created_at.label("user_created_at"),
    User.totp_secret.is_not(None).label("has_mfa"),
)


@dataclass(frozen=True)
class SignedIn:
    """Flask-Login's user: an active account, and the session or token that proves it. `credential_hash` is the hash of
    its secret."""

    id: int
    username: str
    role: str
    created_at: datetime
    has_mfa: bool
    credential_hash: str
    session_id: int | None = None
    token_id: int | None = None
    scope: str = WRITE
    active: bool = True
    is_active = is_authenticated = True
    is_anonymous = False

    @classmethod
    def of(cls, row: Row[Any], credential_hash: str, **credential: Any) -> "SignedIn":
        """The account in a row that has the columns ACCOUNT."""
        account = (row.user_id, row.username, row.role, row.user_created_at, bool(row.has_mfa))
        return cls(*account, credential_hash, **credential)

    def get_id(self) -> str:
        """What Flask-Login identifies a user by."""
        return str(self.id)


ANYONE, READER, SIGNED_IN, IN_SESSION, ADMINS, ADMINS_IN_SESSION = ACCESS = (
    "anyone",
    "reader",
    "signed in",
    "signed in, no token",
    "admin",
    "admin, no token",
)


def _marked(access: str, check):
    def mark(view):
        @functools.wraps(view)
        def guarded(*args, **kwargs):
            check()
            return view(*args, **kwargs)

        guarded.access = access
        return guarded

    return mark


def public(view):
    """Anyone may."""
    view.access = ANYONE
    return view


def reader_required(view):
    """Anyone may while PUBLIC_READ is true; else whoever is signed in."""
    return cacheable(_marked(READER, _require_reader)(view))


def _require_reader() -> None:
    if not current_app.config["PUBLIC_READ"]:
        _require_signed_in()


def _require_signed_in() -> None:
    if not current_user.is_authenticated:
        raise Problem(
            401,
            "sign in first (again, if a session has ended): POST /auth/login, or send an API token",
            CHALLENGE,
        )
    if current_user.scope == READ and request.method not in SAFE_METHODS:
        _refuse("this token may only read")


def _require_session() -> None:
    _require_signed_in()
    if current_user.token_id is not None:
        _refuse("no token may do this; sign in with the password")


def require_admin() -> None:
    """In a view that not all of is for everyone: go on for an admin, else 401 or 403."""
    _require_signed_in()
    if current_user.role != ADMIN:
        _refuse("only an admin may do this")
    if current_app.config["ADMIN_MFA"] and not current_user.has_mfa:
        _refuse("an admin needs a second factor here; set one up: POST /auth/mfa")


def _require_admin_session() -> None:
    _require_session()
    require_admin()


def _refuse(detail: str) -> None:
    audit.log(Action.ACCESS_REFUSED, current_user.username, detail)
    raise Problem(403, detail)


login_required = _marked(SIGNED_IN, _require_signed_in)  # whoever is signed in may; else 401
session_required = _marked(IN_SESSION, _require_session)  # but not by a token: 403
admin_required = _marked(
    ADMINS, require_admin
)  # admins may; else 401 or 403, before anything of the body is looked at
admin_session_required = _marked(ADMINS_IN_SESSION, _require_admin_session)


def check(app: Flask) -> None:
    """Raises RuntimeError for a route that does not say who may."""
    silent = [
        endpoint
        for endpoint, view in app.view_functions.items()
        if getattr(view, "access", None) not in ACCESS
    ]
    if silent:
        raise RuntimeError(f"these views do not say who may: {', '.join(silent)}")


def who_may(app: Flask) -> list[tuple[str, str, str]]:
    """(address, methods, who may) of every route, in the order of their addresses. OPTIONS is everybody's."""
    views = app.view_functions
    return sorted(
        (
            rule.rule,
            " ".join(sorted(rule.methods - {"HEAD", "OPTIONS"})),
            views[rule.endpoint].access,
        )
        for rule in app.url_map.iter_rules()
    )


# -- until the commit ---------------------------------------------------------------------------------------------


class Actor(NamedTuple):
    """Who changes something. A change confirms it in its own transaction, since rights may have been taken away after
    the request began; the rows that prove them stay locked until the commit."""

    user_id: int
    username: str
    session_id: int | None
    token_id: int | None
    credential_hash: str

    def confirm(self, connection: Connection) -> None:
        """Raise 401 or 403 where the account is no admin (with ADMIN_MFA: with a second factor) any more."""
        account = self.confirm_signed_in(connection)
        if account.role != ADMIN:
            raise Problem(403, "only an admin may do this")
        if current_app.config["ADMIN_MFA"] and not account.has_mfa:
            raise Problem(403, "an admin needs a second factor here")

    def confirm_signed_in(self, connection: Connection) -> Row[Any]:
        """Raise 401 where the session or token has ended, or the account is not active; returns the account's row."""
        # Joined: MySQL locks no row of an EXISTS, and reads it as it was before it had to wait.
        held: Any = LoginSession if self.token_id is None else Token
        statement = (
            select(*ACCOUNT)
            .join(held, held.user_id == User.id)
            .where(User.id == self.user_id, User.active, held.secret_hash == self.credential_hash)
            .with_for_update(read=True)
        )
        if held is Token:
            statement = statement.where(or_(Token.expires_at.is_(None), Token.expires_at > now()))
        account = connection.execute(statement).one_or_none()
        if account is None:
            raise Problem(
                401, "the session or token ended during this request; nothing was stored", CHALLENGE
            )
        return account


def actor() -> Actor:
    """Who sends this request."""
    return Actor(
        current_user.id,
        current_user.username,
        current_user.session_id,
        current_user.token_id,
        current_user.credential_hash,
    )
