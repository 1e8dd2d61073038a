"""The tables of the catalogue.

A row of `books` is the whole record, its lists as JSON, so that a read is one SELECT without joins.
The tables of authors, subjects and identifiers hold the same values folded, one per row, for
filters; `lists_of` derives them.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Computed, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import TABLE_OPTIONS, Base, BigId, Instant, JsonList, LongText, now, search
from ..text import KEY_LENGTH, key

# What sorts after all values of a key, in ascending and in descending order.
LAST = {
    "author_key": "2",  # the keys of texts begin with 1
    "author_desc_key": "0",
    "published_key": 2**31 - 1,
    "published_desc_key": 1 - 2**31,
}


class Book(Base):
    """A book. The `…_key` columns are compared and sorted by; a book in the trash has a
    `deleted_at`. Books without an author or date have the `LAST` of these keys."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(2000))
    subtitle: Mapped[str | None] = mapped_column(String(2000))
    authors: Mapped[list[Any]] = mapped_column(JsonList, default=list)
    isbn: Mapped[str | None] = mapped_column(String(13))
    publisher: Mapped[str | None] = mapped_column(String(500))
    published: Mapped[str | None] = mapped_column(String(11))
    language: Mapped[str | None] = mapped_column(String(100))
    series: Mapped[str | None] = mapped_column(String(500))
    series_number: Mapped[str | None] = mapped_column(String(50))
    edition: Mapped[str | None] = mapped_column(String(200))
    pages: Mapped[int | None] = mapped_column(Integer)
    description: Mapped[str | None] = mapped_column(LongText)
    subjects: Mapped[list[Any]] = mapped_column(JsonList, default=list)
    identifiers: Mapped[list[Any]] = mapped_column(JsonList, default=list)
    cover_url: Mapped[str | None] = mapped_column(String(2000))
    location: Mapped[str | None] = mapped_column(String(200))
    call_number: Mapped[str | None] = mapped_column(String(100))
    copies: Mapped[int | None] = mapped_column(Integer)
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    updated_at: Mapped[datetime] = mapped_column(Instant, default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)

    title_key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    author_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    author_desc_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    publisher_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    series_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    location_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    call_number_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    published_key: Mapped[int | None] = mapped_column(Integer)
    published_desc_key: Mapped[int | None] = mapped_column(Integer)
    # The ISBN of a book outside the trash: the database ensures that no two of these are equal.
    live_isbn: Mapped[str | None] = mapped_column(
        String(13),
        Computed("CASE WHEN deleted_at IS NULL THEN isbn END", persisted=False),
        unique=True,
    )

    # Every list is of one state, in the trash or not: with that in front each index covers the
    # choice of a page.
    __table_args__ = (
        Index(None, "deleted_at", "id"),
        *[
            Index(None, "deleted_at", name, "id")
            for name in (
                "title_key",
                "author_key",
                "publisher_key",
                "series_key",
                "published_key",
                "language",
                "created_at",
                "updated_at",
            )
        ],
        Index(None, "location_key", "deleted_at", "id"),
        Index(None, "call_number_key", "deleted_at", "id"),
        TABLE_OPTIONS,
    )
    # Nobody reads `live_isbn` from an object: do not fetch it after each insert.
    __mapper_args__ = {"version_id_col": version, "eager_defaults": False}


for _column in (Book.author_desc_key, Book.published_desc_key):
    Index(f"ix_books_deleted_at_{_column.key}_id", Book.deleted_at, _column.desc(), Book.id)


class BookAuthor(Base):
    __tablename__ = "book_authors"
    __table_args__ = (Index(None, "name_key", "book_id"), TABLE_OPTIONS)

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(500))
    name_key: Mapped[str] = mapped_column(String(KEY_LENGTH))


class BookSubject(Base):
    __tablename__ = "book_subjects"
    __table_args__ = (Index(None, "name_key", "book_id"), TABLE_OPTIONS)

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(KEY_LENGTH))


class BookIdentifier(Base):
    __tablename__ = "book_identifiers"
    __table_args__ = (Index(None, "scheme", "value", "book_id"), TABLE_OPTIONS)

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    scheme: Mapped[str] = mapped_column(String(32))
    value: Mapped[str] = mapped_column(String(500))


class BookWords(Base):
    """The tokens that the full-text index reads (`db.search`). A migration creates the index."""

    __tablename__ = search.TABLE
    __table_args__ = TABLE_OPTIONS

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    words: Mapped[str] = mapped_column(LongText)


class Term(Base):
    """An author, subject, publisher, … and the number of books outside the trash that have it
    (`books.terms`)."""

    __tablename__ = "terms"
    __table_args__ = TABLE_OPTIONS

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    term_key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    spelling: Mapped[str] = mapped_column(String(500))
    books: Mapped[int] = mapped_column(Integer)


Index("ix_terms_kind_books_term_key", Term.kind, Term.books.desc(), Term.term_key)


class History(Base):
    """A change of a book, in the order of `seq`: its history and the change feed. `changes` is a
    JSON list of {field, before, after}; it is emptied when the book is purged."""

    __tablename__ = "history"
    __table_args__ = (Index(None, "book_id", "seq"), TABLE_OPTIONS)

    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    book_id: Mapped[int] = mapped_column(BigId)
    at: Mapped[datetime] = mapped_column(Instant)
    action: Mapped[str] = mapped_column(String(8))
    version: Mapped[int] = mapped_column(Integer)
    username: Mapped[str | None] = mapped_column(String(64))
    changes: Mapped[str] = mapped_column(LongText)


LIST_TABLES: dict[str, Any] = {
    "authors": BookAuthor,
    "subjects": BookSubject,
    "identifiers": BookIdentifier,
}


def lists_of(book_id: int, values: list[Any]) -> list[dict[str, Any]]:
    """The rows of a list field's table for a book; values that differ in case and accents only are
    one."""
    rows: dict[Any, dict[str, Any]] = {}
    for value in values:
        if isinstance(value, str):
            compared: Any = key(value)
            columns = {"name": value, "name_key": compared}
        else:
            compared, columns = (value["scheme"], value["value"]), value
        if compared not in rows:
            rows[compared] = {"book_id": book_id, "position": len(rows), **columns}
    return [*rows.values()]
