"""What is done with accounts: units for `db.write`, and the one look-up that signing in needs."""
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from ..text import FORBIDDEN, MOST_COMPOSED
from . import passwords, usernames
from .models import ADMIN, LoginSession, User


class AccountError(ValueError):
    """What cannot be done with an account, in words for whoever asked; `field` is what it is about."""

    def __init__(self, field: str, detail: str):
        super().__init__(f"{field} {detail}")
        self.field, self.detail = field, detail


def find(session: Session, username: str) -> User | None:
    """The account of that name, however it is spelt."""
    if len(username) > usernames.LONGEST * MOST_COMPOSED or FORBIDDEN.search(username):
        return None  # no account has such a name, and neither folding nor the database should have to look at it
    name_key = usernames.canonical(username)
    user = session.scalar(select(User).where(User.name_key == name_key))
    return user if user and user.name_key == name_key else None  # MySQL does not see a space at the end


def add(session: Session, username: str, password_hash: str, role: str, provisional: bool = False) -> str:
    """A new account; returns its name. An account that `init` made and nobody has used yet is taken over."""
    user = find(session, username)
    refuse_taken(user, role)
    if user is None:
        user = User(username=username, name_key=usernames.canonical(username))
        session.add(user)
    user.password_hash, user.role, user.provisional, user.active = password_hash, role, provisional, True
    return user.username


def has_admin(session: Session) -> bool:
    """Whether anybody can administer the service."""
    return session.scalar(select(func.count()).select_from(User).where(User.role == ADMIN, User.active)) > 0


def set_password(session: Session, username: str, password_hash: str, keep: int | None = None) -> None:
    """Give the account another password; its sessions end, but for the one of the id `keep`."""
    user = existing(session, username)
    user.password_hash, user.provisional = password_hash, False
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id, LoginSession.id != (keep or 0)))


def set_active(session: Session, username: str, active: bool) -> None:
    """Enable or disable the account; disabling ends all its sessions, and the last active admin stays."""
    user = existing(session, username)
    user.active = active
    session.flush()
    if not active:
        if user.role == ADMIN and not has_admin(session):
            raise AccountError("username", "is the last active admin")
        session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def list_all(session: Session) -> list[User]:
    """Every account, oldest first."""
    return list(session.scalars(select(User).order_by(User.id)))


def existing(session: Session, username: str) -> User:
    """The account of that name; raises AccountError where there is none."""
    user = find(session, username)
    if user is None:
        raise AccountError("username", "is not known")
    return user


def refuse_taken(user: User | None, role: str) -> None:
    """Raises AccountError where a new account cannot have the name of this one."""
    if user is not None and not (user.provisional and user.role == role):
        raise AccountError("username", f"is taken: {user.username}")


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
