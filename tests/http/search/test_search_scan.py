"""Searches compared with a scan of all books."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookapi.books.models import Book, BookAuthor, BookIdentifier, BookSubject, BookWords
from bookapi.catalogue import Catalogue
from bookapi.db import db
from bookapi.text import words
from helpers.documents import ids
from helpers.support import store

PIECES = [
    "a",
    "ab",
    "abc",
    "b",
    "The",
    "é",
    "É",
    "e",
    "zoo",
    "zz",
    "z",
    "ß",
    "SS",
    "日",
    "本",
    "日本",
    "한",
    "и",
    "Ий",
    "12",
    "1",
    "of",
    "ﬁ",
    "fi",
    "ø",
]
some_texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).flatmap(
    lambda pieces: st.sampled_from([" ", "-", ", ", "'", "\n"]).map(
        lambda between: between.join(pieces)
    )
)
or_none = st.none() | some_texts
some_books = st.lists(
    st.fixed_dictionaries(
        {
            "title": some_texts,
            "subtitle": or_none,
            "authors": st.lists(some_texts, max_size=2),
            "series": or_none,
            "publisher": or_none,
            "subjects": st.lists(some_texts, max_size=2),
            "description": or_none,
        }
    ),
    min_size=1,
    max_size=5,
)
# (the term as written, its words, whether it is a prefix)
terms = st.one_of(
    st.sampled_from(PIECES).map(lambda word: (word, words(word), False)),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(
        lambda some: (f'"{" ".join(some)}"', words(" ".join(some)), False)
    ),
    st.sampled_from(
        [piece for piece in PIECES if piece.isascii() or piece.casefold() in "éиийß"]
    ).map(lambda word: (f"{word}*", words(word), True)),
)
some_queries = st.lists(st.tuples(terms, st.booleans()), min_size=1, max_size=4)


def has(text, wanted, is_prefix):
    """Whether a text has these words, one behind the other; or a word with this beginning."""
    own = words(text)
    if is_prefix:
        return any(word.startswith(wanted[0]) for word in own)
    return any(own[at : at + len(wanted)] == wanted for at in range(len(own)))


def relevance(book, query):
    """By docs/api.md, Search: -1 not found, 0 anywhere, 1 in the heading, 2 in the title, 3 the
    title itself.
    """
    title = [book["title"], book["subtitle"] or ""]
    heading = [*title, *book["authors"], book["series"] or ""]
    anywhere = [*heading, book["publisher"] or "", *book["subjects"], book["description"] or ""]
    demanded = [term[1:] for term, excluded in query if not excluded]
    if any(has(text, *term[1:]) for term, excluded in query if excluded for text in anywhere):
        return -1
    levels = [
        all(any(has(text, *term) for text in texts) for term in demanded)
        for texts in (anywhere, heading, title)
    ]
    whole = [word for wanted, _ in demanded for word in wanted]
    is_title = (
        bool(demanded)
        and not any(is_prefix for _, is_prefix in demanded)
        and whole == words(book["title"])
    )
    return 3 if is_title else levels.count(True) - 1 if demanded else 0


def empty(session):
    """Remove every book. Cached responses become invalid as soon as books are stored again."""
    for table in (BookWords, BookAuthor, BookSubject, BookIdentifier, Book):
        session.execute(table.__table__.delete())
    session.execute(Catalogue.__table__.update().values(total=0, last_id=0))


@pytest.mark.slow
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(some_books, st.lists(some_queries, min_size=1, max_size=6))
def test_a_search_agrees_with_a_scan_of_the_books(app, books, queries):
    with app.app_context():
        db.write(empty)
    store(app, *books)
    client = app.test_client()
    for query in queries:
        q = " ".join("-" * excluded + term[0] for term, excluded in query)
        ranked = [(-relevance(book, query), number) for number, book in enumerate(books, 1)]
        wanted = [number for rank, number in sorted(ranked) if rank <= 0]
        assert ids(client.get("/books", query_string={"q": q, "limit": 100})) == wanted, q
        assert ids(client.get("/books", query_string={"q": q, "sort": "id"})) == sorted(wanted), q
