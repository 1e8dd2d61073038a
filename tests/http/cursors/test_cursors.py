"""Lists paged by cursor. docs/api.md, Sorting and pages."""

import itertools
import re

import pytest

from bookapi.text import fold
from helpers.cursors import BOOKS, SORTS, cursor_of, parameters, store, walked
from helpers.documents import faults, ids, read

RANKED = (
    "-relevance",
    "relevance",
    "-relevance,title",
    "relevance,-author",
    "author,-relevance",
    "-published,relevance",
    "-relevance,-id",
    "title,relevance",
    "relevance,published,author",
)
KEYS = {
    "id": lambda book: book["id"],
    "title": lambda book: fold(book["title"]),
    "author": lambda book: fold(book["authors"][0]) if book["authors"] else None,
    "created_at": lambda book: book["created_at"],
    "updated_at": lambda book: book["updated_at"],
    "published": lambda book: _date(book["published"]) if book["published"] else None,
}


def _date(text):
    year, *rest = re.fullmatch(r"(-?\d+)(?:-(\d+))?(?:-(\d+))?", text).groups()
    return int(year), *[int(part or 0) for part in rest]


def in_order(books, sort):
    """The ids in the documented order: nulls last, ties by id, each in either direction."""
    books = sorted(books, key=KEYS["id"])
    for name in reversed(sort.split(",")):
        key = KEYS[name.removeprefix("-")]
        present = [book for book in books if key(book) is not None]
        books = sorted(present, key=key, reverse=name.startswith("-")) + [
            book for book in books if key(book) is None
        ]
    return [book["id"] for book in books]


# Texts of the full length end in a digest: which of them comes first is nobody's business.
def alike(found, books):
    """The ids with those of cut keys as one."""
    cut = {book["id"] for book in books if len(book["title"]) >= 700}
    return [0 if number in cut else number for number in found]


# -- from the beginning to the end -------------------------------------------------------


@pytest.mark.parametrize(
    "sorts", [SORTS[:8], SORTS[8:16], SORTS[16:]], ids=["some", "more", "most"]
)
def test_a_cursor_shows_every_book_once_in_the_order_of_the_pages(shelf, sorts):
    books = shelf.get("/books?limit=100").json["books"]
    for sort in sorts:
        pages = []
        for page in range(1, 6):
            pages += ids(shelf.get(f"/books?sort={sort}&limit=10&page={page}"))
        assert walked(shelf, sort=sort) == pages, sort
        assert alike(pages, books) == alike(in_order(books, sort), books), sort


def test_any_limit_gives_the_same_list(shelf):
    for limit, sort in itertools.product(
        (1, 2, 42, 43, 44, 100), ("author", "-published,title", "-id")
    ):
        assert walked(shelf, limit=limit, sort=sort) == ids(
            shelf.get(f"/books?sort={sort}&limit=100")
        ), (limit, sort)


# The last of these look for nothing in particular: every book that they find is as relevant as any
# other.
@pytest.mark.parametrize(
    "q", ["common", "austen", "aust* common", "common -rare", "emma", "-rare", "-rare -austen", "!"]
)
def test_a_search_can_be_continued_by_cursor_in_every_order(shelf, q):
    lost = []
    for sort in (*RANKED, "title", "-author", "published"):
        whole = ids(shelf.get("/books", query_string={"q": q, "sort": sort, "limit": 100}))
        assert len(whole) > 1 or q == "!"
        if walked(shelf, limit=4, q=q, sort=sort) != whole:
            lost.append(sort)
    assert lost == []


def test_a_search_begins_with_the_most_relevant(shelf):
    whole = ids(shelf.get("/books?q=austen&limit=100"))
    assert walked(shelf, limit=3, q="austen") == whole != sorted(whole)


def test_a_filtered_list_can_be_continued_by_cursor(shelf):
    for query in (
        {"language": "fr"},
        {"author": "zola", "sort": "-title"},
        {"published_to": "0", "sort": "-published"},
        {"publisher": "rare", "sort": "author,-title"},
        {"updated_since": "2024-01-02T00:00:00Z"},
    ):
        whole = ids(shelf.get("/books", query_string={**query, "limit": 100}))
        assert len(whole) > 4 and walked(shelf, limit=3, **query) == whole, query


def test_a_cursor_of_the_trash_goes_through_the_trash(shelf):
    for number in range(1, 42, 2):
        shelf.delete(f"/books/{number}")
    for sort in ("id", "-author", "updated_at"):
        assert sorted(walked(shelf, limit=4, state="deleted", sort=sort)) == list(range(1, 42, 2))
    assert set(walked(shelf, sort="-author")) == set(range(1, 44)) - set(range(1, 42, 2))


def test_an_empty_list_has_no_next_cursor(client):
    answer = client.get("/books?cursor=*&sort=author")
    assert (ids(answer), answer.json["total"], set(answer.json["links"])) == (
        [],
        0,
        {"self", "first"},
    )


# -- while the catalogue changes ---------------------------------------------------------


@pytest.mark.parametrize(
    "sort",
    [
        "id",
        "-id",
        "title",
        "-title",
        "author",
        "-author",
        "published",
        "-published",
        "-created_at",
        "author,-title",
    ],
)
def test_cursors_neither_repeat_nor_skip_books_during_changes(shelf, sort):
    before = ids(shelf.get(f"/books?sort={sort}&limit=100"))
    first = shelf.get(f"/books?sort={sort}&limit=10&cursor=*")
    seen, cursor = ids(first), cursor_of(first)
    gone = {
        seen[0],
        seen[-1],
        before[10],
        before[25],
        before[-1],
    }  # the one the cursor stands on among them
    for number in gone:
        assert shelf.delete(f"/books/{number}").status_code == 204
    new = [
        shelf.post("/books", json={**book, "title": book["title"] + suffix}).json["id"]
        for book in (BOOKS[3], BOOKS[7], BOOKS[14])
        for suffix in ("", "!")
    ]
    while cursor:
        answer = shelf.get(f"/books?sort={sort}&limit=10&cursor={cursor}")
        seen, cursor = seen + ids(answer), cursor_of(answer)
    assert len(seen) == len(set(seen))
    assert [number for number in seen if number not in new] == [
        number for number in before if number not in gone or number in before[:10]
    ]


def test_a_changed_book_appears_at_its_new_position(shelf):
    first = shelf.get("/books?sort=updated_at&limit=40&cursor=*")
    shelf.patch(f"/books/{ids(first)[0]}", json={"pages": 5})
    rest = ids(shelf.get(first.json["links"]["next"]))
    assert rest[-1] == ids(first)[0]
    assert len(rest) == 4


def test_new_books_at_the_end_are_found_by_the_last_cursor(shelf):
    page = shelf.get("/books?limit=42&cursor=*")
    assert ids(shelf.get(page.json["links"]["next"])) == [43]
    store(shelf.application, {"title": "one"}, {"title": "two"})
    assert ids(shelf.get(page.json["links"]["next"])) == [43, 44, 45]


# -- links -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "xml"])
def test_cursor_lists_link_to_first_and_next_only(shelf, name):
    headers = {"Accept": f"application/{name}"}
    answer = shelf.get("/books?language=fr&sort=-title&limit=4&cursor=*", headers=headers)
    links = read(answer)["links"]
    assert list(links) == ["self", "first", "next"]
    then = shelf.get(links["next"], headers=headers)
    assert parameters(read(then)["links"]["first"]) == {
        "language": "fr",
        "sort": "-title",
        "limit": "4",
        "cursor": "*",
    }
    assert parameters(read(then)["links"]["self"])["cursor"] == parameters(links["next"])["cursor"]


@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
def test_the_header_has_the_links_in_every_format(shelf, name):
    answer = shelf.get(f"/books?q=common&limit=4&cursor=*&fields=title&format={name}")
    links = {
        relation: parameters(address)
        for address, relation in re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers["Link"])
    }
    assert set(links) == {"first", "next"}
    assert (
        ids(shelf.get("/books", query_string={**links["next"], "format": "json"}))
        == walked(shelf, q="common")[4:8]
    )


def test_json_and_xml_have_the_same_cursors_and_totals(shelf):
    pages = [
        read(shelf.get(f"/books?sort=-author,title&limit=7&cursor=*&format={name}"))
        for name in ("json", "xml")
    ]
    assert [str(page["total"]) for page in pages] == ["43", "43"]
    cursors = [parameters(page["links"]["next"])["cursor"] for page in pages]
    assert cursors[0] == cursors[1] and re.fullmatch("[A-Za-z0-9_-]+", cursors[0])


def test_the_last_page_has_no_next_even_if_it_is_full(shelf):
    page = shelf.get("/books?limit=43&cursor=*")
    assert len(ids(page)) == 43
    assert "next" not in page.json["links"] and 'rel="next"' not in page.headers["Link"]


def test_an_export_rejects_a_cursor(client):
    assert faults(client.get("/books/export?cursor=*")) == ["cursor"]
