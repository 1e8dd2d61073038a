"""What can be done to a book: units for `db.write`. Everything that changes the catalogue passes here.

Each unit takes the catalogue's row first. Its lock puts writers in order on every database, and what is read
after it is the newest state, so a check made here (is this ISBN taken?) holds until the commit.
"""
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from ..db import Catalogue, now
from ..problems import Problem, invalid
from ..text import key
from . import dates, search
from .models import LIST_TABLES, Book, BookWords, lists_of
from .schemas import book_schema

Check = Callable[[dict | None], None]
Document = Callable[[], Any]  # gives what was sent, or raises what is wrong with it


class IsbnTaken(Exception):
    """Another book has this ISBN; `book_id` is its id."""

    def __init__(self, book_id: int):
        super().__init__(book_id)
        self.book_id = book_id


def lock(session: Session) -> Catalogue:
    """The catalogue's row, held until the commit."""
    return session.get(Catalogue, 1, with_for_update=True)


# -- the units ----------------------------------------------------------------------------------------------------

def create(session: Session, values: dict[str, Any]) -> dict:
    """A new book of valid values; returns its record."""
    catalogue = lock(session)
    refuse_taken(session, values.get("isbn"))
    return _stored(session, catalogue, make(catalogue, values))


def replace(session: Session, book_id: int, document: Document, check: Check) -> dict:
    """The book with all its fields from the document, those not sent cleared; returns its record."""
    catalogue, book = lock(session), fetch(session, book_id)
    check(_state(book))
    return _changed(session, catalogue, book, book_schema.load(document()))


def patch(session: Session, book_id: int, document: Document, check: Check) -> dict:
    """The book with the fields of the document, those not sent as they were; returns its record."""
    catalogue, book = lock(session), fetch(session, book_id)
    check(_state(book))
    return _changed(session, catalogue, book, book_schema.load(document(), partial=True))


def delete(session: Session, book_id: int, check: Check) -> None:
    """The book goes to the trash; its ISBN is free again."""
    catalogue, book = lock(session), fetch(session, book_id)
    check(_state(book))
    book.deleted_at = book.updated_at = now()
    catalogue.seq += 1
    catalogue.total -= 1
    session.flush()
    write_words(session, [book])


def put_isbn(session: Session, digits: str, document: Document, check: Check) -> tuple[dict, bool]:
    """The book of that ISBN, created or replaced; returns its record and whether it is new."""
    catalogue = lock(session)
    book = session.scalar(select(Book).where(Book.live_isbn == digits))
    check(book and _state(book))
    sent = document()
    values = book_schema.load(sent)
    if "isbn" in sent and values["isbn"] != digits:
        raise invalid([{"field": "isbn", "detail": "is another one than the address names; leave it out or mend it"}])
    values["isbn"] = digits
    if book is None:
        return _stored(session, catalogue, make(catalogue, values)), True
    return _changed(session, catalogue, book, values), False


# -- their parts --------------------------------------------------------------------------------------------------

def fetch(session: Session, book_id: int) -> Book:
    """The book of that id; 404 where there never was one, 410 where it is in the trash."""
    book = session.get(Book, book_id)
    if book is None:
        raise Problem(404, "there is no book of that id")
    if book.deleted_at is not None:
        raise Problem(410, "the book is in the trash")
    return book


def refuse_taken(session: Session, digits: str | None, by_other_than: int | None = None) -> None:
    """Raises IsbnTaken where another live book has the ISBN."""
    if digits is not None:
        owner = session.scalar(select(Book.id).where(Book.live_isbn == digits))
        if owner not in (None, by_other_than):
            raise IsbnTaken(owner)


def make(catalogue: Catalogue, values: dict[str, Any]) -> Book:
    """A new book with the next id, not stored yet."""
    catalogue.last_id += 1
    catalogue.seq += 1
    catalogue.total += 1
    instant = now()
    book = Book(id=catalogue.last_id, created_at=instant, updated_at=instant, authors=[], subjects=[], identifiers=[])
    _set(book, values)
    return book


def apply(catalogue: Catalogue, book: Book, values: dict[str, Any]) -> set[str]:
    """Give a stored book these values; returns the fields that differ. Where none does, nothing changes at all."""
    changed = _set(book, values)
    if changed:
        book.updated_at = now()
        catalogue.seq += 1
    return changed


def _set(book: Book, values: dict[str, Any]) -> set[str]:
    changed = {name for name, value in values.items() if getattr(book, name) != value}
    for name in changed:
        setattr(book, name, values[name])
    for name, column, make_key in _KEYS:
        if name in changed:
            value = getattr(book, name)
            setattr(book, column, make_key(value) if value else None)
    return changed


EVERY = frozenset(book_schema.fields)  # fields of a book: all of them are new

# What is compared and sorted by: field, column, and the function that makes the one from the other.
_KEYS = (("title", "title_key", key), ("authors", "author_key", lambda names: key(names[0])),
         ("publisher", "publisher_key", key), ("series", "series_key", key),
         ("published", "published_key", dates.sort_key))


def write_lists(session: Session, books: Iterable[tuple[Book, set[str]]], new: bool = False) -> None:
    """Bring the tables of lists and words in line with the books, for the fields named beside each."""
    write_words(session, [book for book, fields in books if fields & search.SEARCHED], new)
    for field, table in LIST_TABLES.items():
        concerned = [book for book, fields in books if field in fields]
        if concerned and not new:
            session.execute(sql_delete(table).where(table.book_id.in_([book.id for book in concerned])))
        rows = [row for book in concerned for row in lists_of(book, field)]
        if rows:
            session.execute(insert(table), rows)


def write_words(session: Session, books: list[Book], new: bool = False) -> None:
    """Bring the index of words in line with the books."""
    rows = []
    for book in books:
        searched = {name: getattr(book, name) for name in search.SEARCHED}
        rows.append({"book_id": book.id, "words": search.text_of(searched, in_trash=book.deleted_at is not None)})
    if rows:
        session.execute(insert(BookWords) if new else update(BookWords), rows)


def _stored(session: Session, catalogue: Catalogue, book: Book) -> dict:
    session.add(book)
    session.flush()
    write_lists(session, [(book, EVERY)], new=True)
    return book_schema.dump(book)


def _changed(session: Session, catalogue: Catalogue, book: Book, values: dict[str, Any]) -> dict:
    refuse_taken(session, values.get("isbn"), by_other_than=book.id)
    changed = apply(catalogue, book, values)
    session.flush()
    write_lists(session, [(book, changed)])
    return book_schema.dump(book)


def _state(book: Book) -> dict:
    return {"id": book.id, "version": book.version}
