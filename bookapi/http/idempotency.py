"""Idempotency-Key: a POST that is sent again gets the first response again, and nothing is done
twice.

The result is kept in the transaction of the change itself: either both are there or neither. The
response is made from it, outside the transaction, for the first request as for those that follow.
docs/api.md, Idempotency.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple, NoReturn

import orjson
from flask import Flask, current_app, request
from sqlalchemy import ForeignKey, Index, String, delete, insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, mapped_column

from ..catalogue import lock_catalogue
from ..db import TABLE_OPTIONS, Base, Instant, LongBinary, db, now
from .negotiation import chosen_format
from .problems import Problem

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
RUNNING = "bookapi.running_keys"  # in the application's extensions: those of this process
_VISIBLE = re.compile("[!-~]{1,255}")


class KeptResult(Base):
    """The result of a request with a key. `request_hash` is of what the key covers: method, path,
    format and body. `result` is JSON.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"), TABLE_OPTIONS)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    result: Mapped[bytes] = mapped_column(LongBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Key(NamedTuple):
    """A key of an account, and a digest of the request that it stands for."""

    user_id: int
    key: str
    request_hash: str


def idempotency_key(user_id: int, covered: Iterable[bytes] | None = None) -> Key | None:
    """The key of this request by an account; None without one, 400 where it is not valid.

    It covers the request's body, or in its place `covered`, which is read only if there is a key;
    `()`: any body is ignored.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not _VISIBLE.fullmatch(text):
        raise Problem(400, f"{HEADER} must have 1 to 255 visible ASCII characters")
    media_type = "" if covered == () else request.mimetype
    lines = (request.method, request.path, chosen_format().name, media_type, "")
    digest = hashlib.sha256("\n".join(lines).encode())
    for part in (request.get_data(),) if covered is None else covered:
        digest.update(part)
    return Key(user_id, text, digest.hexdigest())


def run_idempotent(
    key: Key | None, operation: Callable[..., Any], *args: Any, alone: bool = False, **kwargs: Any
) -> Any:
    """What ``db.write(operation, …)`` returns; with a key that was used before, what it returned
    then.

    With a key the result must be JSON data. 422 where the key was used for another request, 409
    where that is still running in this process; one in another process is waited for.
    """
    if key is None:
        return db.write(operation, *args, alone=alone, **kwargs)
    with _running(key):
        return db.write(_run_or_repeat, key, operation, args, kwargs, alone=alone)


def run_steps_idempotent(key: Key, steps: Callable[[Callable[..., Any]], Any]) -> Any:
    """As `run_idempotent`, for what takes several transactions. `steps` is given a function like
    `db.write` for the last one, whose result is kept in the same transaction.
    """

    def write(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return db.write(_run_or_repeat, key, operation, args, kwargs, alone=True)

    with _running(key):
        try:
            return write(_nothing_kept)
        except _NothingKept:
            return steps(write)


class _NothingKept(Exception):
    """The key has not been used."""


def _nothing_kept(connection: Connection) -> NoReturn:
    raise _NothingKept


def _run_or_repeat(
    connection: Connection,
    key: Key,
    operation: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    lock_catalogue(connection)  # two workers with one key come here one after the other
    connection.execute(delete(KeptResult).where(KeptResult.created_at < now() - KEPT))
    kept = connection.execute(
        select(KeptResult.request_hash, KeptResult.result).where(
            KeptResult.user_id == key.user_id, KeptResult.key == key.key
        )
    ).first()
    if kept is not None:
        if kept.request_hash != key.request_hash:
            raise Problem(
                422, f"this {HEADER} was used for another request; use a new one", type="key-reused"
            )
        return orjson.loads(kept.result)
    result = operation(connection, *args, **kwargs)
    values = {**key._asdict(), "result": orjson.dumps(result), "created_at": now()}
    connection.execute(insert(KeptResult), values)
    return result


@contextmanager
def _running(key: Key) -> Iterator[None]:
    """409 where this process is at work on the key already."""
    running, lock = current_app.extensions[RUNNING]
    with lock:
        if key[:2] in running:
            detail = f"the first request with this {HEADER} is still running"
            raise Problem(409, detail, {"Retry-After": "1"})
        running.add(key[:2])
    try:
        yield
    finally:
        with lock:
            running.discard(key[:2])


def init_app(app: Flask) -> None:
    """Give the application its registry of running keys."""
    app.extensions[RUNNING] = (set(), threading.Lock())
