"""The books that match a list, in one read transaction: how many, and which, as marks."""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.engine import Connection
from werkzeug.utils import cached_property

from ...catalogue import Catalogue
from ...db import db, fetch
from ...db.search import expressions
from ...http.cache import current_cache
from ..models import Book
from . import statements
from .listing import WHOLE, Listing, Shape
from .single_flight import once

PIECE = 1_000_000  # characters
IS_MARKED = ord("1")
# To look up whether a hit passes a filter takes so many times as long as whether a book is a hit.
HITS_FACTOR = 6

_STATE = select(Catalogue.revision, Catalogue.total)
_LAST_ID = select(func.max(Book.id))
_SEARCH = Shape(search="terms")
T = TypeVar("T")


class Matches:  # cached_property of functools would have one lock for all, before Python 3.12
    """The books that match: `total`, of `catalogue_total` in the catalogue of this `revision`.

    `values`: those of the statements; `is_repeatable`: another read of this revision finds the
    same.
    """

    def __init__(self, connection: Connection, listing: Listing):
        self.connection, self.listing, self.shape = connection, listing, listing.shape
        match, dialect = listing.match, db.dialect
        self.values = dict(listing.values)
        if match:
            self.values |= expressions(dialect.full_text, match, self.shape.in_trash)
        self.is_repeatable = match is None or dialect.search_is_current
        self.revision, self.catalogue_total = fetch(connection, _STATE)[0]

    def rows(self, query: Select[Any], **values: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement, with these values beside those of the list."""
        return fetch(self.connection, query, {**self.values, **values})

    def column(self, query: Select[Any], **values: Any) -> list[Any]:
        """The first column of the same."""
        return [row[0] for row in fetch(self.connection, query, {**self.values, **values})]

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What `make` returns; where another request is making the same of this revision, its
        result."""
        if not self.is_repeatable:
            return make()
        listing = self.listing
        return once((what, self.revision, self.shape, listing.values, listing.match), make)

    @cached_property
    def total(self) -> int:
        """Counted at most once for each revision: a count walks all that is counted."""
        if self.shape == WHOLE:
            return int(self.catalogue_total)
        in_terms = statements.counted_already(self.shape)
        if in_terms is not None:
            return int(self.column(in_terms)[0])
        cache = current_cache()
        key = (self.shape, self.listing.values, self.listing.match)
        known = cache.get(key)
        if known and known.revision == self.revision:
            return int(known.value)
        total = self.once("count", self._count)
        if self.is_repeatable:
            cache.put(key, self.revision, total, 4 * len(repr(key)))
        return total

    def _count(self) -> int:
        if self.shape == Shape(search="without"):  # what is excluded is counted faster
            return int(self.catalogue_total - self.column(statements.count_excluded())[0])
        if self.marked_hits:
            query = statements.among_hits(self.shape, counted=True)
            return int(self.column(query, **self.marked_hits)[0])
        return int(self.column(statements.count(self.shape))[0])

    # -- marks: a string with a byte for each id, `1` where the book is one of those that are meant.
    # It is the value `marked` of statements that look books up, made once for all of them.

    @cached_property
    def can_be_marked(self) -> bool:
        """Whether the catalogue is small enough for this database."""
        most = db.dialect.most_marked(self.connection)
        return not self.shape.in_trash and self._last_id <= most

    @cached_property
    def _last_id(self) -> int:
        return self.column(_LAST_ID)[0] or 0

    @cached_property
    def marked(self) -> dict[str, Any]:
        """The marks of these books."""
        if self.marked_hits:
            return self._marks(statements.among_hits(self.shape), **self.marked_hits)[0]
        return self._marks(statements.ids(self.shape))[0]

    @cached_property
    def marked_hits(self) -> dict[str, Any] | None:
        """The marks of all that the search finds, where the books that pass the one filter beside
        it are sooner looked up there than the other way round; None where they are not."""
        of_filter = statements.counted_already(self.shape._replace(search=""))
        if self.shape.search != "terms" or of_filter is None or not self.can_be_marked:
            return None
        [pass_filter] = self.column(of_filter)
        marks, hits = self._marks(statements.ids(_SEARCH))
        return marks if hits * HITS_FACTOR > pass_filter else None

    def _marks(self, query: Select[Any], **values: Any) -> tuple[dict[str, Any], int]:
        """The marks of the ids that the query gives as one array, and their number."""
        marked, number = bytearray(b"0" * self._last_id), 0
        text, end = self.column(query, **values)[0] or "[]", 0
        while end < len(text) - 1:  # in pieces: a list takes many times the memory of its text
            start, end = end + 1, text.find(",", end + PIECE)
            if end < 0:
                end = len(text) - 1
            ids = orjson.loads(f"[{text[start:end]}]")
            for book_id in ids:
                marked[book_id - 1] = IS_MARKED
            number += len(ids)
        return {"marked": bytes(marked)}, number

    def walk_by(self) -> tuple[Shape | None, dict[str, Any]]:
        """How statements that walk all books know these, `statements.in_walk`, and the values for
        that: by the language, where that is all that is asked for and the walked index has it; else
        by their marks."""
        if db.dialect.looks_up_fast and statements.has_language_alone(self.shape):
            return self.shape, {}
        return None, self.marked
