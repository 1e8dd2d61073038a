"""What is done with accounts: units for `db.write`, and the look-ups that signing in needs.

`by` is who does it (None: the console). A unit that takes one confirms that it still may, and takes the catalogue's row
first: its lock puts such changes in order, so that of two admins who demote each other the second one is refused.
"""

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from ..db import Catalogue
from ..db import locked as take_turn
from ..http.problems import Problem
from . import events, lookalikes, mfa, passwords, sessions, usernames
from .bridge import with_session
from .models import ADMIN, LoginSession, Token, User
from .permissions import Actor


class AccountError(ValueError):
    """What cannot be done with an account, in words for whoever asked; `field` is what it is about."""

    def __init__(self, field: str, detail: str):
        super().__init__(f"{field} {detail}")
        self.field, self.detail = field, detail


class Taken(AccountError):
    """The name is another account's already, or looks like it."""


class LastAdmin(AccountError):
    """Nobody could administer the service any more."""

    def __init__(self) -> None:
        super().__init__("username", "is that of the last active admin; make another one first")


# -- looking up ---------------------------------------------------------------------------------------------------


def find(session: Session, username: str) -> User | None:
    """The account of that name, however it is spelt."""
    if not usernames.possible(username):
        return None
    name_key = usernames.canonical(username)
    user = session.scalar(select(User).where(User.name_key == name_key))
    return (
        user if user and user.name_key == name_key else None
    )  # MySQL does not see a space at the end


def existing(session: Session, username: str) -> User:
    """The account of that name; raises AccountError where there is none."""
    user = find(session, username)
    if user is None:
        raise AccountError("username", f"is no account's: {username}")
    return user


def locked(session: Session, user_id: int) -> User | None:
    """The account of that id as it is now and stays until the commit."""
    return session.get(User, user_id, with_for_update=True)


def page_of(session: Session, limit: int, offset: int) -> tuple[list[User], int]:
    """A page of all accounts, oldest first, and how many there are."""
    users = session.scalars(select(User).order_by(User.id).limit(limit).offset(offset)).all()
    return list(users), session.scalar(select(func.count()).select_from(User))


def list_all(session: Session) -> list[User]:
    """Every account, oldest first."""
    return list(session.scalars(select(User).order_by(User.id)))


def has_admin(session: Session) -> bool:
    """Whether anybody can administer the service."""
    return (
        session.scalar(
            select(func.count()).select_from(User).where(User.role == ADMIN, User.active)
        )
        > 0
    )


# -- adding -------------------------------------------------------------------------------------------------------


@with_session
def add(
    session: Session,
    username: str,
    password_hash: str,
    role: str,
    provisional: bool = False,
    by: Actor | None = None,
) -> User:
    """A new account. One that `init` made and nobody has used yet is taken over."""
    _begin(session, by)
    user = find(session, username)
    refuse_taken(session, username, user, role)
    if user is None:
        user = User(id=_next_id(session), username=username, name_key=usernames.canonical(username))
        session.add(user)
    user.password_hash, user.role, user.provisional, user.active = (
        password_hash,
        role,
        provisional,
        True,
    )
    session.flush()
    _note(session, events.USER_ADDED, user, by, f"role {role}")
    return user


def _next_id(session: Session) -> int:
    """An id that no account ever had: SQLite by itself would give that of one that was deleted to the next."""
    catalogue = session.get(Catalogue, 1, populate_existing=True)
    catalogue.last_user_id += 1
    return catalogue.last_user_id


def refuse_taken(session: Session, username: str, user: User | None, role: str) -> None:
    """Raises Taken where a new account cannot have this name: `user` has it, or that of another looks like it."""
    if user is not None:
        if user.provisional and user.role == role:
            return
        raise Taken("username", f"is taken: {user.username}")
    look = lookalikes.skeletons(username)
    for other in session.scalars(select(User.username)):
        if look & lookalikes.skeletons(other):
            raise Taken("username", f"looks like one that is taken: {other}")


def check_name(username: str) -> None:
    """Raises AccountError for a name that no account may have."""
    detail = usernames.fault(username)
    if detail:
        raise AccountError("username", detail)


def check_password(username: str, password: str) -> None:
    """Raises AccountError for a password that this account may not have."""
    detail = passwords.fault(password, username)
    if detail:
        raise AccountError("password", detail)


# -- changing -----------------------------------------------------------------------------------------------------


@with_session
def change(session: Session, user_id: int, values: dict[str, Any], by: Actor | None = None) -> User:
    """The account with another role, active or not, or with another password's hash; 404 where there is none.

    What takes a right away ends its sessions. Raises LastAdmin where nobody could administer the service then.
    """
    _begin(session, by)
    user = locked(session, user_id) or _missing()
    was_admin = _administers(user)
    if values.get("role", user.role) != user.role:
        _set_role(session, user, values["role"], by)
    if values.get("active", user.active) != user.active:
        user.active = values["active"]
        _note(session, events.USER_ENABLED if user.active else events.USER_DISABLED, user, by)
        _end_sessions(session, user)
    if "password_hash" in values:
        _set_password(session, user, values["password_hash"], by)
    if was_admin and not _administers(user):
        _refuse_last_admin(session)
    return user


def _administers(user: User) -> bool:
    return user.role == ADMIN and user.active


@with_session
def change_named(session: Session, username: str, values: dict[str, Any]) -> User:
    """`change` for the console, which knows accounts by their names."""
    return change(session, existing(session, username).id, values)


def _set_role(session: Session, user: User, role: str, by: Actor | None) -> None:
    _note(session, events.ROLE_CHANGED, user, by, f"from {user.role} to {role}")
    user.role = role
    _end_sessions(session, user)


def _set_password(session: Session, user: User, password_hash: str, by: Actor | None) -> None:
    user.password_hash, user.provisional = password_hash, False
    # Whoever changes his own so stays signed in: he is the one who knows the new one.
    _end_sessions(session, user, keep=by.session_id if by and by.user_id == user.id else None)
    _note(session, events.PASSWORD_CHANGED, user, by)


@with_session
def remove(session: Session, user_id: int, by: Actor | None = None) -> None:
    """No such account any more, nor its sessions and tokens; the history keeps its name. 404 where there is none."""
    _begin(session, by)
    user = locked(session, user_id) or _missing()
    session.delete(user)
    _note(session, events.USER_DELETED, user, by)
    if _administers(user):
        _refuse_last_admin(session)


@with_session
def end_sessions(session: Session, user_id: int, by: Actor | None = None) -> None:
    """All sessions of the account are over; 404 where there is none."""
    _begin(session, by)
    user = locked(session, user_id) or _missing()
    _end_sessions(session, user)
    _note(session, events.SESSIONS_ENDED, user, by)


@with_session
def revoke_tokens(session: Session, user_id: int, by: Actor | None = None) -> None:
    """All API tokens of the account are revoked; 404 where there is no such account."""
    _begin(session, by)
    user = locked(session, user_id) or _missing()
    session.execute(delete(Token).where(Token.user_id == user.id))
    _note(session, events.TOKENS_REVOKED, user, by)


@with_session
def drop_second_factor(session: Session, user_id: int, by: Actor | None = None) -> None:
    """The account signs in by its password alone again; 404 where there is no such account."""
    _begin(session, by)
    user = locked(session, user_id) or _missing()
    if user.totp_secret is not None:
        _forget_second_factor(session, user, by)


def _begin(session: Session, by: Actor | None) -> None:
    take_turn(session.connection())
    if by is not None:
        by.confirm(session.connection())


def _missing() -> None:
    raise Problem(404, "there is no account of that id")


def _end_sessions(session: Session, user: User, keep: int | None = None) -> None:
    session.execute(
        delete(LoginSession).where(LoginSession.user_id == user.id, LoginSession.id != (keep or 0))
    )


def _refuse_last_admin(session: Session) -> None:
    session.flush()
    if not has_admin(session):
        raise LastAdmin


def _note(
    session: Session, action: str, user: User, by: Actor | None, detail: str | None = None
) -> None:
    events.note(session, action, user.username, actor=by.username if by else None, detail=detail)


# -- one's own ----------------------------------------------------------------------------------------------------


def _own(session: Session, by: Actor, known_hash: str) -> User:
    """The account of who is signed in, locked; 401 where the session is over, 403 where the password, which was right
    when the request began, is another one by now."""
    user = locked(session, by.user_id)
    sessions.still_open(session, user, by.session_id)
    if user.password_hash != known_hash:
        raise Problem(403, "the current password is wrong")
    return user


@with_session
def change_own_password(session: Session, by: Actor, known_hash: str, password_hash: str) -> None:
    """Another password for who is signed in; every other session of the account ends."""
    _set_password(session, _own(session, by, known_hash), password_hash, by)


@with_session
def offer_second_factor(session: Session, by: Actor, known_hash: str, secret: str) -> None:
    """A secret for the app of who is signed in; it counts from its first right code on. 409 where there is a factor:
    else who knows no code of it could put his own in its place."""
    user = _own(session, by, known_hash)
    if user.totp_secret is not None:
        raise Problem(409, "there is a second factor already: POST /auth/mfa/disable first")
    user.totp_offered = secret


@with_session
def accept_second_factor(session: Session, by: Actor, code: str, recovery_codes: list[str]) -> bool:
    """From here on signing in needs a code; other sessions end. False for a code that the offered secret does not
    give; 409 where none was offered."""
    user = locked(session, by.user_id)
    sessions.still_open(session, user, by.session_id)
    if user.totp_offered is None:
        raise Problem(409, "there is no second factor to confirm: POST /auth/mfa first")
    step = mfa.step_of(user.totp_offered, code)
    if step is None:
        return False
    user.totp_secret, user.totp_offered, user.totp_step = user.totp_offered, None, step
    user.recovery_hashes = [mfa.hash_of(recovery_code) for recovery_code in recovery_codes]
    _end_sessions(session, user, keep=by.session_id)
    _note(session, events.MFA_ENABLED, user, by)
    return True


@with_session
def drop_own_second_factor(session: Session, by: Actor, known_hash: str, code: str) -> bool:
    """Who is signed in needs no code any more; False for a wrong one."""
    user = _own(session, by, known_hash)
    if user.totp_secret is None:
        raise Problem(409, "there is no second factor")
    if mfa.spend(user, code) is None:
        return False
    _forget_second_factor(session, user, by)
    return True


def _forget_second_factor(session: Session, user: User, by: Actor | None) -> None:
    user.totp_secret = user.totp_offered = user.totp_step = user.recovery_hashes = None
    _end_sessions(session, user, keep=by.session_id if by and by.user_id == user.id else None)
    _note(session, events.MFA_DISABLED, user, by)
