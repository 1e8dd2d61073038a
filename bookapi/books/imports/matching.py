"""Which book a record is (docs/api.md, Importing): five rules, in one place.

1. An own export's record is the book with its id and created_at.
2. With an ISBN: the book that has it, of several that share it the one with the same title, number
   in the series and edition.
3. Else by its key: the record's id in its program, or the first identifier that names no work.
4. With neither: a book that agrees in all its fields is unchanged.
5. Two records of one import are one book where they share ISBN, title, number and edition:
   `edition_of` is what they are compared by, before the books are looked up.
"""

import functools
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import bindparam
from sqlalchemy.engine import Connection

from ...text import fold, key
from .. import records, store
from ..models import Book
from ..schemas import FIELDS
from .cells import Issue
from .profiles import WORK_SCHEMES


class ImportRow(NamedTuple):
    """A valid record: where it stands, its fields, identifiers beside them, and what it is known
    by.
    """

    number: int
    line: int | None
    values: dict[str, Any]
    adds: list[dict[str, str]]
    own: tuple[int, str, int | None, str | None] | None
    key: tuple[str, str] | None

    @property
    def work_key(self) -> tuple[str, str] | None:
        """The record's id in its program, else its first identifier that names no work."""
        if self.key:
            return self.key
        for each in self.values.get("identifiers") or ():
            if each["scheme"] not in WORK_SCHEMES:
                return each["scheme"], each["value"]
        return None


class Match(NamedTuple):
    """The book that a record is (None: a new one), whether its ISBN is kept as an identifier only,
    what there is to say, the field that this or the match is about, and whether the record is
    rejected for it.
    """

    book: dict[str, Any] | None
    isbn_as_identifier: bool = False
    issue: Issue | None = None
    field: str | None = None
    is_rejected: bool = False


def edition_of(values: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """What tells volumes and editions apart that share an ISBN."""
    return fold(values["title"]), values.get("series_number"), values.get("edition")


class StoredBooks:
    """The stored books that a batch of records may be."""

    def __init__(self, records: Iterable[dict[str, Any]]):
        self.by_id: dict[int, dict[str, Any]] = {}
        self.by_isbn: dict[str, dict[str, Any]] = {}
        self.by_identifier: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for book in sorted(records, key=lambda record: record["id"]):
            if book["id"] not in self.by_id:
                self.by_id[book["id"]] = book
                if book["isbn"]:
                    self.by_isbn[book["isbn"]] = book
                for each in book["identifiers"]:
                    self.by_identifier.setdefault((each["scheme"], each["value"]), []).append(book)

    @functools.cached_property
    def by_title(self) -> dict[str, list[dict[str, Any]]]:
        """The books by the folded form of their titles, oldest first."""
        found: dict[str, list[dict[str, Any]]] = {}
        for book in self.by_id.values():
            found.setdefault(key(book["title"]), []).append(book)
        return found


class Matcher:
    """The five rules over one import.

    It remembers the ids of the books that its records are or made (`taken`) and the ISBNs that they
    use (`given`, as numbers); those of a batch count for good once it is accepted.
    """

    def __init__(self, stale: str = "reject"):
        self._stale = stale
        self._taken: set[int] = set()
        self._given: set[int] = set()
        self._new_taken: set[int] = set()
        self._new_given: set[int] = set()

    def take(self, book_id: int | None, *isbns: str | None) -> None:
        """A record is this book (None: a new one) and uses these ISBNs."""
        if book_id is not None:
            self._new_taken.add(book_id)
        self._new_given |= {int(digits) for digits in isbns if digits}

    def accept(self, book_ids: Iterable[int] = ()) -> None:
        """The batch was written, with new books of these ids."""
        self._taken |= self._new_taken | set(book_ids)
        self._given |= self._new_given
        self.forget()

    def forget(self) -> None:
        """The batch is to be matched again."""
        self._new_taken, self._new_given = set(), set()

    def concerns(self, book_id: int, isbn: str | None) -> bool:
        """Whether a record is this book, or uses its ISBN."""
        return book_id in self._taken or (isbn is not None and int(isbn) in self._given)

    def _is_taken(self, book: dict[str, Any]) -> bool:
        return book["id"] in self._taken or book["id"] in self._new_taken

    def _is_given(self, digits: str) -> bool:
        return int(digits) in self._given or int(digits) in self._new_given

    def match(
        self,
        row: ImportRow,
        stored: StoredBooks,
        in_trash: Collection[tuple[int, str]] = (),
    ) -> Match:
        """The book that a record is. `in_trash`: (id, created_at) of books in the trash."""
        note: Issue | None = None
        if row.own:
            book = stored.by_id.get(row.own[0])
            if book and book["created_at"] == row.own[1]:
                return self._own(row, book, stored)
            if row.own[:2] in in_trash:
                note = Issue("in-trash", "is a book in the trash; a new one is made")
        digits = row.values.get("isbn")
        found = self._by_isbn(row, digits, stored) if digits else None
        found = found or self._by_key(row, stored)
        if found is None and not digits and row.work_key is None:
            found = self._by_all_fields(row, stored)
        found = found or Match(None)
        if found.book is None and note and not found.issue:
            found = found._replace(issue=note)
        return found

    def _own(self, row: ImportRow, book: dict[str, Any], stored: StoredBooks) -> Match:
        assert row.own is not None  # noqa: S101
        if self._is_taken(book):
            issue = Issue("record-repeated", "an earlier record is the same book")
            return Match(book, issue=issue, field="id", is_rejected=True)
        _, _, version, updated_at = row.own
        is_older = version is not None and (
            book["version"] > version
            or (book["version"] == version and updated_at not in (None, book["updated_at"]))
        )
        if is_older and self._stale == "reject" and not agrees(book, row):
            issue = Issue("stale", f"the book has changed since: its version is {book['version']}")
            return Match(book, issue=issue, field="version", is_rejected=True)
        digits = row.values.get("isbn")
        owner = stored.by_isbn.get(digits) if digits else None
        if digits and book["isbn"] != digits and (owner or self._is_given(digits)):
            return Match(book, True, _ISBN_TAKEN, "isbn")
        return Match(book, field="id")

    def _by_isbn(self, row: ImportRow, digits: str, stored: StoredBooks) -> Match | None:
        owner = stored.by_isbn.get(digits)
        candidates = [owner] if owner else []
        candidates += [
            book
            for book in stored.by_identifier.get(("isbn", digits), ())
            if book["isbn"] in (None, digits)
        ]
        candidates = [book for book in candidates if not self._is_taken(book)]
        is_free = owner in candidates and not self._is_given(digits)
        if is_free and len(candidates) == 1:  # whatever its edition
            return Match(owner, field="isbn")
        edition = candidates and edition_of(row.values)
        if same := [book for book in candidates if edition_of(book) == edition]:
            book = _most_alike(same, row)
            return Match(book, book["isbn"] != digits, field="isbn")
        if is_free:
            return Match(owner, field="isbn")
        if owner or self._is_given(digits):
            return Match(None, True, _ISBN_TAKEN, "isbn")
        return None

    def _by_key(self, row: ImportRow, stored: StoredBooks) -> Match | None:
        if row.work_key is None:
            return None
        digits, edition = row.values.get("isbn"), edition_of(row.values)
        candidates = [
            book
            for book in stored.by_identifier.get(row.work_key, ())
            if not self._is_taken(book)
            and (book["isbn"] is None or not digits or book["isbn"] == digits)
            and (row.key is not None or edition_of(book) == edition)
        ]
        if not candidates:
            return None
        return Match(_most_alike(candidates, row), field="identifiers")

    def _by_all_fields(self, row: ImportRow, stored: StoredBooks) -> Match | None:
        books = stored.by_title.get(key(row.values["title"]), ())
        for book in books:
            if not self._is_taken(book) and agrees(book, row):
                return Match(book, field="title")
        authors = [fold(name) for name in (row.values.get("authors") or [])[:1]]
        for book in books:
            same_author = [fold(name) for name in book["authors"][:1]] == authors
            if same_author and not self._is_taken(book):
                issue = Issue("title-known", f"book {book['id']} has the same title and author")
                return Match(None, issue=issue, field="title")
        return None


_ISBN_TAKEN = Issue("isbn-taken", "is the ISBN of another book; kept as an identifier")


def _most_alike(books: list[dict[str, Any]], row: ImportRow) -> dict[str, Any]:
    """Of several books the first one that a record would not change, else the first."""
    others = books if len(books) > 1 else []
    return next((book for book in others if agrees(book, row)), books[0])


def agrees(book: dict[str, Any], row: ImportRow) -> bool:
    """Whether a book has all that a record says already."""
    return not changed_fields(book, row, False)


def changed_fields(
    book: dict[str, Any] | None, row: ImportRow, isbn_as_identifier: bool
) -> dict[str, Any]:
    """What a record changes in a book; with None: the fields of a new one."""
    values = dict(row.values)
    digits = values.get("isbn")
    adds = row.adds
    if digits and (
        isbn_as_identifier
        or (book and book["isbn"] is None and _identifier(digits) in book["identifiers"])
    ):
        del values["isbn"]
        adds = [_identifier(digits), *adds]
    if adds:
        own = values.get("isbn", book and book["isbn"])
        identifiers = values.get("identifiers")
        if identifiers is None:
            identifiers = book["identifiers"] if book else []
        new = [each for each in adds if each not in identifiers and each != _identifier(own)]
        if new:
            values["identifiers"] = [*identifiers, *new][:50]
    if book is None:
        return values
    return {name: value for name, value in values.items() if book[name] != value}


def _identifier(digits: str | None) -> dict[str, Any]:
    return {"scheme": "isbn", "value": digits}


# -- the books that may be those of some rows

_BY_IDS = records.selection(FIELDS).where(
    Book.id.in_(bindparam("ids", expanding=True)), Book.deleted_at.is_(None)
)
_BY_TITLES = records.selection(FIELDS).where(
    Book.title_key.in_(bindparam("titles", expanding=True)), Book.deleted_at.is_(None)
)
_TRASH = records.selection(("id", "created_at")).where(
    Book.id.in_(bindparam("ids", expanding=True)), Book.deleted_at.is_not(None)
)


def candidates(connection: Connection, rows: list[ImportRow]) -> Iterator[dict[str, Any]]:
    """The stored books that these rows may be."""
    if ids := [row.own[0] for row in rows if row.own]:
        yield from _fetch(connection, _BY_IDS, ids=ids)
    digits = {row.values["isbn"] for row in rows if row.values.get("isbn")}
    yield from store.by_isbns(connection, digits)
    wanted = {known_by for row in rows if (known_by := row.work_key)}
    wanted |= {("isbn", number) for number in digits}
    yield from store.by_identifiers(connection, wanted)
    titles = {
        key(row.values["title"])
        for row in rows
        if not row.values.get("isbn") and row.work_key is None
    }
    if titles:
        yield from _fetch(connection, _BY_TITLES, titles=list(titles))


def _fetch(connection: Connection, statement: Any, **values: Any) -> list[dict[str, Any]]:
    return records.from_rows(FIELDS, list(map(tuple, connection.execute(statement, values).all())))


def in_trash(
    connection: Connection, rows: list[ImportRow], stored: StoredBooks
) -> set[tuple[int, str]]:
    """(id, created_at) of the books in the trash that these rows were exported from."""
    ids = [row.own[0] for row in rows if row.own and row.own[0] not in stored.by_id]
    found = connection.execute(_TRASH, {"ids": ids}).all() if ids else []
    return {(row[0], row[1]) for row in found}
