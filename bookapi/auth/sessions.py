"""Sessions: a random secret in a cookie, its hash in a table, joined to an active account on each
request.

Logging out, a new password, disabling and a change of role delete rows, so they take effect with
the next request of every worker.
"""

import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from flask import Response, after_this_request, current_app, g, request
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.engine import Connection
from werkzeug.exceptions import HTTPException

from ..db import db, fetch, now, rfc3339
from ..http.request import current_request
from ..text import printable
from ..timestamps import format_timestamp
from . import audit, usernames
from .audit import Action
from .models import Account, AnyRow, LoginSession, User, read_page
from .permissions import ACCOUNT, SignedIn, current_account

MAX_AGENT = 200  # characters of User-Agent
MAX_SESSIONS = 100  # of an account
SEEN_EVERY = timedelta(minutes=1)
MAX_SWEPT = 100  # sessions of any account that have ended, deleted with a sign-in
_MARK_LENGTH = 16  # hexadecimal digits


def hash_of(secret: str) -> str:
    """The hash that is kept of a session's secret. It is keyed, so that a new SECRET_KEY ends all
    sessions.
    """
    return keyed_digest("session", secret)


def keyed_digest(purpose: str, text: str) -> str:
    """A digest by SECRET_KEY, for one purpose."""
    key = current_app.config["SECRET_KEY"].encode()
    return hmac.digest(key, f"{purpose}\0{text}".encode("utf-8", "surrogatepass"), "sha256").hex()


def end_of(created_at: datetime, last_seen_at: datetime) -> datetime:
    """When a session ends if this was its last request."""
    config = current_app.config
    return min(
        created_at + timedelta(hours=config["SESSION_HOURS"]),
        last_seen_at + timedelta(minutes=config["SESSION_IDLE_MINUTES"]),
    )


def seen_interval() -> timedelta:
    """How often `last_seen_at` is written: rarely, since a read should not cost a write, but well
    within the idle time.
    """
    return min(SEEN_EVERY, timedelta(minutes=current_app.config["SESSION_IDLE_MINUTES"]) / 4)


# -- the cookie ------------------------------------------------------------------------------------


def is_secure() -> bool:
    """Whether cookies are for HTTPS only."""
    setting = current_app.config["SECURE_COOKIES"]
    return request.is_secure if setting is None else bool(setting)


def cookie_name() -> str:
    """The name of the cookie; the prefix binds a secure one to this very host."""
    name = current_app.config["COOKIE_NAME"]
    return f"__Host-{name}" if is_secure() else name


def send_cookie(secret: str | None) -> None:
    """Send the secret of a session with the response to this request; None: delete the cookie."""
    name, secure = cookie_name(), is_secure()
    g.session_secret = secret
    same_site = current_app.config["COOKIE_SAMESITE"].capitalize()

    @after_this_request
    def set_cookie(response: Response) -> Response:
        if secret is None:
            response.delete_cookie(name, "/", None, secure, httponly=True, samesite=same_site)
        else:
            response.set_cookie(name, secret, secure=secure, httponly=True, samesite=same_site)
        return response


def current_secret() -> str:
    """The secret that this browser has after this response; empty: none."""
    sent = request.cookies.get(cookie_name(), "")
    return (g.session_secret or "") if "session_secret" in g else sent


def new_secret(username: str) -> str:
    """A random secret of 256 bits, with a mark at its end by which this browser is known to this
    account later on.
    """
    random = secrets.token_urlsafe(32)
    return f"{random}.{_mark(random, username)}"


def known_browser(username: str) -> str | None:
    """A name for the browser if it has been signed in to this account before, even if the session
    has ended.

    That gives no rights, but tells the account's owner from strangers who fail at the name.
    """
    random, _, mark = request.cookies.get(cookie_name(), "").partition(".")
    if not mark or not usernames.is_possible(username):
        return None
    expected = _mark(random, username)
    return random if hmac.compare_digest(mark.encode(), expected.encode()) else None


def _mark(random: str, username: str) -> str:
    digest = keyed_digest("known browser", f"{random}\0{usernames.canonical(username)}")
    return digest[:_MARK_LENGTH]


# -- using one -------------------------------------------------------------------------------------


def load() -> SignedIn | None:
    """Who sends this request, by its cookie, if the session is open and the account active."""
    request = current_request()
    request.varies += ("Cookie",)
    secret = request.cookies.get(cookie_name())
    if not secret:
        return None
    secret_hash = hash_of(secret)
    with db.read() as connection:
        rows = fetch(connection, _BY_SECRET, {"secret_hash": secret_hash})
    if not rows:
        return None
    session_id, created_at, last_seen_at, *account = rows[0]
    seen_at = datetime.fromisoformat(last_seen_at)
    if end_of(datetime.fromisoformat(created_at), seen_at) <= now():
        _write_if_free(_delete, session_id)  # so that a clock set back does not open it again
        return None
    if seen_at < now() - seen_interval():
        _write_if_free(_touch, session_id)
    return SignedIn.of(tuple(account), secret_hash, session_id=session_id)


_BY_SECRET = (
    select(
        LoginSession.id,
        rfc3339(LoginSession.created_at),
        rfc3339(LoginSession.last_seen_at),
        *ACCOUNT,
    )
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.secret_hash == bindparam("secret_hash"), User.active)
)


def _write_if_free(operation: Callable[..., Any], *args: Any) -> None:
    """Write now or not at all: who only reads must not wait for those who write."""
    with suppress(HTTPException):
        db.write(operation, *args, wait=0.05)


def _touch(connection: Connection, session_id: int) -> None:
    # Skipped while a change by this session is in progress, which keeps its row locked.
    row = select(LoginSession.id).where(LoginSession.id == session_id)
    if connection.scalar(row.with_for_update(skip_locked=True)) is not None:
        connection.execute(
            update(LoginSession).where(LoginSession.id == session_id).values(last_seen_at=now())
        )


def _delete(connection: Connection, *session_ids: int) -> None:
    if session_ids:
        connection.execute(delete(LoginSession).where(LoginSession.id.in_(session_ids)))


# -- opening and ending ----------------------------------------------------------------------------


def replaced_hash() -> str:
    """The hash of the secret that the client has now, whose session ends when another one is
    opened.
    """
    return hash_of(request.cookies.get(cookie_name(), ""))


def open_session(connection: Connection, user: Account, secret: str, replaced: str) -> datetime:
    """Add a session to an account whose row is locked; returns when it ends.

    The session that the client had before ends. Where the account has MAX_SESSIONS, those that have
    ended are deleted first, then the one used longest ago.
    """
    instant = now()
    _make_room(connection, user, replaced, instant)
    connection.execute(
        insert(LoginSession).values(
            secret_hash=hash_of(secret),
            user_id=user.id,
            created_at=instant,
            last_seen_at=instant,
            address=audit.address(),
            user_agent=printable(request.headers.get("User-Agent", ""))[:MAX_AGENT] or None,
        )
    )
    return end_of(instant, instant)


def _make_room(connection: Connection, user: Account, replaced: str, instant: datetime) -> None:
    """End the sessions that `open_session` names, and a few of other accounts that have ended."""
    held = connection.execute(select(LoginSession).where(LoginSession.user_id == user.id)).all()
    ended = [
        row.id
        for row in held
        if row.secret_hash == replaced or end_of(row.created_at, row.last_seen_at) <= instant
    ]
    still_open = sorted(
        (row for row in held if row.id not in ended), key=lambda row: (row.last_seen_at, row.id)
    )
    surplus = [row.id for row in still_open[: max(len(still_open) - MAX_SESSIONS + 1, 0)]]
    oldest = instant - timedelta(hours=current_app.config["SESSION_HOURS"])
    others = select(LoginSession.id).where(
        (LoginSession.created_at < oldest) | (LoginSession.secret_hash == replaced)
    )
    # Deleted by their keys: a DELETE that searches would wait for every row that is locked.
    _delete(connection, *ended, *surplus, *connection.scalars(others.limit(MAX_SWEPT)))
    for session_id in surplus:
        audit.record(
            connection,
            Action.SESSION_ENDED,
            user.username,
            detail=f"session {session_id}, used longest ago of more than {MAX_SESSIONS}",
        )


def close(session_id: int | None, action: Action) -> bool:
    """End a session of the account that sends this request; False where it has no such session."""
    ended: bool = db.write(_close, current_account.id, session_id, current_account.username, action)
    if session_id == current_account.session_id:
        send_cookie(None)
    return ended


def _close(
    connection: Connection, user_id: int, session_id: int | None, username: str, action: Action
) -> bool:
    ended = connection.execute(
        delete(LoginSession).where(LoginSession.id == session_id, LoginSession.user_id == user_id)
    ).rowcount
    if ended:
        audit.record(connection, action, username, actor=username)
    return bool(ended)


# -- the list --------------------------------------------------------------------------------------


def read_open(user_id: int, limit: int, offset: int) -> tuple[list[dict[str, Any]], int]:
    """A page of an account's open sessions, newest first, and their number on all pages."""
    config, instant = current_app.config, now()
    statement = (
        select(LoginSession)
        .where(
            LoginSession.user_id == user_id,
            LoginSession.created_at > instant - timedelta(hours=config["SESSION_HOURS"]),
            LoginSession.last_seen_at > instant - timedelta(minutes=config["SESSION_IDLE_MINUTES"]),
        )
        .order_by(LoginSession.id.desc())
    )
    rows, total = read_page(statement, limit, offset)
    return [_described(row) for row in rows], total


def _described(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": format_timestamp(row.created_at),
        "last_seen_at": format_timestamp(row.last_seen_at),
        "expires_at": format_timestamp(end_of(row.created_at, row.last_seen_at)),
        "address": row.address,
        "user_agent": row.user_agent,
        "current": row.id == current_account.session_id,
    }
