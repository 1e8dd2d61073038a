"""What several parts of one answer need, and several who ask for the same."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import cached_property
from typing import Any, TypeVar, cast

from flask import current_app
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from ...db import db, each, fetch
from ..models import Book
from . import statements
from .listing import Shape

MOST_MARKED = 10_000_000  # bytes for one request

T = TypeVar("T")
_lock = threading.Lock()
_running: dict[Hashable, Future[Any]] = {}


def once(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` returns or raises. While it runs for one request, others of this application with
    the same key wait for that result; `key` names the state of the catalogue, too."""
    key = (id(current_app.extensions), key)
    with _lock:
        running = _running.get(key)
        if running is None:
            mine = _running[key] = Future()
    if running is not None:
        return cast(T, running.result())
    try:
        mine.set_result(make())
    except BaseException as error:
        mine.set_exception(error)
    finally:
        with _lock:
            del _running[key]
    return cast(T, mine.result())


class Found:
    """The books of a list in one read transaction: so many (`number`) of `every` one of the
    catalogue."""

    connection: Connection
    shape: Shape
    values: dict[str, Any]
    number: int
    every: int

    @cached_property
    def may_be_marked(self) -> bool:
        is_fast = db.dialect.looks_up_fast and not self.shape.in_trash
        return is_fast and self._last_id <= MOST_MARKED

    @cached_property
    def _last_id(self) -> int:
        return fetch(self.connection, _LAST_ID)[0][0] or 0

    @cached_property
    def marked(self) -> dict[str, Any]:
        """The value `marked` of statements that look books up, made once for all of them: a byte
        for each id, 1 where the book is one of these."""
        marked = bytearray(self._last_id)
        for (book_id,) in each(self.connection, statements.ids(self.shape), self.values):
            marked[book_id - 1] = 1
        return {"marked": bytes(marked)}


_LAST_ID = select(func.max(Book.id))
