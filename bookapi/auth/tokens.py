"""API tokens: secrets for programs, of which the hash is kept. Their prefix lets secret scanners
recognise them.
"""

import hashlib
import re
import secrets
import string
from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import request
from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.engine import Connection
from werkzeug.exceptions import HTTPException

from ..db import db, fetch, now, rfc3339
from ..http.problems import Problem
from . import accounts, audit, usernames
from .audit import Action
from .models import AnyRow, Token, User, insert_row, read_page
from .permissions import ACCOUNT, SignedIn
from .sessions import seen_interval
from .throttle import Attempt

PREFIX = "bookapi_"
LENGTH = 54  # characters of base 62: 321 bits
PATTERN = re.compile(f"{PREFIX}[0-9A-Za-z]{{{LENGTH}}}")
MAX_TOKENS = 100  # of an account
CHALLENGES = {
    "bearer": 'Bearer realm="bookapi", error="invalid_token"',
    "basic": 'Basic realm="bookapi", charset="UTF-8"',
}


def new_secret() -> str:
    """A random secret."""
    digits = string.digits + string.ascii_letters
    return PREFIX + "".join(secrets.choice(digits) for _ in range(LENGTH))


def hash_of(secret: str) -> str:
    """The hash that is kept of a secret; it has so many bits that a plain one is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


# -- using one -------------------------------------------------------------------------------------


def authenticate() -> SignedIn | None:
    """The owner of the token in the Authorization header: Bearer (RFC 6750), or Basic with its
    username (RFC 7617).

    None where there is no header or its scheme is another one. Raises 401 where the token is not
    valid, and 429 after too many wrong ones; a valid token never has to wait, since it cannot be
    guessed.
    """
    scheme = request.headers.get("Authorization", "").strip().partition(" ")[0].lower()
    if scheme not in CHALLENGES:
        return None
    username, secret = _given()
    found = _load(secret, username)
    if found is not None:
        return found
    if username:
        _count_failure(username)
    else:
        audit.log(Action.TOKEN_REFUSED)
    raise Problem(
        401,
        "no such API token, or it has expired; with Basic send its owner's username, and the token "
        "as the password",
        {"WWW-Authenticate": CHALLENGES[scheme]},
    )


def _given() -> tuple[str | None, str]:
    """(username, secret) in the header: Basic has both, Bearer no username."""
    # werkzeug raises ValueError for Basic with anything but ASCII.
    given = request.authorization if request.headers["Authorization"].isascii() else None
    if given is None:
        return None, ""
    if given.type == "basic":
        # A username may contain a colon, a token does not.
        username, _, secret = f"{given.username}:{given.password}".rpartition(":")
        return username, secret
    return None, given.token or ""


def _load(secret: str, username: str | None) -> SignedIn | None:
    if not PATTERN.fullmatch(secret):
        return None
    secret_hash = hash_of(secret)
    with db.read() as connection:
        rows = fetch(connection, _BY_SECRET, {"secret_hash": secret_hash})
    if not rows:
        return None
    token_id, scope, expires_at, used_at, *account = rows[0]
    if expires_at is not None and datetime.fromisoformat(expires_at) <= now():
        return None
    signed_in = SignedIn.of(tuple(account), secret_hash, token_id=token_id, scope=scope)
    if username is not None and not usernames.is_same(username, signed_in.username):
        return None
    if used_at is None or datetime.fromisoformat(used_at) < now() - seen_interval():
        with suppress(HTTPException):  # not written while the database is busy
            db.write(_touch, token_id, signed_in.username, wait=0.05)
    return signed_in


_BY_SECRET = (
    select(
        Token.id,
        Token.scope,
        rfc3339(Token.expires_at),
        rfc3339(Token.last_used_at),
        *ACCOUNT,
    )
    .join(User, User.id == Token.user_id)
    .where(Token.secret_hash == bindparam("secret_hash"), User.active)
)


def _touch(connection: Connection, token_id: int, username: str) -> None:
    # Skipped while a change by this token is in progress, which keeps its row locked.
    row = select(Token).where(Token.id == token_id).with_for_update(skip_locked=True)
    token = connection.execute(row).one_or_none()
    if token is not None:
        if token.last_used_at is None:
            audit.record(connection, Action.TOKEN_FIRST_USED, username, username, _described(token))
        connection.execute(update(Token).where(Token.id == token_id).values(last_used_at=now()))


def _count_failure(username: str) -> None:
    """Count a wrong token with a username as a wrong password for it. The work is the same for
    unknown names.
    """
    attempt = Attempt.at_name(username)
    attempt.refuse_blocked()
    attempt.count()
    db.write(_record_failure, attempt, username)


def _record_failure(connection: Connection, attempt: Attempt, username: str) -> None:
    account = accounts.find(connection, username)
    name = audit.attempted_name(username, account)
    detail = "not a token of this account" if account else "unknown name"
    attempt.failed(connection, Action.TOKEN_REFUSED, name, detail)


def _described(token: AnyRow) -> str:
    return f"{token.name} ({token.scope}, id {token.id})"


# -- creating, listing, revoking -------------------------------------------------------------------


def add(connection: Connection, by: SignedIn, values: dict[str, Any], secret: str) -> AnyRow:
    """A new token of the account that sends the request; `values`: name, scope, expires_at. 409
    beyond MAX_TOKENS.
    """
    accounts.locked(connection, by.id)
    by.confirm_signed_in(connection)
    valid = or_(Token.expires_at.is_(None), Token.expires_at > now())
    count = select(func.count()).where(Token.user_id == by.id, valid)
    if (connection.scalar(count) or 0) >= MAX_TOKENS:
        raise Problem(409, f"an account can have {MAX_TOKENS} tokens; revoke one first")
    row = {"user_id": by.id, "secret_hash": hash_of(secret), **values}
    token_id = insert_row(connection, Token, **row)
    token = connection.execute(select(Token).where(Token.id == token_id)).one()
    audit.record(connection, Action.TOKEN_ADDED, by.username, by.username, _described(token))
    return token


def revoke(connection: Connection, by: SignedIn, token_id: int) -> bool:
    """Revoke a token of the account that sends the request; False where it has no such token."""
    token = connection.execute(
        select(Token).where(Token.id == token_id, Token.user_id == by.id).with_for_update()
    ).one_or_none()
    if token is None:
        return False
    connection.execute(delete(Token).where(Token.id == token_id))
    audit.record(connection, Action.TOKEN_REVOKED, by.username, by.username, _described(token))
    return True


def read_all(user_id: int, limit: int, offset: int) -> tuple[list[AnyRow], int]:
    """A page of an account's tokens, newest first, and their number on all pages."""
    statement = select(Token).where(Token.user_id == user_id).order_by(Token.id.desc())
    return read_page(statement, limit, offset)
