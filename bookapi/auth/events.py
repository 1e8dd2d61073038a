"""What happens at the door, noted twice: as a row, in the transaction of what it is about, and as a line of the log
once that is committed. No secret is ever part of it.
"""

from datetime import timedelta

from flask import current_app, has_request_context, request
from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from ..db import db, now
from ..logs import request_id
from . import passwords, usernames
from .models import Event, User

LOGIN, LOGIN_REFUSED, THROTTLED, LOGOUT = "login", "login_refused", "login_throttled", "logout"
PASSWORD_CHANGED, PASSWORD_REFUSED = "password_changed", "password_refused"  # nosec B105: names of events
USER_ADDED, USER_DELETED, USER_ENABLED, USER_DISABLED, ROLE_CHANGED = (
    "user_added",
    "user_deleted",
    "user_enabled",
    "user_disabled",
    "role_changed",
)
SESSION_ENDED, SESSIONS_ENDED = "session_ended", "sessions_ended"
TOKEN_ADDED, TOKEN_USED, TOKEN_REVOKED, TOKENS_REVOKED, TOKEN_REFUSED = (
    "token_added",
    "token_first_used",
    "token_revoked",
    "tokens_revoked",
    "token_refused",
)  # nosec B105: names of events
MFA_ENABLED, MFA_DISABLED, RECOVERY_USED = "mfa_enabled", "mfa_disabled", "recovery_code_used"
ACCESS_REFUSED = "access_refused"
WARNINGS = {LOGIN_REFUSED, THROTTLED, PASSWORD_REFUSED, TOKEN_REFUSED, ACCESS_REFUSED}

MAX_KEPT = 1_000_000  # rows: whoever is refused for long shall not fill the disk
MAX_IN_ALL = 10 * MAX_KEPT  # some of those that last a member can cause as well, if more slowly
# Nor shall he, or a member who makes tokens all day long, push these out.
LASTING = (
    PASSWORD_CHANGED,
    USER_ADDED,
    USER_DELETED,
    USER_ENABLED,
    USER_DISABLED,
    ROLE_CHANGED,
    SESSIONS_ENDED,
    TOKENS_REVOKED,
    MFA_ENABLED,
    MFA_DISABLED,
)
_TOLD = ("action", "username", "actor", "address", "detail")
_UNKNOWN_SHOWN = 3  # characters


def note(
    session: Session,
    action: str,
    username: str | None = None,
    actor: str | None = None,
    detail: str | None = None,
) -> None:
    """Have this happen with what the session commits."""
    session.execute(
        delete(Event).where(Event.at < now() - timedelta(days=current_app.config["EVENT_DAYS"]))
    )
    noted = Event(
        at=now(), action=action, username=username, actor=actor, detail=detail, **_origin()
    )
    session.add(noted)
    session.flush()
    session.execute(
        delete(Event).where(
            Event.id <= noted.id - MAX_KEPT,
            or_(Event.action.not_in(LASTING), Event.id <= noted.id - MAX_IN_ALL),
        )
    )
    db.on_commit(session.connection(), _log, {name: getattr(noted, name) for name in _TOLD})


def _origin() -> dict[str, str | None]:
    """From where: an address and a request, or the console."""
    if not has_request_context():
        return {"address": None, "request_id": None}
    return {"address": (request.remote_addr or "")[:64] or None, "request_id": request_id() or None}


def tell(action: str, username: str | None = None, detail: str | None = None) -> None:
    """A line of the log alone, for what happens too often to be a change of the database each time."""
    _log(
        {
            "action": action,
            "username": username,
            "actor": None,
            "address": _origin()["address"],
            "detail": detail,
        }
    )


def _log(told: dict[str, str | None]) -> None:
    level = "warning" if told["action"] in WARNINGS else "info"
    getattr(current_app.logger, level)(
        told["action"],
        extra={
            "event": {
                name: value
                for name, value in told.items()
                if value is not None and name != "action"
            }
        },
    )


def attempted(username: str, account: User | None) -> str | None:
    """The name to note for an attempt. Somebody may have typed a password in its place, so what is no account's name
    and long enough to be a password is cut; what can be no name at all is left out."""
    if account is not None:
        return account.username
    if usernames.fault(username):
        return None
    return username if len(username) < passwords.SHORTEST else username[:_UNKNOWN_SHOWN] + "…"
