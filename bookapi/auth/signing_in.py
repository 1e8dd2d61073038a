"""Signing in: a name, a password, perhaps a code; and showing the password again for what matters most."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from flask_login import current_user
from sqlalchemy.orm import Session

from ..db import db
from ..http.problems import Problem
from . import accounts, events, line, mfa, passwords, sessions
from .bridge import with_session
from .models import User
from .permissions import CHALLENGE
from .throttle import Attempt

_WRONG_CODE = "the code is wrong, or was used already: take the next one"


class Refused(Exception):
    """Not this time; the reason is for the trail. What is wrong with a code is told to who knew the password."""

    def __init__(self, reason: str, told: str = "wrong username or password"):
        super().__init__(reason)
        self.reason, self.told = reason, told


class Compared(NamedTuple):
    """An account, or none, and what became of the password; `new_hash` where the kept one wants to be made anew."""

    account: User | None
    right: bool
    new_hash: str | None


def sign_in(username: str, password: str, code: str | None) -> tuple[User, datetime]:
    """The account, signed in by a new session, and when that ends; 401 or 429."""
    attempt = _attempt(username)
    compared = _compare(attempt, username, password)
    secret, old_hash = sessions.new_secret()
    try:
        if not compared.right:
            raise Refused("wrong password" if compared.account else "unknown name")
        if not compared.account.active:
            raise Refused("disabled")
        user, opened = db.write(_open, attempt, compared, password, code, secret, old_hash)
    except Refused as refused:
        _note_refusal(attempt, username, refused)
        raise Problem(401, refused.told, CHALLENGE) from None
    return user, sessions.hold(user, opened, secret)


def _attempt(username: str) -> Attempt:
    """An attempt at a name. From a browser that was signed in to this very account failures are counted by themselves:
    others, who fail at the name, cannot keep its owner out."""
    client = sessions.known_client(username)
    return Attempt("client", client) if client else Attempt.at_name(username)


def _compare(attempt: Attempt, username: str, password: str) -> Compared:
    """Compare the password: checked and counted before it is hashed, and the same work for whom there is no account."""
    attempt.refuse_blocked()
    with line.of().place():
        attempt.count()
        with db.read() as connection, Session(connection) as session:
            account = accounts.find(session, username)
        right = passwords.matches(account and account.password_hash, password)
        outdated = right and passwords.is_outdated(account.password_hash)
        return Compared(account, right, passwords.make_hash(password) if outdated else None)


@with_session
def _open(
    session: Session,
    attempt: Attempt,
    compared: Compared,
    password: str,
    code: str | None,
    secret: str,
    old_hash: str | None,
) -> tuple:
    user = accounts.locked(session, compared.account.id)
    if (
        user is None
        or not user.active
        or not _is_password_still(user.password_hash, compared, password)
    ):
        raise Refused("changed meanwhile")
    how = _second_factor(session, user, code)
    user.provisional = False
    user.password_hash = compared.new_hash or user.password_hash
    attempt.forgive(session)
    opened = sessions.insert(session, user, secret, old_hash)
    events.note(session, events.LOGIN, user.username, actor=user.username, detail=how)
    return user, opened


def _is_password_still(kept: str, compared: Compared, password: str) -> bool:
    """Whether the hash is the one that was compared; or one that another sign-in at the same moment made anew of the
    same password, as happens once where its parameters had changed."""
    return kept == compared.account.password_hash or (
        compared.new_hash is not None and passwords.matches(kept, password)
    )


def _second_factor(session: Session, user: User, code: str | None) -> str | None:
    """Use up the code of an account that has a second factor; how it was proved, for the trail."""
    if user.totp_secret is None:
        return None
    if not code:
        raise Refused("no code", "this account has a second factor: send its code, too")
    how = mfa.spend(user, code)
    if how is None:
        raise Refused("wrong code", _WRONG_CODE)
    if how == "recovery":
        left = len(user.recovery_hashes)
        events.note(
            session, events.RECOVERY_USED, user.username, actor=user.username, detail=f"{left} left"
        )
    return f"with a code ({how})"


def _note_refusal(attempt: Attempt, username: str, refused: Refused) -> None:
    @with_session
    def operation(session: Session) -> None:
        name = events.attempted(username, accounts.find(session, username))
        attempt.failed(session, events.LOGIN_REFUSED, name, refused.reason)

    db.write(operation)


def confirm_code(operation: Callable, *args: Any) -> None:
    """Write a unit that uses up a code of who is signed in; 403 where it returns False, 429 after too many."""
    attempt = Attempt("code", current_user.id)
    attempt.refuse_blocked()
    attempt.count()
    try:
        right = db.write(operation, *args)
    except Problem:  # no code was looked at
        db.write(attempt.take_back)
        raise
    if not right:
        db.write(attempt.failed, events.PASSWORD_REFUSED, current_user.username, "wrong code")
        raise Problem(403, _WRONG_CODE)
    db.write(attempt.forgive)


def confirm_password(password: str) -> str:
    """The hash of who is signed in, whose password this is; 403 where it is another one, 429 after too many."""
    attempt = Attempt("password", current_user.id)
    compared = _compare(attempt, current_user.username, password)
    if not compared.right:
        db.write(attempt.failed, events.PASSWORD_REFUSED, current_user.username, "wrong password")
        raise Problem(403, "the current password is wrong")
    db.write(attempt.forgive)
    return compared.account.password_hash
