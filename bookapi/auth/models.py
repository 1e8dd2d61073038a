"""Accounts, what they sign in with, and what happened at the door, as tables."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Double, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import TABLE_OPTIONS, BigId, Instant, JsonList, db, now

ADMIN, MEMBER = ROLES = ("admin", "member")
READ, WRITE = SCOPES = ("read", "write")


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
    # The second factor: the secret shared with an app, before and after its first code was right; the newest step of
    # time whose code was used (none is right twice), and the hashes of the recovery codes that are left.
    totp_offered: Mapped[str | None] = mapped_column(String(64))
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    recovery_hashes: Mapped[list | None] = mapped_column(JsonList)


class LoginSession(db.Model):
    """An open session: the hash of a random secret that one client holds in its cookie."""

    __tablename__ = "sessions"
    __table_args__ = TABLE_OPTIONS | {"sqlite_autoincrement": True}  # no id is given again

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(Instant, default=now)
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(200))


class Token(db.Model):
    """A key for programs: the hash of a random secret that was shown once."""

    __tablename__ = "tokens"
    __table_args__ = TABLE_OPTIONS | {"sqlite_autoincrement": True}  # no id is given again

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class Event(db.Model):
    """Something that happened at the door. `username` is the account that it is about, `actor` the one that did it
    (null: the console, or nobody who was known)."""

    __tablename__ = "events"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant, index=True)
    action: Mapped[str] = mapped_column(String(32))
    username: Mapped[str | None] = mapped_column(String(64))
    actor: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(128))
    detail: Mapped[str | None] = mapped_column(String(300))


class Throttle(db.Model):
    """Failures of one subject, a digest of a name or an address. They fade with time; none is left at `void_at`."""

    __tablename__ = "throttles"
    __table_args__ = TABLE_OPTIONS

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[float] = mapped_column(Double)
    last_at: Mapped[datetime] = mapped_column(Instant)
    void_at: Mapped[datetime] = mapped_column(Instant, index=True)
