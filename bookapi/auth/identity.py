"""Who sends a request: an account, and what it showed to prove it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from flask_login import UserMixin
from sqlalchemy import ColumnElement

from ..db import rfc3339
from .models import WRITE, User


class Account(NamedTuple):
    """A `User` as it was read, without the ORM: every request of somebody who is signed in has one."""

    id: int
    username: str
    role: str
    created_at: datetime
    has_mfa: bool
    active: bool = True


def account_columns() -> list[ColumnElement]:
    """What a query selects to make an Account of."""
    return [
        User.id,
        User.username,
        User.role,
        rfc3339(User.created_at),
        User.totp_secret.is_not(None),
    ]


def account_of(user_id: int, username: str, role: str, created_at: str, has_mfa: int) -> Account:
    """The account in the columns of a row."""
    return Account(user_id, username, role, datetime.fromisoformat(created_at), bool(has_mfa))


@dataclass
class SignedIn(UserMixin):
    """Who sends this request, by a session (its id, and the secret of its cookie) or by a token (its id and scope)."""

    user: Account
    session_id: int | None = None
    secret: str | None = None
    token_id: int | None = None
    scope: str = WRITE

    def __post_init__(self) -> None:
        self.id, self.username, self.role, self.has_mfa = (
            self.user.id,
            self.user.username,
            self.user.role,
            self.user.has_mfa,
        )

    def get_id(self) -> str:
        """What Flask-Login keeps in the cookie: it names the session, not the user."""
        return self.secret
