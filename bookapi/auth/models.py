"""Accounts and their sessions, as tables."""
from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import TABLE_OPTIONS, BigId, Instant, db, now

ADMIN, MEMBER = ROLES = ("admin", "member")


class User(db.Model):
    """An account. `name_key` is what is compared: any spelling of one name is one account."""
    __tablename__ = "users"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    # Made by `init` with a random password, and nobody has signed in with it yet.
    provisional: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)


class LoginSession(db.Model):
    """An open session: the hash of a random secret that one client holds in its cookie."""
    __tablename__ = "sessions"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    last_seen_at: Mapped[datetime] = mapped_column(Instant, default=now)
