"""Sessions: a random secret in a signed cookie, its hash in a table, joined to an active user on each request.

Logout, a new password, disabling and a change of role delete rows, so they take effect on the very next request of
every worker.
"""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from flask import current_app, request
from flask import session as cookie
from flask_login import current_user, login_user, logout_user
from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from ..db import db, now, rfc3339
from ..http.problems import Problem
from ..schemas import format_timestamp as written
from ..text import printable
from . import events, usernames
from .bridge import with_session
from .identity import Account, SignedIn, account_columns, account_of
from .models import LoginSession, User
from .permissions import CHALLENGE

TOUCH_SECONDS = (
    0.05  # to wait for the write lock to note that: who only reads shall not wait for writers
)
SEEN_EVERY = timedelta(
    minutes=1
)  # `last_seen_at` is written no more often: a read should not cost a write
MAX_AGENT = 200
_KNOWN = "known"  # in the cookie
MOST = 100  # of an account; the oldest ends where there are more


def hash_of(secret: str) -> str:
    """The hash that is kept of a random secret; it has so many bits that a plain one will do."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _lasts() -> tuple[timedelta, timedelta]:
    config = current_app.config
    return timedelta(hours=config["SESSION_HOURS"]), timedelta(
        minutes=config["SESSION_IDLE_MINUTES"]
    )


def end_of(created_at: datetime, last_seen_at: datetime) -> datetime:
    """When a session ends if this was its last request."""
    longest, idle = _lasts()
    return min(created_at + longest, last_seen_at + idle)


def load(secret: str) -> SignedIn | None:
    """Who holds this secret, if the session is still open and the account active."""
    with db.read() as connection:
        rows = connection.execute(_SIGNED_IN, {"secret_hash": hash_of(secret)}).all()
    if not rows:
        return None
    session_id, created_at, last_seen_at, *account = rows[0]
    seen_at = datetime.fromisoformat(last_seen_at)
    if end_of(datetime.fromisoformat(created_at), seen_at) <= now():
        return None
    if seen_at < now() - SEEN_EVERY:
        _touch(session_id)
    return SignedIn(account_of(*account), session_id=session_id, secret=secret)


_SIGNED_IN = (
    select(
        LoginSession.id,
        rfc3339(LoginSession.created_at),
        rfc3339(LoginSession.last_seen_at),
        *account_columns(),
    )
    .join(User, User.id == LoginSession.user_id)
    .where(LoginSession.secret_hash == bindparam("secret_hash"), User.active)
)


def _touch(session_id: int) -> None:
    """Note that the session is in use. Where that cannot be written now, the request goes on without."""
    with suppress(HTTPException):
        db.write(_seen, session_id, wait=TOUCH_SECONDS)


@with_session
def _seen(session: Session, session_id: int) -> None:
    # Locked as long as a change by this session is at work: then that is what it was last seen at.
    opened = session.get(LoginSession, session_id, with_for_update={"skip_locked": True})
    if opened is not None:
        opened.last_seen_at = now()


# -- opening and ending -------------------------------------------------------------------------------------------


def new_secret() -> tuple[str, str | None]:
    """(a new session's secret, the hash of the one that the client has now, which is to end)."""
    old = cookie.get("_user_id")
    return secrets.token_urlsafe(32), hash_of(old) if isinstance(old, str) else None


def insert(session: Session, user: User, secret: str, old_hash: str | None) -> LoginSession:
    """The row of a new session of an account whose row is locked; the session that the client had before ends."""
    longest, _ = _lasts()
    # Deleted by their keys: a search would wait for every row that is locked.
    over = [
        *session.scalars(
            select(LoginSession.id).where(LoginSession.secret_hash == (old_hash or ""))
        ),
        *session.scalars(
            select(LoginSession.id).where(LoginSession.created_at < now() - longest).limit(MOST)
        ),
        *session.scalars(
            select(LoginSession.id)
            .where(LoginSession.user_id == user.id)
            .order_by(LoginSession.id.desc())
            .offset(MOST - 1)
            .limit(MOST)
        ),
    ]
    session.execute(delete(LoginSession).where(LoginSession.id.in_(over)))
    opened = LoginSession(
        secret_hash=hash_of(secret),
        user_id=user.id,
        address=(request.remote_addr or "")[:64] or None,
        user_agent=printable(request.headers.get("User-Agent", ""))[:MAX_AGENT] or None,
    )
    session.add(opened)
    session.flush()
    return opened


def hold(user: User, opened: LoginSession, secret: str) -> datetime:
    """Give the client the cookie of a session that was opened; returns when the session ends."""
    known = known_client(user.username) or secrets.token_urlsafe(12)
    cookie.clear()  # what was put there before signing in must not survive it
    cookie[_KNOWN] = [_digest(user.username), known]
    account = Account(
        user.id, user.username, user.role, user.created_at, user.totp_secret is not None
    )
    login_user(SignedIn(account, session_id=opened.id, secret=secret))
    return end_of(opened.created_at, opened.last_seen_at)


def known_client(username: str) -> str | None:
    """The mark of a browser that has been signed in to this very account before, though its session is over; None for
    any other. It gives no right, but tells its owner from strangers who fail at the name."""
    found = cookie.get(_KNOWN)
    if (
        isinstance(found, list)
        and len(found) == 2
        and usernames.possible(username)
        and found[0] == _digest(username)
    ):
        return str(found[1])
    return None


def _digest(username: str) -> str:
    return hash_of(usernames.canonical(username))[:16]


def still_open(session: Session, user: User | None, session_id: int) -> None:
    """Raises 401 where a session is over, or its account, whose row is locked, has been shut out meanwhile."""
    if user is None or not user.active or session.get(LoginSession, session_id) is None:
        raise Problem(
            401, "you were signed out while this was at work; nothing was stored", CHALLENGE
        )


@with_session
def end_own(session: Session, user_id: int, session_id: int, username: str, action: str) -> bool:
    """End a session of this account; returns whether there was such a one."""
    ended = (
        session.execute(
            delete(LoginSession).where(
                LoginSession.id == session_id, LoginSession.user_id == user_id
            )
        ).rowcount
        > 0
    )
    if ended:
        events.note(session, action, username, actor=username)
    return ended


def close(session_id: int, action: str) -> bool:
    """End one of the sessions of who is signed in; a copy of its cookie is worth nothing from now on. False where the
    account has no such session."""
    ended = db.write(end_own, current_user.id, session_id, current_user.username, action)
    if session_id == current_user.session_id:
        logout_user()
        cookie.clear()
    return ended


# -- the open ones ------------------------------------------------------------------------------------------------


def open_of(user_id: int, limit: int, offset: int) -> tuple[list[dict], int]:
    """A page of an account's open sessions, newest first, and how many there are."""
    longest, idle = (now() - lasts for lasts in _lasts())
    since = {"user_id": user_id, "created_after": longest, "seen_after": idle}
    with db.read() as connection:
        total = connection.execute(_OPEN_NUMBER, since).scalar_one()
        rows = connection.execute(_OPEN, {**since, "limit": limit, "offset": offset}).all()
    return [_described(*row) for row in rows], total


def _described(
    session_id: int, created_at: str, last_seen_at: str, address: str | None, agent: str | None
) -> dict:
    end = end_of(datetime.fromisoformat(created_at), datetime.fromisoformat(last_seen_at))
    return {
        "id": session_id,
        "created_at": created_at,
        "last_seen_at": last_seen_at,
        "expires_at": written(end),
        "address": address,
        "user_agent": agent,
        "current": session_id == current_user.session_id,
    }


_IS_OPEN = (
    LoginSession.user_id == bindparam("user_id"),
    LoginSession.created_at > bindparam("created_after"),
    LoginSession.last_seen_at > bindparam("seen_after"),
)
_OPEN_NUMBER = select(func.count()).select_from(LoginSession).where(*_IS_OPEN)
_OPEN = (
    select(
        LoginSession.id,
        rfc3339(LoginSession.created_at),
        rfc3339(LoginSession.last_seen_at),
        LoginSession.address,
        LoginSession.user_agent,
    )
    .where(*_IS_OPEN)
    .order_by(LoginSession.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
