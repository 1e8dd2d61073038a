"""Book records for the tests, and what the catalogue contains of them."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bookapi.books.models import Book, BookAuthor, BookIdentifier, BookSubject
from bookapi.catalogue import Catalogue
from bookapi.db import db

ISBN, TEN, OTHER = "9780306406157", "0-306-40615-2", "9780141439587"


FULL = {
    "title": "Émma & <Co>",
    "subtitle": 'A "novel"',
    "authors": ["Jane Austen", "An Other"],
    "isbn": ISBN,
    "publisher": "John Murray",
    "published": "1815-12-23",
    "language": "en-GB",
    "series": "Works",
    "series_number": "4a",
    "edition": "1st",
    "pages": 1024,
    "description": "Handsome,\nclever & rich",
    "subjects": ["Love"],
    "identifiers": [{"scheme": "goodreads", "value": "6969"}, {"scheme": "isbn", "value": OTHER}],
    "cover_url": "https://example.org/c?a=1&b=2",
    "location": "Reading room, shelf 3",
    "call_number": "PR4034 .E5",
    "copies": 2,
}


EMPTY = {**dict.fromkeys(FULL), "authors": [], "subjects": [], "identifiers": []}


GIVEN = ("id", "version", "created_at", "updated_at")


def own(record):
    """The record without what the service gives."""
    return {key: value for key, value in record.items() if key not in GIVEN}


def rows(app):
    """What is stored: the catalogue's state and the number of rows of each table."""
    with app.app_context(), Session(db.engine) as session:
        counts = [
            session.scalar(select(func.count()).select_from(table))
            for table in (Book, BookAuthor, BookSubject, BookIdentifier)
        ]
        catalogue = session.get(Catalogue, 1)
        return catalogue.seq, catalogue.last_id, counts


INVALID = [
    ({}, ["title"]),
    ({"title": ""}, ["title"]),
    ({"title": " \n"}, ["title"]),
    ({"title": None}, ["title"]),
    ({"title": "a" * 2001}, ["title"]),
    ({"title": "a", "isbn": "123"}, ["isbn"]),
    ({"title": "a", "isbn": "9780306406158"}, ["isbn"]),
    ({"title": "a", "isbn": "030640615"}, ["isbn"]),
    ({"title": "a", "pages": "0"}, ["pages"]),
    ({"title": "a", "pages": -1}, ["pages"]),
    ({"title": "a", "pages": 100001}, ["pages"]),
    ({"title": "a", "pages": "1999.9"}, ["pages"]),
    ({"title": "a", "pages": "1e3"}, ["pages"]),
    ({"title": "a", "pages": "1_999"}, ["pages"]),
    ({"title": "a", "pages": "\u0661\u0662"}, ["pages"]),
    ({"title": "a", "pages": 2**63}, ["pages"]),
    ({"title": "a", "pages": 10**400}, ["pages"]),
    ({"title": "a", "pages": "+5"}, ["pages"]),
    ({"title": "a", "published": "2001-02-29"}, ["published"]),
    ({"title": "a", "published": "99"}, ["published"]),
    ({"title": "a", "published": "2001-13"}, ["published"]),
    ({"title": "a", "language": "klingonese"}, ["language"]),
    ({"title": "a", "language": "xq-ZZZZZ-1"}, ["language"]),
    ({"title": "a", "cover_url": "ftp://a"}, ["cover_url"]),
    ({"title": "a", "cover_url": "http://"}, ["cover_url"]),
    ({"title": "a", "cover_url": "javascript:alert(1)"}, ["cover_url"]),
    ({"title": "a", "cover_url": "http://a:99999999/"}, ["cover_url"]),
    ({"title": "a", "authors": [""]}, ["authors"]),
    ({"title": "a", "authors": [None]}, ["authors"]),
    ({"title": "a", "authors": ["x" * 501]}, ["authors"]),
    ({"title": "a", "authors": ["x"] * 101}, ["authors"]),
    ({"title": "a", "subjects": ["x" * 201]}, ["subjects"]),
    ({"title": "a", "identifiers": [{"scheme": "a"}]}, ["identifiers"]),
    ({"title": "a", "identifiers": [{"value": "a"}]}, ["identifiers"]),
    ({"title": "a", "identifiers": [None]}, ["identifiers"]),
    ({"title": "a", "identifiers": [{"scheme": "A B", "value": "1"}]}, ["identifiers"]),
    ({"title": "a", "identifiers": [{"scheme": "a", "value": "1", "more": "2"}]}, ["identifiers"]),
    ({"title": "a", "identifiers": [{"scheme": "isbn", "value": "1"}]}, ["identifiers"]),
    ({"title": "a", "identifiers": [{"scheme": "a", "value": "1"}] * 51}, ["identifiers"]),
    ({"title": "a", "id": 5}, ["id"]),
    ({"title": "a", "version": 5}, ["version"]),
    ({"title": "a", "created_at": "2020-01-01T00:00:00Z"}, ["created_at"]),
    ({"title": "a", "updated_at": None}, ["updated_at"]),
    ({"title": "a", "nonsense": "b"}, ["nonsense"]),
    ({"title": "a", "Title": "b"}, ["Title"]),
    ({"title": "a", "title_key": "b"}, ["title_key"]),
    ({"title": "a", "deleted_at": None}, ["deleted_at"]),
    ({"pages": "x", "isbn": "x", "language": "?"}, ["isbn", "language", "pages", "title"]),
]


BLANK = {**EMPTY, "title": None}


SET = {field: (BLANK[field], value) for field, value in FULL.items()}


def history(client, book_id, **parameters):
    """The entries of a book's history as an admin reads them in JSON."""
    answer = client.get(f"/books/{book_id}/history", query_string={"limit": 100, **parameters})
    assert answer.status_code == 200, answer.get_data()
    return answer.json["history"]


def differences(entry):
    """What an entry says of each field: before and after, an absent list as an empty one."""
    reported = {change["field"]: (change["before"], change["after"]) for change in entry["changes"]}
    assert len(reported) == len(entry["changes"]), "a field is reported twice"
    return {
        field: tuple(BLANK[field] if value is None else value for value in pair)
        for field, pair in reported.items()
    }


def seq(app):
    """The number of the newest change."""
    with app.app_context(), Session(db.engine) as session:
        return session.get(Catalogue, 1).seq


def steps(client, after=0):
    """(seq, action, book, version) of every change behind that one, read from the feed page by
    page.
    """
    found = []
    while True:
        answer = client.get(f"/books/changes?limit=100&after={after}")
        assert answer.status_code == 200, answer.get_data()
        page = answer.json["changes"]
        found += [(step["seq"], step["action"], step["book_id"], step["version"]) for step in page]
        if not page:
            return found
        assert page[0]["seq"] > after, "a page begins behind the last one"
        after = page[-1]["seq"]


TITLE, PUBLISHER = "title=%C3%89mma+%26+%3CCo%3E", "publisher=John+Murray"


READS = [  # of a catalogue, where the book is or is not found
    "/books",
    f"/books?{TITLE}",
    "/books?author=jane+austen",
    f"/books?{PUBLISHER}",
    "/books?subject=love",
    "/books?series=works",
    f"/books?isbn={ISBN}",
    f"/books?isbn={OTHER}",
    "/books?identifier=goodreads:6969",
    "/books?language=en",
    "/books?published_from=1815&published_to=1815",
    "/books?q=handsome",
    '/books?q="clever+rich"',
    "/books?q=austen",
    "/books?q=9780306406157",
    "/books?cursor=*",
    "/books?sort=-title",
    "/books/authors",
    "/books/subjects",
    "/books/publishers",
    "/books/languages",
    "/books/export",
    "/books?facets=language,author,subject,publisher,series,decade&limit=1&fields=title",
]


def found(client):
    """What every read tells, but for what a change of a book changes of it."""

    def plain(value):
        if isinstance(value, dict):
            return {
                key: plain(inner)
                for key, inner in value.items()
                if key not in ("version", "updated_at", "links")
            }
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    answers = {address: client.get(address) for address in READS}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {address: plain(answer.json) for address, answer in answers.items()}


def whole(app):
    """Fails where a book and the tables of its lists differ, or the catalogue's row and the
    books.
    """
    with app.app_context(), Session(db.engine) as session:
        books = session.scalars(select(Book)).all()
        for table, field in (
            (BookAuthor, "authors"),
            (BookSubject, "subjects"),
            (BookIdentifier, "identifiers"),
        ):
            held = sum(len(getattr(book, field)) for book in books)
            assert session.scalar(select(func.count()).select_from(table)) == held, field
        catalogue = session.get(Catalogue, 1)
        assert (catalogue.last_id, catalogue.seq) == (
            len(books),
            sum(book.version for book in books),
        )
