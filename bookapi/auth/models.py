"""The tables of accounts, of what they sign in with, and of the audit log."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    Double,
    ForeignKey,
    Row,
    Select,
    String,
    func,
    insert,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, mapped_column

from ..db import TABLE_OPTIONS, Base, BigId, Instant, JsonList, db, now

AnyRow = Row[*tuple[Any, ...]]
Account = AnyRow  # of the table `users`

ADMIN, MEMBER = ROLES = ("admin", "member")
READ, WRITE = SCOPES = ("read", "write")


class User(Base):
    """An account. `name_key` is the canonical name: any spelling of one name is one account."""

    __tablename__ = "users"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(255), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    # Created by `init` with a random password that has not been used yet.
    provisional: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    # The second factor: the secret shared with an app, before (`offered`) and after its first code
    # was confirmed; the newest time step whose code was used, since none is accepted twice; the
    # hashes of unused recovery codes.
    totp_offered: Mapped[str | None] = mapped_column(String(64))
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    recovery_hashes: Mapped[list[str] | None] = mapped_column(JsonList)


class LoginSession(Base):
    """An open session: the hash of a random secret that one client has in its cookie."""

    __tablename__ = "sessions"
    __table_args__ = TABLE_OPTIONS | {"sqlite_autoincrement": True}  # no id is given again

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(Instant, default=now)
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(200))


class Token(Base):
    """An API token: the hash of a random secret that was shown once."""

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


class Event(Base):
    """An entry of the audit log. `username` is the account it is about, `actor` the account that
    did it (null: the console, or somebody unknown).
    """

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


class Throttle(Base):
    """The failed attempts of one subject (a digest of a name or an address). They are forgotten
    with time: from `void_at` on none is left.
    """

    __tablename__ = "throttles"
    __table_args__ = TABLE_OPTIONS

    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[float] = mapped_column(Double)
    last_at: Mapped[datetime] = mapped_column(Instant)
    void_at: Mapped[datetime] = mapped_column(Instant, index=True)


def insert_row(connection: Connection, model: type[Base], **values: Any) -> int:
    """Insert a row; returns its id."""
    inserted = connection.execute(insert(model).values(**values)).inserted_primary_key
    return int(cast(Row[int], inserted)[0])


def read_page(
    statement: Select[*tuple[Any, ...]], limit: int, offset: int
) -> tuple[list[AnyRow], int]:
    """A page of what a statement selects, and the number of rows on all pages."""
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    with db.read() as connection:
        total = connection.scalar(counted) or 0
        rows = connection.execute(statement.limit(limit).offset(offset)).all()
    return list(rows), total
