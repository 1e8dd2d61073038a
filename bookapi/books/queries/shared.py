"""What several parts of one answer need, and several who ask for the same."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import cached_property
from typing import Any, TypeVar, cast

import orjson
from flask import current_app
from sqlalchemy import Select, func, select
from sqlalchemy.engine import Connection

from ...db import db, fetch
from ..models import Book
from . import statements
from .listing import Shape

PIECE = 1_000_000  # characters
IS_FOUND = ord("1")
# To look up whether a hit passes a filter takes so many times as long as whether a book is a hit.
HITS_FACTOR = 6

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
        most = db.dialect.most_marked(self.connection)
        return not self.shape.in_trash and self._last_id <= most

    @property
    def walks_by_language(self) -> bool:
        """Whether a language is all that books are found by, and stands in the indexes that are
        walked past all books."""
        return db.dialect.looks_up_fast and statements.has_language_alone(self.shape)

    @cached_property
    def _last_id(self) -> int:
        return fetch(self.connection, _LAST_ID)[0][0] or 0

    @cached_property
    def marked(self) -> dict[str, Any]:
        """The value `marked` of statements that look books up, made once for all of them: a byte
        for each id, `1` where the book is one of these, `0` where not."""
        if self.marked_hits:
            values = {**self.values, **self.marked_hits}
            return self._mark(statements.among_hits(self.shape), values)[0]
        return self._mark(statements.ids(self.shape), self.values)[0]

    @cached_property
    def marked_hits(self) -> dict[str, Any] | None:
        """The same of all that a search finds, where the books that pass the one filter beside it
        are sooner looked up there than the other way round; None where they are not."""
        filtered = statements.counted_already(self.shape._replace(search=""))
        if self.shape.search != "terms" or filtered is None or not self.may_be_marked:
            return None
        number = fetch(self.connection, filtered, self.values)[0][0]
        hits, found = self._mark(statements.ids(Shape(search="terms")), self.values)
        return hits if found * HITS_FACTOR > number else None

    def _mark(self, query: Select[Any], values: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """The marks of ids, and their number."""
        marked, number = bytearray(b"0" * self._last_id), 0
        text, end = fetch(self.connection, query, values)[0][0] or "[]", 0
        while end < len(text) - 1:  # in pieces: a list takes many times the memory of its text
            start, end = end + 1, text.find(",", end + PIECE)
            if end < 0:
                end = len(text) - 1
            ids = orjson.loads(f"[{text[start:end]}]")
            for book_id in ids:
                marked[book_id - 1] = IS_FOUND
            number += len(ids)
        return {"marked": bytes(marked)}, number


_LAST_ID = select(func.max(Book.id))
