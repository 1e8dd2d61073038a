"""A page of a list, found by the way that reads least (docs/architecture.md, Which index finds a
page)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from ...db import db
from ...db.failures import TooSlow
from ...db.search import EXACT, LEVELS, Match, finder
from .. import records
from . import cursors, facets, statements
from .listing import WHOLE, Listing
from .matches import Matches
from .sorting import BY_ID, BY_RELEVANCE

# Rows of an index that are walked for a page: so many and this many times what is needed if the
# books stand in it evenly. Where that does not do, all books found are sorted; or all of the index
# is walked, for sorting a book takes so many times as long as passing one.
WALKED_ROWS, WALKED_FACTOR = 100, 3
SORTED_FACTOR = 16


class Page(NamedTuple):
    """A page of a list: the records, the number of books on all pages, the revision that they show
    (None: another read of this revision may find others), the cursor of the next page (None: this
    is the last) and the facets."""

    records: list[dict[str, Any]]
    total: int
    revision: int | None
    cursor: str | None = None
    facets: dict[str, list[dict[str, Any]]] = {}


def page(listing: Listing) -> Page:
    """A page of the list; a 503 that names the parameters to narrow where it takes too long."""
    try:
        with db.read() as connection:
            matches, cursor = Matches(connection, listing), None
            if not matches.total:
                ids = []
            elif listing.page:
                ids = _by_number(matches, listing.page)
            else:
                ids, cursor = _after_cursor(matches)
            shown = records_of(connection, ids, listing.fields)
            counts = {
                name: matches.once(name, partial(facets.commonest, name, matches))
                for name in listing.facets
            }
        revision = matches.revision if matches.is_repeatable else None
        return Page(shown, matches.total, revision, cursor, counts)
    except TooSlow as error:
        slow = {"facets": listing.facets, "q": listing.match, "page": (listing.page or 1) > 1}
        names = [*[name for name, given in slow.items() if given], *listing.shape.names]
        less = ", ".join(names) or "limit"
        raise TooSlow(f"narrow one of these parameters: {less}") from error


def records_of(
    connection: Connection, ids: list[int], fields: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The records of these books, in this order."""
    if not ids:
        return []
    query = statements.rows(fields, len(ids))
    values = {f"id_{index}": book_id for index, book_id in enumerate(ids)}
    by_id = {row[0]: row for row in db.dialect.fetch_wide(connection, query, values)}
    return records.from_rows(fields, [by_id[book_id] for book_id in ids])


def _by_number(matches: Matches, number: int) -> list[int]:
    """The ids of the page of that number, read from the end of the list that is nearer."""
    shape, sort, total = matches.shape, matches.listing.sort, matches.total
    first = (number - 1) * matches.listing.limit
    last = min(first + matches.listing.limit, total)
    if first >= total:
        return []
    wanted, backwards = last - first, first > total - last
    if backwards:
        first, last = total - last, total - first
    if rows := _walked(matches, sort, last, backwards):
        ids = [row[0] for row in rows[first:]]
    elif _has_levels(matches) and not backwards:
        ids = [book_id for book_id, _ in _by_level(matches, wanted, first)]
    elif _has_edges(matches):
        ids = _between_edges(matches, first, last, backwards)
    elif (
        total * SORTED_FACTOR > matches.catalogue_total
        and sort[0] not in ("id", "-id")  # most are found so
        and statements.can_walk(shape, sort)
        and matches.can_be_marked
    ):
        condition, values = matches.walk_by()
        query = statements.among(condition, sort, backwards)
        ids = matches.column(query, limit=wanted, offset=first, **values)
    else:
        query = statements.page(shape, sort, backwards)
        ids = matches.column(query, limit=wanted, offset=first)
    return ids[::-1] if backwards else ids


def _after_cursor(matches: Matches) -> tuple[list[int], str | None]:
    """The ids after the cursor, and the cursor to go on with."""
    sort, limit, after = matches.listing.sort, matches.listing.limit, matches.listing.after
    bound = {f"after_{index}": value for index, value in enumerate(after)}
    rows: list[tuple[Any, ...]]
    if _has_levels(matches):
        found = _by_level(matches, limit + 1, after=after)
        rows = [(each, relevance, each) for each, relevance in found]
    elif not (rows := _walked(matches, sort, limit + 1, after=bound)):
        if _has_edges(matches):
            edges = matches.column(statements.edge(sort, False, bool(after)), offset=limit, **bound)
            bound |= {"edge": edges[0]} if edges else {}
        query = statements.onward(matches.shape, sort, bool(after), "edge" in bound)
        rows = matches.rows(query, limit=limit + 1, **bound)
    ids = [row[0] for row in rows[:limit]]
    if len(rows) <= limit:
        return ids, None
    return ids, cursors.write(sort, list(rows[limit - 1][1 : len(sort) + 1]))


# -- the ways --------------------------------------------------------------------------------------


def _walked(
    matches: Matches,
    sort: tuple[str, ...],
    number: int,
    backwards: bool = False,
    after: Mapping[str, Any] | None = None,
    level: str = "",
) -> list[tuple[Any, ...]]:
    """The first `number` books (id, sort values, …) found by walking the sort's index from one end,
    or from a cursor, where a part of it should do that reads less than finding all; none
    where it does not."""
    match = matches.listing.match
    if match and sort[0] in ("id", "-id") and _ends_early(match):
        return []
    marked = matches.marked if level and matches.marked_hits else {}
    every = matches.total if marked else matches.catalogue_total
    most = WALKED_ROWS + WALKED_FACTOR * number * every // matches.total
    costs = db.dialect.looking_costs if match else 1
    if most * costs > matches.total or not statements.can_walk(matches.shape, sort):
        return []
    query = statements.walked(matches.shape, sort, backwards, bool(after), bool(marked))
    rows = matches.rows(query, most=most, **(after or {}), **marked)
    if match:
        finds = finder(match, level)
        rows = [row for row in rows if finds(row[-1])]
    return rows[:number] if len(rows) >= number else []


def _ends_early(match: Match) -> bool:
    """Whether a search by id ends once enough is found. (All that begins like a prefix is read
    first.)"""
    return db.dialect.looks_up_fast and not any(term.prefix for term in match.terms)


def _has_levels(matches: Matches) -> bool:
    return matches.listing.sort == BY_RELEVANCE and matches.shape.search == "terms"


def _by_level(
    matches: Matches, wanted: int, skipped: int = 0, after: tuple[Any, ...] = ()
) -> list[tuple[int, int]]:
    """(id, relevance) of so many books by relevance, after those `skipped` or after a cursor:
    level by level, until there are enough."""
    found: list[tuple[int, int]] = []
    begun, book_id = after or (len(LEVELS), 0)
    for relevance, level in zip(range(len(LEVELS) - 1, -1, -1), LEVELS):
        if relevance > begun:
            continue
        left, start = wanted - len(found), {"after_0": book_id} if relevance == begun else {}
        rows = level != EXACT and _walked(matches, BY_ID, skipped + left, after=start, level=level)
        if rows:
            ids = [row[0] for row in rows[skipped:]]
        else:
            query = statements.at_level(matches.shape, level, bool(start))
            ids = matches.column(query, limit=left, offset=skipped, **start)
        found += [(book_id, relevance) for book_id in ids]
        if len(found) == wanted:
            break
        if skipped and not ids:
            skipped -= min(skipped, matches.column(statements.count(matches.shape, level))[0])
        else:
            skipped = 0
    return found


def _has_edges(matches: Matches) -> bool:
    """Whether no index has the whole catalogue in this order, but one that of the first key."""
    sort = matches.listing.sort
    is_reversed = sort[0][0] == "-" and not db.dialect.looks_up_fast
    return matches.shape == WHOLE and len(sort) > (1 if is_reversed else 2)


def _between_edges(matches: Matches, first: int, last: int, backwards: bool) -> list[int]:
    """The ids of a page that is sorted by several keys: the books between the first keys of its
    first and its last book are sorted, no others."""
    sort = matches.listing.sort
    edge = statements.edge(sort, backwards)
    edges = {
        "edge": matches.column(edge, offset=first)[0],
        "other_edge": matches.column(edge, offset=last - 1)[0],
    }
    before = matches.column(statements.before_edge(sort, backwards), **edges)[0]
    query = statements.between_edges(sort, backwards)
    return matches.column(query, limit=last - first, offset=first - before, **edges)
