"""Signing in with a name, a password and perhaps a code; and proving the password or a code again."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from flask_login import current_user
from sqlalchemy import Row, update
from sqlalchemy.engine import Connection

from ..db import db
from ..http.problems import Problem
from . import accounts, audit, mfa, passwords, sessions
from .audit import Action
from .models import User
from .permissions import CHALLENGE
from .throttle import Attempt

_WRONG_CODE = "the code is wrong or was used already; wait for the next one"


class Refused(Exception):
    """A sign-in fails. `reason` is for the audit log, `detail` for the client: only somebody who knows the password is
    told what is wrong with a code."""

    def __init__(self, reason: str, detail: str = "wrong username or password"):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class Compared(NamedTuple):
    """The account of a name, whether the password is right, and its new hash where the parameters have changed."""

    account: Row[Any] | None
    is_right: bool
    new_hash: str | None


def sign_in(username: str, password: str, code: str | None) -> tuple[Row[Any], datetime]:
    """Open a session: the account, and when the session ends. Raises 401, or 429 after too many failures."""
    browser = sessions.known_browser(username)
    # A known browser has its own counter: strangers who fail at the name do not keep the account's owner out.
    attempt = Attempt("client", browser) if browser else Attempt.at_name(username)
    compared = _compare(attempt, username, password)
    secret, replaced = sessions.new_secret(username), sessions.replaced_hash()
    try:
        if compared.account is None or not compared.is_right:
            raise Refused("wrong password" if compared.account else "unknown name")
        if not compared.account.active:
            raise Refused("disabled")
        signed_in: tuple[Row[Any], datetime] = attempt.write(
            _open, attempt, compared, password, code, secret, replaced
        )
    except Refused as refused:
        db.write(_record_refusal, attempt, username, refused.reason)
        raise Problem(401, refused.detail, CHALLENGE) from None
    sessions.send_cookie(secret)
    return signed_in


def _compare(attempt: Attempt, username: str, password: str) -> Compared:
    """Compare the password, counted before it is hashed; with the same work for an unknown name."""
    attempt.refuse_blocked()
    with db.read() as connection:
        account = accounts.find(connection, username)
    attempt.count()
    is_right = passwords.matches(account.password_hash if account else None, password)
    outdated = account is not None and is_right and passwords.is_outdated(account.password_hash)
    return Compared(account, is_right, passwords.make_hash(password) if outdated else None)


def _open(
    connection: Connection,
    attempt: Attempt,
    compared: Compared,
    password: str,
    code: str | None,
    secret: str,
    replaced: str,
) -> tuple[Row[Any], datetime]:
    assert compared.account is not None
    user = accounts.locked(connection, compared.account.id)
    if user is None or not user.active or not _is_same(user.password_hash, compared, password):
        raise Refused("changed meanwhile")
    proof = _use_code(connection, user, code)
    connection.execute(
        update(User)
        .where(User.id == user.id)
        .values(provisional=False, password_hash=compared.new_hash or user.password_hash)
    )
    attempt.forgive(connection)
    expires_at = sessions.open_session(connection, user, secret, replaced)
    audit.record(connection, Action.LOGIN, user.username, user.username, proof)
    return user, expires_at


def _is_same(stored: str, compared: Compared, password: str) -> bool:
    """Whether this is the hash that was compared, or one that a parallel sign-in made of the same password because the
    parameters had changed."""
    assert compared.account is not None
    return stored == compared.account.password_hash or (
        compared.new_hash is not None and passwords.matches(stored, password)
    )


def _use_code(connection: Connection, user: Row[Any], code: str | None) -> str | None:
    """Use up the code of an account with a second factor; returns how it was proved."""
    if user.totp_secret is None:
        return None
    if not code:
        raise Refused("no code", "this account has a second factor: send its code, too")
    proof = mfa.spend(connection, user, code)
    if proof is None:
        raise Refused("wrong code", _WRONG_CODE)
    if proof.startswith("recovery"):
        audit.record(connection, Action.RECOVERY_USED, user.username, user.username, proof)
    return f"with a code ({proof})"


def _record_refusal(connection: Connection, attempt: Attempt, username: str, reason: str) -> None:
    name = audit.attempted_name(username, accounts.find(connection, username))
    attempt.failed(connection, Action.LOGIN_REFUSED, name, reason)


def confirm_code(operation: Callable[..., bool], *args: Any) -> None:
    """Run an operation that uses up a code of the account that sends the request. Raises 403 where it returns False, and
    429 after too many wrong codes."""
    attempt = Attempt("code", current_user.id)
    attempt.refuse_blocked()
    attempt.count()
    if not attempt.write(operation, *args):
        _refuse(attempt, "wrong code", _WRONG_CODE)
    db.write(attempt.forgive)


def confirm_password(password: str) -> str:
    """The hash of the account that sends the request, whose password this is. Raises 403 where it is another one, and 429
    after too many wrong ones."""
    attempt = Attempt("password", current_user.id)
    compared = _compare(attempt, current_user.username, password)
    if compared.account is None or not compared.is_right:
        _refuse(attempt, "wrong password", "the current password is wrong")
    attempt.write(attempt.forgive)
    return str(compared.account.password_hash)


def _refuse(attempt: Attempt, reason: str, detail: str) -> NoReturn:
    db.write(attempt.failed, Action.PASSWORD_REFUSED, current_user.username, reason)
    raise Problem(403, detail)
