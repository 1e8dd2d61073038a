"""Authorization: the access that each endpoint declares, checked before its view; and again inside the transaction."""

from typing import NamedTuple

from flask import current_app, request
from flask_login import current_user
from sqlalchemy import Select, bindparam, select
from sqlalchemy.engine import Connection

from ..http.endpoints import Access, current_endpoint
from ..http.problems import Problem
from ..http.security import SAFE_METHODS
from . import events
from .models import ADMIN, READ, LoginSession, Token, User

CHALLENGE = {"WWW-Authenticate": 'Session realm="bookapi", Bearer realm="bookapi"'}


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
    events.tell(events.ACCESS_REFUSED, current_user.username, detail)
    raise Problem(403, detail)


_CHECKS = {
    Access.ANYONE: lambda: None,
    Access.READER: _require_reader,
    Access.SIGNED_IN: _require_signed_in,
    Access.IN_SESSION: _require_session,
    Access.ADMIN: require_admin,
    Access.ADMIN_IN_SESSION: _require_admin_session,
}


def authorize() -> None:
    """401 or 403 for a request that its endpoint's declaration does not allow, before anything of the body is read."""
    declared = current_endpoint()
    if declared is not None and request.method != "OPTIONS":
        _CHECKS[declared.access]()


# -- until the commit ---------------------------------------------------------------------------------------------


class Actor(NamedTuple):
    """Who changes something, and by what: the id of a session or of a token."""

    user_id: int
    username: str
    session_id: int | None
    token_id: int | None

    def confirm(self, connection: Connection) -> None:
        """Raises 401 or 403 where the account may not any more. It was allowed when the request began; from here to
        the commit it stays so, since the rows of the account and of what it showed are locked: who took a right away
        waits, or was first."""
        query, value = (
            (_BY_SESSION, self.session_id) if self.token_id is None else (_BY_TOKEN, self.token_id)
        )
        found = connection.execute(query, {"user_id": self.user_id, "credential": value}).all()
        if not found:
            raise Problem(
                401, "you were signed out while this was at work; nothing was stored", CHALLENGE
            )
        if found[0][0] != ADMIN:
            raise Problem(403, "only an admin may do this")


def _still(credential: type[LoginSession] | type[Token]) -> Select:
    # Joined, not asked for by EXISTS: MySQL locks no row of a subquery, and reads it as it was before it had to wait.
    return (
        select(User.role)
        .join(credential, credential.user_id == User.id)
        .where(
            User.id == bindparam("user_id"), User.active, credential.id == bindparam("credential")
        )
        .with_for_update(read=True)
    )


_BY_SESSION, _BY_TOKEN = _still(LoginSession), _still(Token)


def actor() -> Actor:
    """Who sends this request."""
    return Actor(
        current_user.id, current_user.username, current_user.session_id, current_user.token_id
    )
