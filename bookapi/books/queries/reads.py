"""The reads that answer: a page, a stream, one book. Each shows one state of the catalogue."""

from array import array
from collections.abc import Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Select, bindparam, select
from sqlalchemy.engine import Connection

from ...catalogue import Catalogue, revision_of
from ...db import db, fetch
from ...db.failures import TooSlow
from ...db.search import EXACT, LEVELS, Match, expressions, finder
from ...http.cache import current_cache
from .. import records
from ..models import Book
from ..schemas import FIELDS
from . import cursors, facets, statements
from .filters import has_isbn
from .listing import Listing, Shape
from .shared import Found, once
from .sorting import BY_ID, BY_RELEVANCE

STREAMED_ROWS = 200  # fetched at a time: in constant memory
# Rows of an index that are walked for a page: so many and this many times what is needed if the
# books stand in it evenly. Where that does not do, all books found are sorted; or all of the index
# is walked, for sorting a book takes so many times as long as passing one.
WALKED_ROWS, WALKED_FACTOR = 100, 3
SORTED_FACTOR = 16

T = TypeVar("T")


class Page(NamedTuple):
    """A page of a list: the records, the number of books on all pages, the revision that they show
    (None: another read of this revision may find others), the cursor of the next page (None: this
    is the last) and the facets."""

    records: list[dict[str, Any]]
    total: int
    revision: int | None
    cursor: str | None = None
    facets: dict[str, list[dict[str, Any]]] = {}


_STATE = select(Catalogue.revision, Catalogue.total)
_ONE = records.selection(FIELDS, Book.deleted_at).where(Book.id == bindparam("id"))
_BY_ISBN = records.selection().where(Book.live_isbn == bindparam("isbn"))
_BY_FURTHER_ISBN = (
    records.selection()
    .where(Book.deleted_at.is_(None), has_isbn([bindparam("isbn")]))
    .order_by(Book.id)
    .limit(1)
)


def page(listing: Listing) -> Page:
    """A page of the list; a 503 that names the parameters to narrow where it takes too long."""
    try:
        with db.read() as connection:
            read = _Reading(connection, listing)
            ids, cursor = read.paged() if listing.page or not read.number else read.behind_cursor()
            shown = _records(connection, ids, listing.fields)
            counts = {name: read.commonest(name) for name in listing.facets}
        return Page(shown, read.number, read.mark if read.lasts else None, cursor, counts)
    except TooSlow as error:
        names = [name for name, _ in listing.shape.filters]
        slow = {"facets": listing.facets, "q": listing.match, "page": (listing.page or 1) > 1}
        less = ", ".join([name for name, given in slow.items() if given] + names) or "limit"
        raise TooSlow(f"narrow one of these parameters: {less}") from error


class _Reading(Found):
    """One list being read in one transaction."""

    def __init__(self, connection: Connection, listing: Listing):
        self.connection, self.listing = connection, listing
        self.shape, self.sort = listing.shape, listing.sort
        self.values = _values(connection, listing)
        self.lasts = listing.match is None or db.dialect.search_is_current
        self.mark, self.every = fetch(connection, _STATE)[0]
        self.number = self._total()

    def _total(self) -> int:
        """The number of books on all pages."""
        if self.shape == Shape():
            return self.every
        known = statements.counted_already(self.shape)
        if known is not None:
            return int(fetch(self.connection, known, self.values)[0][0])
        if self.shape == Shape(search="without"):  # few or many: what is found is counted faster
            return self.every - self._counted(lambda: self._ids(statements.count_excluded())[0])
        return self._counted(self._count)

    def _count(self) -> int:
        if self.marked_hits:
            counted = statements.among_hits(self.shape, counted=True)
            return self._ids(counted, **self.marked_hits)[0]
        return self._ids(statements.count(self.shape))[0]

    def _counted(self, make: Callable[[], int]) -> int:
        """Counted once for each state of the catalogue: a count walks all that is counted."""
        remembered = current_cache()
        key = (self.shape, self.listing.values, self.listing.match)
        known = remembered.get(key)
        if known and known.revision == self.mark:
            return int(known.value)
        number = self.once("count", make)
        if self.lasts:
            remembered.put(key, self.mark, number, 4 * len(repr(key)))
        return number

    def commonest(self, facet: str) -> list[dict[str, Any]]:
        """The most frequent values of a facet."""
        return self.once(facet, lambda: facets.commonest(facet, self))

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What `make` returns; where another request is making the same of this state, its
        result."""
        if not self.lasts:
            return make()
        return once((what, self.mark, self.shape, self.listing.values, self.listing.match), make)

    def paged(self) -> tuple[list[int], None]:
        """The ids of the page of that number, by the way that reads least."""
        total = self.number
        first = ((self.listing.page or 1) - 1) * self.listing.limit
        last = min(first + self.listing.limit, total)
        if first >= total:
            return [], None
        backwards = first > total - last
        if backwards:
            first, last = total - last, total - first
        ids = [row[0] for row in self._walked(self.sort, last, backwards)][first:] or None
        if ids is None and not backwards and self._is_by_level:
            ids = [book_id for book_id, _ in self._by_level(last - first, first)]
        if ids is None and self._is_by_edges:
            ids = self._between_edges(first, last, backwards)
        if ids is None:
            query, values = statements.page(self.shape, self.sort, backwards), dict[str, Any]()
            if total * SORTED_FACTOR > self.every and self._walks_far:
                by_language = self.walks_by_language
                query = statements.among(self.shape, self.sort, backwards, by_language)
                values = {} if by_language else self.marked
            ids = self._ids(query, limit=last - first, offset=first, **values)
        return ids[::-1] if backwards else ids, None

    def _ids(self, query: Select[Any], **values: Any) -> list[int]:
        return [row[0] for row in fetch(self.connection, query, {**self.values, **values})]

    def _walked(
        self,
        sort: tuple[str, ...],
        number: int,
        backwards: bool = False,
        after: Mapping[str, Any] | None = None,
        level: str = "",
    ) -> list[tuple[Any, ...]]:
        """The first `number` books (id, sort values, …) found by walking the sort's index from one
        end, or from behind a cursor, where a part of it should do that reads less than finding all;
        none where it does not."""
        match = self.listing.match
        if match and sort[0] in ("id", "-id") and self._searches_in_part:
            return []
        marked = self.marked if level and self.marked_hits else {}
        every = self.number if marked else self.every
        most = WALKED_ROWS + WALKED_FACTOR * number * every // max(self.number, 1)
        costs = db.dialect.looking_costs if match else 1
        if most * costs > self.number or not statements.can_walk(self.shape, sort):
            return []
        walked = statements.walked(self.shape, sort, backwards, bool(after), bool(marked))
        values = {**self.values, **(after or {}), **marked, "most": most}
        rows = fetch(self.connection, walked, values)
        if match:
            finds = finder(match, level)
            rows = [row for row in rows if finds(row[-1])]
        return rows[:number] if len(rows) >= number else []

    @property
    def _searches_in_part(self) -> bool:
        """Whether a search by id ends once enough is found."""
        match = self.listing.match
        is_prefix = match and any(term.prefix for term in match.terms)
        return db.dialect.looks_up_fast and not is_prefix  # all that begins so is read first

    @property
    def _walks_far(self) -> bool:
        by_id = self.sort[0] in ("id", "-id")  # most are found so
        return not by_id and statements.can_walk(self.shape, self.sort) and self.may_be_marked

    @property
    def _is_by_level(self) -> bool:
        return self.sort == BY_RELEVANCE and self.shape.search == "terms"

    def _by_level(
        self, wanted: int, skipped: int = 0, after: tuple[Any, ...] = ()
    ) -> list[tuple[int, int]]:
        """(id, relevance) of so many books by relevance, behind those `skipped` or behind a cursor:
        level by level, until there are enough."""
        found: list[tuple[int, int]] = []
        begun, book_id = after or (len(LEVELS), 0)
        for relevance, level in zip(range(len(LEVELS) - 1, -1, -1), LEVELS):
            if relevance > begun:
                continue
            left, behind = wanted - len(found), {"after_0": book_id} if relevance == begun else {}
            walked = level != EXACT and self._walked(
                BY_ID, skipped + left, after=behind, level=level
            )
            query = statements.at_level(self.shape, level, bool(behind))
            ids = (
                [row[0] for row in walked[skipped:]]
                if walked
                else self._ids(query, limit=left, offset=skipped, **behind)
            )
            found += [(book_id, relevance) for book_id in ids]
            if len(found) == wanted:
                break
            if skipped and not ids:
                skipped -= min(skipped, self._ids(statements.count_level(self.shape, level))[0])
            else:
                skipped = 0
        return found

    @property
    def _is_by_edges(self) -> bool:
        """Whether no index has the whole catalogue in this order, but one that of the first key."""
        is_reversed = self.sort[0][0] == "-" and not db.dialect.looks_up_fast
        return self.shape == Shape() and len(self.sort) > (1 if is_reversed else 2)

    def _between_edges(self, first: int, last: int, backwards: bool) -> list[int]:
        """The ids of a page that is sorted by several keys: the books between the first keys of its
        first and its last book are sorted, no others."""
        edge = statements.edge(self.sort, backwards)
        values = {
            name: self._ids(edge, offset=place)[0]
            for name, place in (("edge", first), ("other_edge", last - 1))
        }
        before = self._ids(statements.before_edge(self.sort, backwards), **values)[0]
        between = statements.between_edges(self.sort, backwards)
        return self._ids(between, limit=last - first, offset=first - before, **values)

    def behind_cursor(self) -> tuple[list[int], str | None]:
        """The ids behind the cursor, and the cursor to go on with."""
        limit, after = self.listing.limit, self.listing.after
        bound = {f"after_{index}": value for index, value in enumerate(after)}
        rows = self._walked(self.sort, limit + 1, after=bound)
        if self._is_by_level:
            rows = [(each, level, each) for each, level in self._by_level(limit + 1, 0, after)]
        elif not rows:
            edges = self._is_by_edges and self._ids(
                statements.edge(self.sort, False, bool(after)), offset=limit, **bound
            )
            bound |= {"edge": edges[0]} if edges else {}
            query = statements.onward(self.shape, self.sort, bool(after), "edge" in bound)
            rows = fetch(self.connection, query, {"limit": limit + 1, **self.values, **bound})
        ids = [row[0] for row in rows[:limit]]
        if len(rows) <= limit:
            return ids, None
        return ids, cursors.write(self.sort, list(rows[limit - 1][1 : len(self.sort) + 1]))


def _values(connection: Connection, listing: Listing) -> dict[str, Any]:
    """The values of the listing's statements, the search in the words of this database."""
    values = dict(listing.values)
    if listing.shape.search in ("terms", "without"):
        match = listing.match or Match(())
        values |= expressions(db.dialect.full_text, match, listing.shape.in_trash)
    return values


def _records(
    connection: Connection, ids: list[int], fields: tuple[str, ...]
) -> list[dict[str, Any]]:
    if not ids:
        return []
    rows = db.dialect.fetch_wide(
        connection,
        statements.rows(fields, len(ids)),
        {f"id_{index}": book_id for index, book_id in enumerate(ids)},
    )
    by_id = {row[0]: row for row in rows}
    return records.from_rows(fields, [by_id[book_id] for book_id in ids])


def export(listing: Listing) -> tuple[tuple[int, int], Generator[dict[str, Any]]]:
    """The revision and size of the catalogue, and every matching record of it, one by one."""
    records_of_state = _states_and_records(listing)
    return next(records_of_state), records_of_state


def stream(listing: Listing) -> Generator[dict[str, Any]]:
    """Every matching record, one by one."""
    return export(listing)[1]


def _states_and_records(listing: Listing) -> Generator[Any]:
    with db.read(limited=False) as connection:
        yield tuple(fetch(connection, _STATE)[0])
        values = _values(connection, listing)
        if statements.is_sorted_by_index(listing.shape, listing.sort):
            found = connection.execute(
                statements.everything(listing.shape, listing.sort, listing.fields),
                values,
                execution_options={"yield_per": STREAMED_ROWS},
            )
            for rows in found.partitions():
                yield from records.from_rows(listing.fields, list(rows))
            return
        # Databases sort in memory: ids and keys, not whole rows.
        query = statements.page(listing.shape, listing.sort, False)
        every = fetch(connection, query, {**values, "limit": 2**62, "offset": 0})
        ids = array("q", (row[0] for row in every))
        del every
        for start in range(0, len(ids), STREAMED_ROWS):
            yield from _records(
                connection, list(ids[start : start + STREAMED_ROWS]), listing.fields
            )


def one(book_id: int) -> tuple[dict[str, Any], bool] | None:
    """The record of that id and whether it is in the trash; None where there never was one."""
    with db.read() as connection:
        rows = db.dialect.fetch_wide(connection, _ONE, {"id": book_id})
    return (records.from_rows(FIELDS, rows)[0], rows[0][-1] is not None) if rows else None


def by_isbn(digits: str) -> tuple[dict[str, Any], int] | None:
    """The record of an ISBN, its own before another book's further one; and the revision read."""
    with db.read() as connection:
        values = {"isbn": digits}
        rows = db.dialect.fetch_wide(connection, _BY_ISBN, values)
        rows = rows or db.dialect.fetch_wide(connection, _BY_FURTHER_ISBN, values)
        return (records.from_rows(FIELDS, rows)[0], revision_of(connection)) if rows else None
