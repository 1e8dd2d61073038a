"""The audit log: what happens to accounts, as rows and as log lines.

A row is written in the transaction of what it is about, its log line once that is committed.
Neither has a secret in it.
"""

from datetime import timedelta
from enum import StrEnum, auto
from typing import Any

from flask import current_app, has_request_context, request
from sqlalchemy import delete, or_, select
from sqlalchemy.engine import Connection

from ..db import db, now, rfc3339
from ..logs import request_id
from . import passwords, usernames
from .models import AnyRow, Event, insert_row, read_page

MAX_EVENTS = 1_000_000  # rows, so that repeated failures cannot fill the disk
MAX_KEPT_EVENTS = 10 * MAX_EVENTS  # the same for those in KEPT, which members can cause too
MAX_UNKNOWN_NAME = 3  # characters
FIELDS = ("id", "action", "username", "actor", "address", "request_id", "detail", "at")


class Action(StrEnum):
    """What happens; the value is the name in lower case."""

    LOGIN = auto()
    LOGIN_REFUSED = auto()
    LOGIN_THROTTLED = auto()
    PROXY_LOGIN = auto()
    PROXY_LOGIN_REFUSED = auto()
    LOGOUT = auto()
    PASSWORD_CHANGED = auto()
    PASSWORD_REFUSED = auto()
    USER_ADDED = auto()
    USER_DELETED = auto()
    USER_ENABLED = auto()
    USER_DISABLED = auto()
    ROLE_CHANGED = auto()
    SESSION_ENDED = auto()
    SESSIONS_ENDED = auto()
    TOKEN_ADDED = auto()
    TOKEN_FIRST_USED = auto()
    TOKEN_REVOKED = auto()
    TOKENS_REVOKED = auto()
    TOKEN_REFUSED = auto()
    MFA_ENABLED = auto()
    MFA_DISABLED = auto()
    RECOVERY_CODE_USED = auto()
    ACCESS_REFUSED = auto()
    SECRET_USED = auto()


WARNINGS = {
    Action.LOGIN_REFUSED,
    Action.LOGIN_THROTTLED,
    Action.PROXY_LOGIN_REFUSED,
    Action.PASSWORD_REFUSED,
    Action.TOKEN_REFUSED,
    Action.ACCESS_REFUSED,
}
# Changes of accounts, which cheap events (failed sign-ins, a member who creates tokens) must not
# push out of the log.
KEPT = (
    Action.PASSWORD_CHANGED,
    Action.USER_ADDED,
    Action.USER_DELETED,
    Action.USER_ENABLED,
    Action.USER_DISABLED,
    Action.ROLE_CHANGED,
    Action.SESSIONS_ENDED,
    Action.TOKENS_REVOKED,
    Action.MFA_ENABLED,
    Action.MFA_DISABLED,
    Action.SECRET_USED,
)


def record(
    connection: Connection,
    action: Action,
    username: str | None = None,
    actor: str | None = None,
    detail: str | None = None,
) -> None:
    """Add an event, committed and logged with what the connection changes. Events beyond EVENT_DAYS
    and beyond the largest number are deleted.
    """
    oldest = now() - timedelta(days=current_app.config["EVENT_DAYS"])
    connection.execute(delete(Event).where(Event.at < oldest))
    values = {"username": username, "actor": actor, "address": address(), "detail": detail}
    sent_with = request_id() or None if has_request_context() else None
    newest = insert_row(
        connection, Event, at=now(), action=action.value, request_id=sent_with, **values
    )
    connection.execute(
        delete(Event).where(
            Event.id <= newest - MAX_EVENTS,
            or_(Event.action.not_in(KEPT), Event.id <= newest - MAX_KEPT_EVENTS),
        )
    )
    db.on_commit(connection, _log, action, values)


def log(action: Action, username: str | None = None, detail: str | None = None) -> None:
    """Write the log line alone, for what happens too often for a row each time."""
    _log(action, {"username": username, "address": address(), "detail": detail})


def _log(action: Action, values: dict[str, str | None]) -> None:
    level = "warning" if action in WARNINGS else "info"
    known = {name: value for name, value in values.items() if value is not None}
    getattr(current_app.logger, level)(action.value, extra={"event": known})


def address() -> str | None:
    """The address of the client; None on the console."""
    return (request.remote_addr or "")[:64] or None if has_request_context() else None


def attempted_name(username: str, account: AnyRow | None) -> str | None:
    """The name to record for a failed attempt. A password may have been typed in its place, so what
    is no account's name and as long as a password is cut, and what cannot be a name is left out.
    """
    if account is not None:
        return str(account.username)
    if usernames.error_in(username):
        return None
    return username if len(username) < passwords.MIN_LENGTH else username[:MAX_UNKNOWN_NAME] + "…"


def read(
    limit: int, offset: int, action: str | None, username: str | None
) -> tuple[list[dict[str, Any]], int]:
    """A page of the events, newest first, and their number on all pages; of one action or about one
    account where these are given.
    """
    statement = select(
        *(
            rfc3339(Event.at).label("at") if name == "at" else getattr(Event, name)
            for name in FIELDS
        )
    ).order_by(Event.id.desc())
    for column, value in ((Event.action, action), (Event.username, username)):
        if value is not None:
            statement = statement.where(column == value)
    rows, total = read_page(statement, limit, offset)
    return [dict(zip(FIELDS, row, strict=True)) for row in rows], total
