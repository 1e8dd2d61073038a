"""Idempotency-Key: a POST that is sent again is answered again, and not done again (contract, section 5).

The answer is kept in the transaction of the change itself: either both are there or neither.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
from flask import Flask, Response, current_app, request
from flask_login import current_user
from sqlalchemy import (
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    bindparam,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapped, mapped_column

from ..db import (
    TABLE_OPTIONS,
    Instant,
    LongText,
    db,
    locked,
    now,
    stored,
)
from .negotiation import chosen_format
from .problems import Problem

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
RUNNING = "bookapi.running_keys"  # in the application's extensions: what this process is at work on
_VISIBLE = re.compile("[!-~]{1,255}")


class KeptAnswer(db.Model):
    """What a request with a key was answered, in the transaction that did it. `request_hash` is of what the key covers:
    method, path, format and body."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"), TABLE_OPTIONS)

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[str] = mapped_column(LongText)
    body: Mapped[bytes] = mapped_column(
        LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
    )
    created_at: Mapped[datetime] = mapped_column(Instant)


_FOUND = select(
    KeptAnswer.request_hash, KeptAnswer.status, KeptAnswer.headers, KeptAnswer.body
).where(KeptAnswer.user_id == bindparam("user_id"), KeptAnswer.key == bindparam("key"))
_KEEP = insert(KeptAnswer.__table__).values(
    {column.name: bindparam(column.name, type_=String()) for column in KeptAnswer.__table__.c}
)
_FORGET = delete(KeptAnswer.__table__).where(
    KeptAnswer.created_at < bindparam("before", type_=String())
)


class Key(NamedTuple):
    """A key as an account gave it, and a digest of the request that it stands for."""

    user_id: int
    key: str
    request_hash: str


def idempotency_key(covered: Iterable[bytes] | None = None) -> Key | None:
    """The key of this request; None where there is none, 400 where it cannot be one. It covers the request's body, or
    other bytes in its place, which are asked for only where there is a key; `()`: any body is ignored."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    if not _VISIBLE.fullmatch(text):
        raise Problem(400, f"{HEADER} must have 1 to 255 visible ASCII characters")
    lines = (
        request.method,
        request.path,
        chosen_format().name,
        "" if covered == () else request.mimetype,
        "",
    )
    digest = hashlib.sha256("\n".join(lines).encode())
    for part in (request.get_data(),) if covered is None else covered:
        digest.update(part)
    return Key(current_user.id, text, digest.hexdigest())


def run_idempotent(
    key: Key | None,
    answer: Callable[[Any], Any],
    operation: Callable[..., Any],
    *args: Any,
    alone: bool = False,
    **kwargs: Any,
) -> Any:
    """What `answer` makes of the result of ``db.write(operation, …)``, as a view returns it; with a key that was used before
    the answer that it got then. 422 where that was another request, 409 where it is still being worked on."""
    if key is None:
        return answer(db.write(operation, *args, alone=alone, **kwargs))
    with _running(key):
        return db.write(_kept, key, answer, operation, args, kwargs, alone=alone)


def _kept(
    connection: Connection,
    key: Key,
    answer: Callable[[Any], Any],
    operation: Callable,
    args: tuple,
    kwargs: dict,
) -> Any:
    locked(connection)  # or two workers would both find that there is none
    connection.execute(_FORGET, {"before": stored(now() - KEPT)})
    for request_hash, status, headers, body in connection.execute(
        _FOUND, {"user_id": key.user_id, "key": key.key}
    ).all():
        if request_hash != key.request_hash:
            raise Problem(422, f"this {HEADER} was used for another request; take a new one")
        return current_app.response_class(body, status, orjson.loads(headers))
    made: Response = current_app.make_response(answer(operation(connection, *args, **kwargs)))
    connection.execute(
        _KEEP,
        {
            **key._asdict(),
            "status": made.status_code,
            "body": made.get_data(),
            "headers": orjson.dumps(list(made.headers)).decode(),
            "created_at": stored(now()),
        },
    )
    return made


@contextmanager
def _running(key: Key) -> Iterator[None]:
    """409 where this process is at work on the key already. Another process waits for the write lock instead, and finds
    the answer then."""
    running, lock = current_app.extensions[RUNNING]
    with lock:
        if key[:2] in running:
            raise Problem(
                409, f"the first request with this {HEADER} is still running", {"Retry-After": "1"}
            )
        running.add(key[:2])
    try:
        yield
    finally:
        with lock:
            running.discard(key[:2])


def init_app(app: Flask) -> None:
    """Give the application what it needs to know which keys are being worked on."""
    app.extensions[RUNNING] = (set(), threading.Lock())
