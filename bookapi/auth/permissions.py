"""Authorization: who sends a request, the access that each endpoint declares, and both again inside
a transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, cast

from flask import current_app
from flask_login import UserMixin, current_user
from sqlalchemy import Select, bindparam, null, select
from sqlalchemy.engine import Connection

from ..db import fetch, now, rfc3339
from ..http.endpoints import Access
from ..http.problems import Problem
from ..http.proxy import USER as PROXY_USER
from ..http.request import Request, current_request
from ..http.security import SAFE_METHODS
from . import audit
from .audit import Action
from .models import ADMIN, READ, WRITE, LoginSession, Token, User

CHALLENGE = {"WWW-Authenticate": 'Session realm="bookapi", Bearer realm="bookapi"'}

# What a query selects to make a SignedIn of: plain columns, for `db.fetch`.
ACCOUNT = (
    User.id,
    User.username,
    User.role,
    rfc3339(User.created_at),
    User.totp_secret.is_not(None),
)


@dataclass(frozen=True)
class SignedIn(UserMixin):
    """Flask-Login's user: an active account, and the session or token that proves it.
    `credential_hash` is the hash of its secret; empty where the trusted proxy vouches for the
    account.

    A change confirms it in its own transaction, since rights may have been taken away after the
    request began; the rows that prove them stay locked until the commit.
    """

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

    @classmethod
    def of(cls, account: tuple[Any, ...], credential_hash: str, **credential: Any) -> "SignedIn":
        """The account in the columns ACCOUNT of a row."""
        user_id, username, role, created_at, has_mfa = account
        created = datetime.fromisoformat(created_at)
        return cls(user_id, username, role, created, bool(has_mfa), credential_hash, **credential)

    @property
    def itself(self) -> "SignedIn":
        """This object: Flask-Login's `current_user` is a proxy that looks it up for each
        attribute."""
        return self

    def confirm(self, connection: Connection) -> None:
        """Raise 401 or 403 where the account is no admin (with ADMIN_MFA: with a second factor) any
        more.
        """
        role, has_mfa = self.confirm_signed_in(connection)
        if role != ADMIN:
            raise Problem(403, "only for admins")
        if current_app.config["ADMIN_MFA"] and not has_mfa:
            raise Problem(403, "admins need a second factor here")

    def confirm_signed_in(self, connection: Connection) -> tuple[str, bool]:
        """Raise 401 where the session or token has ended, or the account is not active; returns
        (role, whether it has a second factor).
        """
        if not self.credential_hash:
            statement = _BY_ACCOUNT
        else:
            statement = _BY_SESSION if self.token_id is None else _BY_TOKEN
        values = {"user_id": self.id, "credential_hash": self.credential_hash}
        for role, has_mfa, expires_at in fetch(connection, statement, values):
            if expires_at is None or datetime.fromisoformat(expires_at) > now():
                return role, bool(has_mfa)
        raise Problem(
            401, "the session or token ended during this request; nothing was stored", CHALLENGE
        )


current_account = cast(SignedIn, current_user)  # Flask-Login's proxy, with its type


def authorize(request: Request) -> None:
    """Raise 401 or 403 for a request that its endpoint's declaration does not allow, before its
    body is looked at.

    Credentials are checked even where they are not needed, since their sender relies on them: a
    wrong Authorization header is a 401, a name from the proxy that no account has is a 403. But not
    the latter where the access is `anyone`: so one can still sign in with a password.
    """
    declared = request.declared
    if declared is not None and request.method != "OPTIONS":
        named = PROXY_USER in request.environ and declared.access is not Access.ANYONE
        if named or "Authorization" in request.headers:
            current_account.is_authenticated  # noqa: B018 (loads the user)
        _CHECKS[declared.access]()


def _require_signed_in() -> SignedIn:
    if not current_account.is_authenticated:
        raise Problem(
            401,
            "sign in (POST /auth/login) or send an API token; a session may have ended",
            CHALLENGE,
        )
    account = actor()
    if account.scope == READ and current_request().method not in SAFE_METHODS:
        _refuse("this token is for reading only")
    return account


def _require_session() -> None:
    if _require_signed_in().token_id is not None:
        _refuse("not with a token; sign in with the password")


def require_admin() -> None:
    """Raise 401 or 403 for anyone but an admin: for views of which only a part is for everyone."""
    account = _require_signed_in()
    if account.role != ADMIN:
        _refuse("only for admins")
    if current_app.config["ADMIN_MFA"] and not account.has_mfa:
        _refuse("admins need a second factor here; set one up: POST /auth/mfa")


def _require_admin_session() -> None:
    _require_session()
    require_admin()


def _refuse(detail: str) -> NoReturn:
    audit.log(Action.ACCESS_REFUSED, current_account.username, detail)
    raise Problem(403, detail)


_CHECKS: dict[Access, Callable[[], object]] = {
    Access.ANYONE: lambda: None,
    Access.READER: lambda: current_app.config["PUBLIC_READ"] or _require_signed_in(),
    Access.SIGNED_IN: _require_signed_in,
    Access.IN_SESSION: _require_session,
    Access.ADMIN: require_admin,
    Access.ADMIN_IN_SESSION: _require_admin_session,
}


def _proof(model: Any, expires_at: Any) -> Select[*tuple[Any, ...]]:
    # Joined: MySQL locks no row of an EXISTS, and reads it as it was before it had to wait.
    return (
        select(User.role, User.totp_secret.is_not(None), expires_at)
        .join(model, model.user_id == User.id)
        .where(
            User.id == bindparam("user_id"),
            User.active,
            model.secret_hash == bindparam("credential_hash"),
        )
        .with_for_update(read=True)
    )


_BY_ACCOUNT: Select[*tuple[Any, ...]] = (
    select(User.role, User.totp_secret.is_not(None), null())
    .where(User.id == bindparam("user_id"), User.active)
    .with_for_update(read=True)
)
_BY_SESSION, _BY_TOKEN = _proof(LoginSession, null()), _proof(Token, rfc3339(Token.expires_at))


def actor() -> SignedIn:
    """Who sends this request."""
    return current_account.itself
