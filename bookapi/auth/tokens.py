"""API tokens: keys for programs. What is kept of one is a hash; its beginning tells scanners of secrets what it is."""

import base64
import hmac
import re
import secrets
import string
from contextlib import suppress
from datetime import datetime

from flask import Flask
from sqlalchemy import bindparam, delete, func, or_, select
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from ..db import db, now, rfc3339
from ..http.problems import Problem
from . import events, usernames
from .bridge import with_session
from .identity import SignedIn, account_columns, account_of
from .models import Token, User
from .sessions import SEEN_EVERY, TOUCH_SECONDS, hash_of, still_open

PREFIX = "bookapi_"
RANDOM, MARK = (
    43,
    11,
)  # characters of base 62: 256 bits, and 64 of a mark that only this service can make
PATTERN = re.compile(f"{PREFIX}[0-9A-Za-z]{{{RANDOM + MARK}}}")
MOST = 100  # of an account
_DIGITS = string.digits + string.ascii_letters


def new_secret(app: Flask) -> str:
    """A secret that nobody guesses, with this service's mark at its end."""
    random = "".join(secrets.choice(_DIGITS) for _ in range(RANDOM))
    return f"{PREFIX}{random}{_mark(app, random)}"


def _mark(app: Flask, random: str) -> str:
    digest = hmac.digest(
        app.config["SECRET_KEY"].encode(), b"API token\0" + random.encode(), "sha256"
    )
    number, mark = int.from_bytes(digest[:8]), ""
    for _ in range(MARK):
        number, digit = divmod(number, len(_DIGITS))
        mark += _DIGITS[digit]
    return mark


def given_in(authorization: str) -> tuple[str | None, str]:
    """(username, token) of an Authorization header: Basic has both, Bearer no name. What is neither is ("", "")."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return None, rest.strip()
    with suppress(ValueError):
        given = base64.b64decode(rest.strip(), validate=True).decode()
        name, colon, password = given.rpartition(":")
        if not PATTERN.fullmatch(password):  # a username may hold a colon, a token none
            name, colon, password = given.partition(":")
        if colon:
            return name, password
    return "", ""


def is_ours(app: Flask, authorization: str) -> bool:
    """Whether an Authorization header brings a token that this service made. Whether it still holds is not looked at:
    this asks no database, and may be asked of every request."""
    secret = given_in(authorization)[1]
    if not PATTERN.fullmatch(secret):
        return False
    random, mark = secret[len(PREFIX) : -MARK], secret[-MARK:]
    return hmac.compare_digest(_mark(app, random), mark)


# -- using one ----------------------------------------------------------------------------------------------------


def load(secret: str, username: str | None = None) -> SignedIn | None:
    """Whose token this is, if it holds and the account is active, and of that name where one is given."""
    if not PATTERN.fullmatch(secret):
        return None
    with db.read() as connection:
        rows = connection.execute(_HELD, {"secret_hash": hash_of(secret)}).all()
    if not rows:
        return None
    token_id, scope, expires_at, used_at, *account = rows[0]
    if expires_at is not None and datetime.fromisoformat(expires_at) <= now():
        return None
    signed_in = SignedIn(account_of(*account), token_id=token_id, scope=scope)
    if username is not None and not usernames.same(username, signed_in.username):
        return None
    if used_at is None or datetime.fromisoformat(used_at) < now() - SEEN_EVERY:
        with suppress(HTTPException):  # where it cannot be written now, the request goes on without
            db.write(_used, token_id, signed_in.username, wait=TOUCH_SECONDS)
    return signed_in


_HELD = (
    select(
        Token.id,
        Token.scope,
        rfc3339(Token.expires_at),
        rfc3339(Token.last_used_at),
        *account_columns(),
    )
    .join(User, User.id == Token.user_id)
    .where(Token.secret_hash == bindparam("secret_hash"), User.active)
)


@with_session
def _used(session: Session, token_id: int, username: str) -> None:
    token = session.get(
        Token, token_id, with_for_update={"skip_locked": True}
    )  # it may be at work elsewhere
    if token is not None:
        if token.last_used_at is None:
            events.note(session, events.TOKEN_USED, username, actor=username, detail=_named(token))
        token.last_used_at = now()


def _named(token: Token) -> str:
    return f"{token.name} ({token.scope}, id {token.id})"


# -- making, listing, revoking ------------------------------------------------------------------------------------


@with_session
def add(session: Session, user_id: int, session_id: int, values: dict, secret: str) -> Token:
    """A new token of an account whose session is still open; `values`: name, scope, expires_at."""
    user = session.get(User, user_id, with_for_update=True)
    still_open(session, user, session_id)
    held = session.scalar(
        select(func.count())
        .select_from(Token)
        .where(Token.user_id == user_id, or_(Token.expires_at.is_(None), Token.expires_at > now()))
    )
    if held >= MOST:
        raise Problem(409, f"an account may have {MOST} tokens; revoke one first")
    token = Token(user_id=user_id, secret_hash=hash_of(secret), **values)
    session.add(token)
    session.flush()
    events.note(
        session, events.TOKEN_ADDED, user.username, actor=user.username, detail=_named(token)
    )
    return token


@with_session
def revoke(session: Session, user_id: int, token_id: int, username: str) -> bool:
    """Revoke a token of this account; returns whether there was such a one."""
    token = session.get(Token, token_id, with_for_update=True)
    if token is None or token.user_id != user_id:
        return False
    session.execute(delete(Token).where(Token.id == token_id))
    events.note(session, events.TOKEN_REVOKED, username, actor=username, detail=_named(token))
    return True


def list_of(user_id: int, limit: int, offset: int) -> tuple[list[dict], int]:
    """A page of an account's tokens, newest first, and how many it has."""
    with db.read() as connection:
        [(total,)] = connection.execute(_NUMBER, {"user_id": user_id}).all()
        rows = connection.execute(
            _LIST, {"user_id": user_id, "limit": limit, "offset": offset}
        ).all()
    names = ("id", "name", "scope", "created_at", "expires_at", "last_used_at")
    return [dict(zip(names, row)) for row in rows], total


_NUMBER = select(func.count()).select_from(Token).where(Token.user_id == bindparam("user_id"))
_LIST = (
    select(
        Token.id,
        Token.name,
        Token.scope,
        rfc3339(Token.created_at),
        rfc3339(Token.expires_at),
        rfc3339(Token.last_used_at),
    )
    .where(Token.user_id == bindparam("user_id"))
    .order_by(Token.id.desc())
    .limit(bindparam("limit"))
    .offset(bindparam("offset"))
)
