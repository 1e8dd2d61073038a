"""The order and the pages of search results."""

import pytest

from helpers.documents import ids
from helpers.searches import RELEVANT, found, lacking


def test_search_results_are_sorted_by_relevance_then_id(editor):
    assert {q: found(editor, q) for q in RELEVANT} == RELEVANT
    assert {q: found(editor, q, sort="-relevance") for q in RELEVANT} == RELEVANT


SORTED = {
    "id": ["emma", "about", "series", "emmas", "emma again", "mine"],
    "-id": ["mine", "emma again", "emmas", "series", "about", "emma"],
    "title": ["emma", "mine", "emma again", "emmas", "about", "series"],
    "-title": ["series", "about", "emmas", "emma again", "emma", "mine"],
    "author": ["series", "emmas", "about", "emma again", "emma", "mine"],
    "published": ["emma", "emma again", "about", "emmas", "series", "mine"],
    "-published": ["emmas", "about", "emma again", "emma", "series", "mine"],
    "relevance": ["about", "series", "emmas", "emma", "emma again", "mine"],
    "relevance,-id": ["series", "about", "emmas", "mine", "emma again", "emma"],
    "-relevance,-id": ["mine", "emma again", "emma", "emmas", "series", "about"],
    "-relevance,-published": ["emma again", "emma", "mine", "emmas", "about", "series"],
    "title,-relevance": ["emma", "mine", "emma again", "emmas", "about", "series"],
    "author,-relevance": ["series", "emmas", "about", "emma again", "emma", "mine"],
    "-author,relevance,id": ["emma", "emma again", "about", "emmas", "series", "mine"],
}


def test_a_search_may_be_sorted_by_anything(editor):
    assert {sort: found(editor, "emma", sort=sort) for sort in SORTED} == SORTED


@pytest.mark.parametrize("sort", ["relevance", "-relevance", "relevance,-id", "-relevance,-id"])
def test_without_search_terms_all_books_are_equally_relevant(editor, sort):
    assert (
        found(editor, "-emma", sort=sort) == lacking("emma")[:: -1 if sort.endswith("-id") else 1]
    )
    assert found(editor, "!", sort=sort) == []


@pytest.mark.parametrize(
    "sort", ["-relevance", "relevance", "title", "-published", "author,-relevance"]
)
@pytest.mark.parametrize("q", ["emma", "em*", "jane -hugo", "-emma"])
def test_pages_of_a_search_cover_all_results(editor, q, sort):
    whole = ids(editor.get("/books", query_string={"q": q, "sort": sort, "limit": 100}))
    pages = [
        editor.get("/books", query_string={"q": q, "sort": sort, "limit": 2, "page": page})
        for page in range(1, len(whole) // 2 + 3)
    ]
    assert [number for answer in pages for number in ids(answer)] == whole
    assert {answer.json["total"] for answer in pages} == {len(whole)}


def test_exclusions_can_be_paged_in_every_sort(editor):
    # More books have an author than a year: what is counted for one order must not be used for the
    # other.
    for sort in (
        "relevance,author",
        "relevance,published",
        "-relevance,-author",
        "relevance,-published",
    ):
        pages = [
            editor.get(
                "/books", query_string={"q": "-emma", "sort": sort, "limit": 7, "page": page}
            )
            for page in range(1, 5)
        ]
        whole = ids(editor.get("/books", query_string={"q": "-emma", "sort": sort, "limit": 100}))
        assert [number for answer in pages for number in ids(answer)] == whole, sort
