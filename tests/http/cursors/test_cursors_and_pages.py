"""Pages are found in other ways than what is behind a cursor, and are the same."""

import pytest

from bookapi.books.queries import pages
from bookapi.db import search
from helpers.cursors import walked
from helpers.database import set_looking_costs
from helpers.documents import ids


def by_pages(client, **query):
    """The ids of all pages of three books."""
    pages = [client.get("/books", query_string={**query, "limit": 3, "page": at}) for at in SOME]
    return [number for page in pages for number in ids(page)]


SOME = range(1, 17)  # more than there are
BY_SEVERAL = [
    "author,title",
    "-author,title",
    "author,-title",
    "-published,author",
    "title,-author",
]


@pytest.mark.parametrize("sort", [*BY_SEVERAL, "author,-published,-id", "-published,-title,-id"])
def test_pages_by_several_keys_are_those_of_a_cursor(shelf, sort):
    assert (
        by_pages(shelf, sort=sort) == walked(shelf, sort=sort) == walked(shelf, limit=3, sort=sort)
    )


@pytest.mark.parametrize("sort", ["id", "-id", "title", "-title", "-author", "published", "author"])
@pytest.mark.parametrize(
    "query",
    [
        {"language": "en"},
        {"author": ["austen", "zola"]},
        {"publisher": "rare", "language": "fr"},
        {"published_from": "0"},
        {"q": "common"},
        {"q": "common -rare", "language": "en"},
        {"q": "comm* -rar*"},
        {"q": "-rare"},
    ],
    ids=str,
)
def test_pages_found_by_walking_an_index_are_those_of_a_cursor(shelf, query, sort, monkeypatch):
    expected = walked(shelf, sort=sort, **query)
    monkeypatch.setattr(pages, "WALKED_ROWS", 1)
    set_looking_costs(monkeypatch, 0)
    assert by_pages(shelf, sort=sort, **query) == expected
    assert walked(shelf, limit=3, sort=sort, **query) == expected


@pytest.mark.parametrize("query", ["common", "austen", "austen common -rare", "aust*"])
def test_pages_by_relevance_are_those_of_a_cursor(shelf, query):
    assert by_pages(shelf, q=query) == walked(shelf, q=query)


@pytest.mark.parametrize(
    "query", ["common", "austen", "common -rare", "aust* -rare", '"common words" austen', "é*"]
)
def test_books_whose_words_are_looked_at_are_those_of_the_search(shelf, query, monkeypatch):
    expected, looked = walked(shelf, q=query), []

    def finder(match, level):
        looked.append(level)
        return search.finder(match, level)

    monkeypatch.setattr(pages, "finder", finder)
    set_looking_costs(monkeypatch, 0)
    monkeypatch.setattr(pages, "_ends_early", lambda match: False)
    assert by_pages(shelf, q=query) == walked(shelf, limit=3, q=query) == expected
    assert {*looked} == ({"t", "h", "a"} if expected else set())
