"""Changes of accounts: operations for `db.write`, and the look-ups that signing in needs.

`by` is who does it (None: the console). An operation that takes one confirms its rights after it
has locked the catalogue's row: that puts such changes in order, so that of two admins who demote
each other the second one is refused.
"""

from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Connection

from ..catalogue import Catalogue, lock_catalogue
from ..http.problems import Problem
from . import audit, mfa, passwords, usernames
from .audit import Action
from .models import ADMIN, Account, LoginSession, Token, User
from .permissions import SignedIn

# -- looking up ------------------------------------------------------------------------------------


def find(connection: Connection, username: str) -> Account | None:
    """The account of that name in any spelling."""
    if not usernames.is_possible(username):
        return None
    key = usernames.canonical(username)
    user = connection.execute(select(User).where(User.name_key == key)).one_or_none()
    return user if user and user.name_key == key else None  # MySQL ignores a space at the end


def existing(connection: Connection, username: str) -> Account:
    """The account of that name; 404 where there is none."""
    user = find(connection, username)
    if user is None:
        raise Problem(404, f"no such user: {username}")
    return user


def by_id(connection: Connection, user_id: int) -> Account:
    """The account of that id; 404 where there is none."""
    return _found(connection.execute(select(User).where(User.id == user_id)).one_or_none())


def locked(connection: Connection, user_id: int) -> Account | None:
    """The account of that id, locked until the commit."""
    statement = select(User).where(User.id == user_id).with_for_update()
    return connection.execute(statement).one_or_none()


def has_admin(connection: Connection) -> bool:
    """Whether there is an active admin."""
    admins = select(func.count()).select_from(User).where(User.role == ADMIN, User.active)
    return bool(connection.scalar(admins))


# -- adding ----------------------------------------------------------------------------------------


def add(
    connection: Connection,
    username: str,
    password_hash: str,
    role: str,
    provisional: bool = False,
    by: SignedIn | None = None,
) -> Account:
    """A new account. One that `init` created and that was never used is taken over."""
    _lock_and_confirm(connection, by)
    user = find(connection, username)
    refuse_taken(connection, username, user, role)
    values = {"password_hash": password_hash, "role": role, "provisional": provisional}
    if user is None:
        user_id = _next_id(connection)
        key = usernames.canonical(username)
        connection.execute(
            insert(User).values(id=user_id, username=username, name_key=key, **values)
        )
    else:
        user_id = user.id
        _update(connection, user_id, active=True, **values)
    user = by_id(connection, user_id)
    _record(connection, Action.USER_ADDED, user, by, f"role {role}")
    return user


def add_first_admin(connection: Connection, username: str, password_hash: str) -> bool:
    """Add a provisional admin; False if there is an admin already, perhaps since a moment ago."""
    lock_catalogue(connection)
    if has_admin(connection):
        return False
    add(connection, username, password_hash, ADMIN, provisional=True)
    return True


def _next_id(connection: Connection) -> int:
    """An id that no account ever had: SQLite alone would reuse that of a deleted account."""
    connection.execute(update(Catalogue).values(last_user_id=Catalogue.last_user_id + 1))
    return connection.execute(select(Catalogue.last_user_id)).scalar_one()


def refuse_taken(connection: Connection, username: str, user: Account | None, role: str) -> None:
    """Raise 409 where a new account cannot have this name: `user` has it, or another account has a
    name that looks like it.
    """
    skeletons = usernames.skeletons(username)
    if user is not None:
        alike = None if user.provisional and user.role == role else user.username
    else:
        others = connection.scalars(select(User.username))
        alike = next((name for name in others if skeletons & usernames.skeletons(name)), None)
    if alike is not None:
        detail = f"is taken, or looks like one that is: {alike}"
        errors = [{"field": "username", "detail": detail}]
        raise Problem(409, f"username {detail}", type="username-taken", errors=errors)


def check_name(username: str) -> None:
    """Raise 422 for a name that no account may have."""
    error = usernames.error_in(username)
    if error:
        raise _invalid("username", error)


def check_password(username: str, password: str) -> None:
    """Raise 422 for a password that this account may not have."""
    error = passwords.error_in(password, username)
    if error:
        raise _invalid("password", error)


def _invalid(field: str, error: str) -> Problem:
    errors = [{"field": field, "detail": error}]
    return Problem(422, f"{field} {error}", type="validation", errors=errors)


# -- changing --------------------------------------------------------------------------------------


def change(
    connection: Connection, user_id: int, values: dict[str, Any], by: SignedIn | None = None
) -> Account:
    """The account with other values of `role`, `active` or `password_hash`; its sessions end. 404
    where there is none.

    409 where there would be no active admin.
    """
    _lock_and_confirm(connection, by)
    user = _found(locked(connection, user_id))
    changed = {name: value for name, value in values.items() if value != getattr(user, name)}
    if not changed:
        return user
    if "role" in changed:
        detail = f"from {user.role} to {changed['role']}"
        _record(connection, Action.ROLE_CHANGED, user, by, detail)
    if "active" in changed:
        action = Action.USER_ENABLED if changed["active"] else Action.USER_DISABLED
        _record(connection, action, user, by)
    if "password_hash" in changed:
        changed["provisional"] = False
        _record(connection, Action.PASSWORD_CHANGED, user, by)
    _update(connection, user_id, **changed)
    _delete_sessions(connection, user_id)
    _refuse_last_admin(connection, user)
    return by_id(connection, user_id)


def remove(connection: Connection, user_id: int, by: SignedIn | None = None) -> None:
    """Delete the account with its sessions and tokens; the history keeps its name. 404 where there
    is none.
    """
    _lock_and_confirm(connection, by)
    user = _found(locked(connection, user_id))
    connection.execute(delete(User).where(User.id == user_id))
    _record(connection, Action.USER_DELETED, user, by)
    _refuse_last_admin(connection, user)


def end_sessions(connection: Connection, user_id: int, by: SignedIn | None = None) -> None:
    """End all sessions of the account; 404 where there is none."""
    _lock_and_confirm(connection, by)
    user = _found(locked(connection, user_id))
    _delete_sessions(connection, user_id)
    _record(connection, Action.SESSIONS_ENDED, user, by)


def revoke_tokens(connection: Connection, user_id: int, by: SignedIn | None = None) -> None:
    """Revoke all API tokens of the account; 404 where there is none."""
    _lock_and_confirm(connection, by)
    user = _found(locked(connection, user_id))
    connection.execute(delete(Token).where(Token.user_id == user_id))
    _record(connection, Action.TOKENS_REVOKED, user, by)


def drop_second_factor(connection: Connection, user_id: int, by: SignedIn | None = None) -> None:
    """Remove the account's second factor; its sessions end. 404 where there is no such account."""
    _lock_and_confirm(connection, by)
    user = _found(locked(connection, user_id))
    if user.totp_secret is not None:
        _drop_second_factor(connection, user, by)


def _lock_and_confirm(connection: Connection, by: SignedIn | None) -> None:
    lock_catalogue(connection)
    if by is not None:
        by.confirm(connection)


def _found(user: Account | None) -> Account:
    if user is None:
        raise Problem(404, "no such user")
    return user


def _update(connection: Connection, user_id: int, **values: Any) -> None:
    connection.execute(update(User).where(User.id == user_id).values(**values))


def _delete_sessions(connection: Connection, user_id: int, keep: int | None = None) -> None:
    connection.execute(
        delete(LoginSession).where(LoginSession.user_id == user_id, LoginSession.id != (keep or 0))
    )


def _refuse_last_admin(connection: Connection, before: Account) -> None:
    """Raise 409 where the change of this account left no active admin."""
    if before.role == ADMIN and before.active and not has_admin(connection):
        raise Problem(409, "this is the last active admin; add another one first")


def _record(
    connection: Connection,
    action: Action,
    user: Account,
    by: SignedIn | None,
    detail: str | None = None,
) -> None:
    audit.record(connection, action, user.username, by.username if by else None, detail)


# -- one's own -------------------------------------------------------------------------------------


def _own(connection: Connection, by: SignedIn, known_hash: str | None = None) -> Account:
    """The account that sends the request, locked; 401 where its session has ended, 403 where its
    password is no longer the one that was shown.
    """
    user = locked(connection, by.id)
    by.confirm_signed_in(connection)
    user = _found(user)
    if known_hash is not None and user.password_hash != known_hash:
        raise Problem(403, "the current password is wrong")
    return user


def change_own_password(
    connection: Connection, by: SignedIn, known_hash: str, password_hash: str
) -> None:
    """Change the password of the account that sends the request; its other sessions end."""
    user = _own(connection, by, known_hash)
    _update(connection, user.id, password_hash=password_hash, provisional=False)
    _delete_sessions(connection, user.id, keep=by.session_id)
    _record(connection, Action.PASSWORD_CHANGED, user, by)


def offer_second_factor(connection: Connection, by: SignedIn, known_hash: str, secret: str) -> None:
    """Keep a secret that becomes the second factor with its first confirmed code. 409 where there
    is a factor: it must not be replaced without one of its codes.
    """
    user = _own(connection, by, known_hash)
    if user.totp_secret is not None:
        raise Problem(409, "there is a second factor already: POST /auth/mfa/disable first")
    _update(connection, user.id, totp_offered=secret)


def accept_second_factor(
    connection: Connection, by: SignedIn, code: str, recovery_codes: list[str]
) -> bool:
    """Require a code at sign-in from now on; other sessions end. False for a wrong code; 409 where
    no secret was offered.
    """
    user = _own(connection, by)
    if user.totp_offered is None:
        raise Problem(409, "there is no second factor to confirm: POST /auth/mfa first")
    step = mfa.step_of(user.totp_offered, code)
    if step is None:
        return False
    _update(
        connection,
        user.id,
        totp_secret=user.totp_offered,
        totp_offered=None,
        totp_step=step,
        recovery_hashes=[mfa.hash_of(recovery_code) for recovery_code in recovery_codes],
    )
    _delete_sessions(connection, user.id, keep=by.session_id)
    _record(connection, Action.MFA_ENABLED, user, by)
    return True


def drop_own_second_factor(
    connection: Connection, by: SignedIn, known_hash: str, code: str
) -> bool:
    """Remove the second factor of the account that sends the request; False for a wrong code."""
    user = _own(connection, by, known_hash)
    if user.totp_secret is None:
        raise Problem(409, "there is no second factor")
    if mfa.spend(connection, user, code) is None:
        return False
    _drop_second_factor(connection, user, by)
    return True


def _drop_second_factor(connection: Connection, user: Account, by: SignedIn | None) -> None:
    own = by is not None and by.id == user.id
    empty = dict.fromkeys(("totp_secret", "totp_offered", "totp_step", "recovery_hashes"))
    _update(connection, user.id, **empty)
    _delete_sessions(connection, user.id, keep=by.session_id if by and own else None)
    _record(connection, Action.MFA_DISABLED, user, by)
