"""The catalogue as tables.

A row of `books` is the whole record, its lists included as JSON, so that reading for an answer is one select
without joins: lists, single books and exports are what the service does most. The tables of authors, subjects
and identifiers hold the same values again, folded, one a row: they are what is searched. `lists_of` is the one
place that knows the one from the other.
"""
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from ..db import TABLE_OPTIONS, BigId, Instant, JsonList, LongText, db, now
from ..text import KEY_LENGTH, key


class Catalogue(db.Model):
    """One row. `seq` is the state of the catalogue: it grows with every change of a book, inside the change's own
    transaction, and the row's lock makes its order the order of commits. `last_id` is the newest book's id."""
    __tablename__ = "catalogue"
    __table_args__ = TABLE_OPTIONS

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)


class Book(db.Model):
    """A book. The `…_key` columns are what is compared and sorted by; a deleted book has a `deleted_at`."""
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    title: Mapped[str] = mapped_column(String(2000))
    subtitle: Mapped[str | None] = mapped_column(String(2000))
    authors: Mapped[list] = mapped_column(JsonList, default=list)
    isbn: Mapped[str | None] = mapped_column(String(13))
    publisher: Mapped[str | None] = mapped_column(String(500))
    published: Mapped[str | None] = mapped_column(String(11))
    language: Mapped[str | None] = mapped_column(String(100))
    series: Mapped[str | None] = mapped_column(String(500))
    series_number: Mapped[str | None] = mapped_column(String(50))
    edition: Mapped[str | None] = mapped_column(String(200))
    pages: Mapped[int | None] = mapped_column(Integer)
    description: Mapped[str | None] = mapped_column(LongText)
    subjects: Mapped[list] = mapped_column(JsonList, default=list)
    identifiers: Mapped[list] = mapped_column(JsonList, default=list)
    cover_url: Mapped[str | None] = mapped_column(String(2000))
    version: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Instant, default=now)
    updated_at: Mapped[datetime] = mapped_column(Instant, default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)

    title_key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    author_key: Mapped[str | None] = mapped_column(String(KEY_LENGTH))
    published_key: Mapped[int | None] = mapped_column(Integer)
    # The ISBN while the book is not in the trash: one book per ISBN is the database's job, and the trash frees it.
    live_isbn: Mapped[str | None] = mapped_column(
        String(13), Computed("CASE WHEN deleted_at IS NULL THEN isbn END", persisted=False), unique=True)

    __table_args__ = (
        Index(None, "title_key", "id"), Index(None, "author_key", "id"), Index(None, "published_key", "id"),
        Index(None, "language", "id"), Index(None, "deleted_at", "id"), TABLE_OPTIONS)
    # Nobody reads `live_isbn` from an object: do not fetch it after each insert.
    __mapper_args__ = {"version_id_col": version, "eager_defaults": False}


class BookAuthor(db.Model):
    __tablename__ = "book_authors"
    __table_args__ = (Index(None, "name_key", "book_id"), TABLE_OPTIONS)

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(500))
    name_key: Mapped[str] = mapped_column(String(KEY_LENGTH))


class BookSubject(db.Model):
    __tablename__ = "book_subjects"
    __table_args__ = (Index(None, "name_key", "book_id"), TABLE_OPTIONS)

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(KEY_LENGTH))


class BookIdentifier(db.Model):
    __tablename__ = "book_identifiers"
    __table_args__ = (Index(None, "scheme", "value", "book_id"), TABLE_OPTIONS)

    book_id: Mapped[int] = mapped_column(ForeignKey(Book.id, ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    scheme: Mapped[str] = mapped_column(String(32))
    value: Mapped[str] = mapped_column(String(500))


LIST_TABLES = {"authors": BookAuthor, "subjects": BookSubject, "identifiers": BookIdentifier}


def lists_of(book: Book, field: str) -> list[dict[str, Any]]:
    """The rows that the table of this list field holds for a book."""
    rows = [{"name": value, "name_key": key(value)} if isinstance(value, str) else value
            for value in getattr(book, field)]
    return [{"book_id": book.id, "position": position, **row} for position, row in enumerate(rows)]
