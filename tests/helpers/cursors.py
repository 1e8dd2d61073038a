"""Lists that are read to their end by cursor."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import update

from bookapi.books import changes
from bookapi.books.models import Book
from bookapi.books.schemas import book_schema
from bookapi.db import db
from helpers.documents import ids

# Ties and nulls in every field that is sorted by; what sorts by code points alone, and keys that
# are cut.
TITLES = [
    "Emma",
    "emma",
    "ÉMMA",
    "Zorba",
    "",
    "?",
    "'",
    "a b",
    "a  B",
    "ab",
    "日本",
    "ß",
    "ss",
    "\U0001f4da",
    "\ue000",
    "Łódź",
    "x" * 1999 + "a",
    "x" * 1999 + "b",
    "x" * 1999 + "A",
    "x" * 600,
]
AUTHORS = [[], ["Austen"], ["austen", "Zola"], ["Zola"], ["é"], ["E", "A"], ["日本"]]
YEARS = [None, "1815", "1815-12", "1815-12-23", "-0720", "-0720-03", "0000", "0001", "9999", None]
BOOKS = [
    {
        "title": TITLES[number % len(TITLES)] or "the same",
        "authors": AUTHORS[number % len(AUTHORS)],
        "published": YEARS[(number * 7) % len(YEARS)],
        "description": "common",
        "language": ("en", "fr")[number % 2],
        "subtitle": "austen" if number % 5 == 0 else None,
        "publisher": "rare" if number % 4 == 0 else None,
    }
    for number in range(43)
]
EPOCH = datetime(2024, 1, 1, 12, tzinfo=UTC)
SINGLE = ("id", "title", "author", "published", "created_at", "updated_at")
SEVERAL = (
    "author,title",
    "-author,published",
    "published,author",
    "-published,-author,title",
    "title,-published,author",
    "title,author,-updated_at",
    "created_at,author,-id",
    "updated_at,-published",
    "author,published,title,created_at",
    "-title,-author,-published,-created_at,-updated_at,-id",
    "title,-id",
    "id,title",
)
SORTS = [*SINGLE, *[f"-{name}" for name in SINGLE], *SEVERAL]


def store(app, *records):
    """Books as they are created over HTTP, in one transaction; their instants are alike in
    threes.
    """

    def create(session):
        for record in records:
            made = changes.create(session, book_schema.load(record))
            at = EPOCH + timedelta(microseconds=made["id"] // 3 * 500_000)
            session.execute(
                update(Book)
                .where(Book.id == made["id"])
                .values(created_at=at, updated_at=at + timedelta(days=made["id"] % 2))
            )

    with app.app_context():
        db.write(create)


def parameters(address):
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def cursor_of(answer):
    following = answer.json["links"].get("next")
    return following and parameters(following)["cursor"]


def walked(client, limit=5, most=60, **query):
    """The ids from the beginning to the end, page by page; a complaint where there is no end."""
    seen, cursor = [], "*"
    for _ in range(most):
        answer = client.get("/books", query_string={**query, "limit": limit, "cursor": cursor})
        seen.append(ids(answer))
        cursor = cursor_of(answer)
        if cursor is None:
            assert all(len(page) == limit for page in seen[:-1]) and len(seen[-1]) <= limit
            return [number for page in seen for number in page]
    return f"no end after {most} pages: {seen[:8]}"


def made(sort, values):
    return base64.urlsafe_b64encode(json.dumps([sort, values]).encode()).rstrip(b"=").decode()
