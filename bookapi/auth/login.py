"""Signing in with a name, a password and perhaps a code; and proving one of these again."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from sqlalchemy import update
from sqlalchemy.engine import Connection

from ..db import db
from ..http.problems import Problem
from . import accounts, audit, mfa, passwords, sessions
from .audit import Action
from .models import Account, User
from .permissions import CHALLENGE, current_account
from .throttle import Attempt

_WRONG_CODE = "the code is wrong or was used already; wait for the next one"


class Refused(Exception):
    """A sign-in fails. `reason` is for the audit log, `detail` for the client: only somebody who
    knows the password learns what is wrong with a code.
    """

    def __init__(self, reason: str, detail: str = "wrong username or password"):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def sign_in(username: str, password: str, code: str | None) -> tuple[Account, datetime]:
    """Open a session: the account, and when the session ends. Raises 401, or 429 after too many
    failures.
    """
    browser = sessions.known_browser(username)
    # A known browser has its own counter: strangers who fail at the name do not keep the account's
    # owner out.
    attempt = Attempt("client", browser) if browser else Attempt.at_name(username)
    try:
        account, new_hash = _compare(attempt, username, password)
        if not account.active:
            raise Refused("disabled")
        secret, replaced = sessions.new_secret(account.username), sessions.replaced_hash()
        signed_in: tuple[Account, datetime] = attempt.write(
            _open, attempt, account, new_hash, password, code, secret, replaced
        )
    except Refused as refused:
        db.write(_record_refusal, attempt, username, refused.reason)
        raise Problem(401, refused.detail, CHALLENGE) from None
    sessions.send_cookie(secret)
    return signed_in


def _compare(attempt: Attempt, username: str, password: str) -> tuple[Account, str | None]:
    """The account whose password this is, and its new hash if the parameters have changed.

    Raises Refused for a wrong password, and as late for an unknown name. The attempt is counted
    before anything is hashed.
    """
    attempt.refuse_blocked()
    with db.read() as connection:
        account = accounts.find(connection, username)
    attempt.count()
    is_right = passwords.matches(account.password_hash if account else None, password)
    if account is None or not is_right:
        raise Refused("wrong password" if account else "unknown name")
    outdated = passwords.is_outdated(account.password_hash)
    return account, passwords.make_hash(password) if outdated else None


def _open(
    connection: Connection,
    attempt: Attempt,
    compared: Account,
    new_hash: str | None,
    password: str,
    code: str | None,
    secret: str,
    replaced: str,
) -> tuple[Account, datetime]:
    user = accounts.locked(connection, compared.id)
    if user is None or not user.active:
        raise Refused("changed meanwhile")
    if user.password_hash != compared.password_hash and not (
        # A parallel sign-in hashed the same password anew because the parameters have changed.
        new_hash and passwords.matches(user.password_hash, password)
    ):
        raise Refused("changed meanwhile")
    proof = _use_code(connection, user, code)
    changed = {"provisional": False, "password_hash": new_hash or user.password_hash}
    connection.execute(update(User).where(User.id == user.id).values(**changed))
    attempt.forgive(connection)
    expires_at = sessions.open_session(connection, user, secret, replaced)
    audit.record(connection, Action.LOGIN, user.username, user.username, proof)
    return user, expires_at


def _use_code(connection: Connection, user: Account, code: str | None) -> str | None:
    """Use up the code of an account with a second factor; returns how it was proved."""
    if user.totp_secret is None:
        return None
    if not code:
        raise Refused("no code", "this account has a second factor: send its code, too")
    proof = mfa.spend(connection, user, code)
    if proof is None:
        raise Refused("wrong code", _WRONG_CODE)
    if proof.startswith("recovery"):
        audit.record(connection, Action.RECOVERY_CODE_USED, user.username, user.username, proof)
    return f"with a code ({proof})"


def _record_refusal(connection: Connection, attempt: Attempt, username: str, reason: str) -> None:
    name = audit.attempted_name(username, accounts.find(connection, username))
    attempt.failed(connection, Action.LOGIN_REFUSED, name, reason)


def confirm_code(operation: Callable[..., bool], *args: Any) -> None:
    """Run an operation that uses up a code of the account that sends the request. Raises 403 where
    it returns False, and 429 after too many wrong codes.
    """
    attempt = Attempt("code", current_account.id)
    attempt.refuse_blocked()
    attempt.count()
    if not attempt.write(operation, *args):
        _refuse(attempt, "wrong code", _WRONG_CODE)
    attempt.write(attempt.forgive)


def confirm_password(password: str) -> str:
    """The hash of the account that sends the request, whose password this is. Raises 403 where it
    is another one, and 429 after too many wrong ones.
    """
    attempt = Attempt("password", current_account.id)
    try:
        account, _ = _compare(attempt, current_account.username, password)
    except Refused as refused:
        _refuse(attempt, refused.reason, "the current password is wrong")
    attempt.write(attempt.forgive)
    return str(account.password_hash)


def _refuse(attempt: Attempt, reason: str, detail: str) -> NoReturn:
    db.write(attempt.failed, Action.PASSWORD_REFUSED, current_account.username, reason)
    raise Problem(403, detail)
