"""The reads beside pages: one book, and all of a list."""

from array import array
from collections.abc import Generator
from typing import Any

from sqlalchemy import bindparam

from ...catalogue import revision_of
from ...db import db
from .. import records
from ..models import Book
from ..schemas import FIELDS
from . import statements
from .filters import has_isbn
from .listing import Listing
from .matches import Matches
from .pages import records_of

STREAMED_ROWS = 200  # fetched at a time: in constant memory

_ONE = records.selection(FIELDS, Book.deleted_at).where(Book.id == bindparam("id"))
_BY_ISBN = records.selection().where(Book.live_isbn == bindparam("isbn"))
_BY_FURTHER_ISBN = (
    records.selection()
    .where(Book.deleted_at.is_(None), has_isbn([bindparam("isbn")]))
    .order_by(Book.id)
    .limit(1)
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


def export(listing: Listing) -> tuple[tuple[int, int], Generator[dict[str, Any]]]:
    """The revision and size of the catalogue, and every matching record of it, one by one."""
    state_and_records = _export(listing)
    return next(state_and_records), state_and_records


def _export(listing: Listing) -> Generator[Any]:
    """First the state, then the records: one generator, so that the transaction ends with it."""
    with db.read(limited=False) as connection:
        matches = Matches(connection, listing)
        yield matches.revision, matches.catalogue_total
        if statements.is_sorted_by_index(listing.shape, listing.sort):
            found = connection.execute(
                statements.everything(listing.shape, listing.sort, listing.fields),
                matches.values,
                execution_options={"yield_per": STREAMED_ROWS},
            )
            for rows in found.partitions():
                yield from records.from_rows(listing.fields, list(rows))
            return
        # Databases sort in memory: ids and keys, not whole rows.
        query = statements.page(listing.shape, listing.sort, False)
        ids = array("q", matches.column(query, limit=2**62, offset=0))
        for start in range(0, len(ids), STREAMED_ROWS):
            some = list(ids[start : start + STREAMED_ROWS])
            yield from records_of(connection, some, listing.fields)
