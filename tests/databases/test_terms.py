"""The numbers of books of authors, subjects, …: kept in the transaction of each change."""

import random

import pytest

from bookapi.books import terms
from bookapi.books.queries import facets, matches, pages
from bookapi.db import db

SPELLINGS = [
    "Émile Zola",
    "emile zola",
    "EMILE ZOLA",
    "Jane Austen",
    "\u0301",
    "x" * 190,
    "ß",
    "ss",
]


def wrong(app):
    with app.app_context():
        return db.ask(terms.wrong_terms)


def invent(chance):
    """A book whose values differ from those of others by case and accents alone."""
    return {
        "title": "Any",
        "authors": chance.sample(SPELLINGS, chance.randint(0, 3)),
        "subjects": chance.sample(SPELLINGS, chance.randint(0, 3))[:2],
        "publisher": chance.choice([None, *SPELLINGS]),
        "series": chance.choice([None, *SPELLINGS]),
        "language": chance.choice([None, "en", "en-GB", "fr"]),
        "published": chance.choice([None, "1815", "-0720-03", "0000", "9999-12-31", "-0001"]),
    }


def test_terms_are_right_after_any_change(app, admin):
    chance, ids = random.Random(17), list(range(1, 21))
    many = {"books": [invent(chance) for _ in ids]}
    assert admin.post("/books", json=many).status_code == 201
    for step in range(120):
        address, action = f"/books/{chance.choice(ids)}", step % 4
        if action == 0:
            answer = admin.post("/books", json=invent(chance))
            ids.append(answer.json["id"])
        elif action == 1:
            answer = admin.delete(address)
        elif action == 2:
            answer = admin.post(f"{address}/restore")
        else:
            part = chance.choice([*invent(chance).items()])
            answer = admin.patch(address, json=dict([part]))
        assert answer.status_code in (200, 201, 204, 409, 410)
    assert wrong(app) == 0
    for book_id in ids:
        admin.delete(f"/books/{book_id}")
    assert wrong(app) == 0
    assert admin.get("/books/authors").json["total"] == 0


def test_a_term_is_told_by_the_smallest_spelling_that_is_left(app, admin):
    for name in ("EMILE ZOLA", "Émile Zola", "emile zola"):
        admin.post("/books", json={"title": "Any", "authors": [name]})

    def reported():
        return admin.get("/books?facets=author&limit=1").json["facets"]["author"]

    assert reported() == [{"value": "EMILE ZOLA", "count": 3}]
    admin.delete("/books/1")
    assert reported() == [{"value": "emile zola", "count": 2}]
    admin.patch("/books/3", json={"authors": ["Emile Zola"]})
    assert reported() == [{"value": "Emile Zola", "count": 2}]
    assert wrong(app) == 0


@pytest.mark.parametrize(
    "kind", ["author", "subject", "publisher", "series", "location", "language", "decade"]
)
def test_a_facet_of_everything_is_that_of_a_filter_that_all_pass(admin, kind):
    chance = random.Random(4)
    admin.post("/books", json={"books": [invent(chance) for _ in range(40)]})
    every = admin.get(f"/books?limit=1&facets={kind}").json
    passed = f"/books?limit=1&facets={kind}&updated_since=2000-01-01T00:00:00Z"
    assert every["facets"] == admin.get(passed).json["facets"]


MANY = [
    "language=en",
    "q=some",
    "q=-some",
    "q=some&language=en-GB&published_from=1500",
    "author=name+3",
    "author=name+3&subject=name+5&subject=name+6",
    "published_to=1900",
    "identifier=lccn:7",
    "publisher=name+4&q=some",
]


@pytest.fixture
def many(admin):
    """400 books with more values of each kind than a facet shows, some in two spellings."""
    chance = random.Random(9)

    def name():
        number = int(60 * chance.random() ** 2)
        return f"{chance.choice(['Name', 'name'])} {number}"

    for _ in range(4):
        books = [
            {
                "title": f"{chance.choice(['Some', 'Other'])} {chance.randint(0, 30)}",
                "authors": [name() for _ in range(chance.randint(0, 3))],
                "subjects": [name() for _ in range(chance.randint(0, 4))],
                "publisher": name(),
                "series": chance.choice([None, name()]),
                "location": name(),
                "language": chance.choice([None, "en", "en-GB", *(f"a{x}" for x in "abfmrsyz")]),
                "published": chance.choice([None, str(chance.randint(1500, 2020))]),
                "identifiers": [{"scheme": "lccn", "value": str(chance.randint(0, 9))}],
            }
            for _ in range(100)
        ]
        assert admin.post("/books", json={"books": books}).status_code == 201
    for number in range(1, 400, 7):
        admin.delete(f"/books/{number}")
    return admin


@pytest.mark.parametrize("asked", MANY)
def test_facets_by_term_are_those_by_book(many, monkeypatch, asked):
    every = "author,subject,publisher,series,location,language,decade"

    def reported(looked_up):
        monkeypatch.setattr(facets, "LOOKED_UP", looked_up)
        return many.get(f"/books?{asked}&facets={every}&limit=1").json["facets"]

    by_book = reported(0)
    assert reported(1000) == by_book and len(by_book["author"]) > 1


@pytest.mark.parametrize("asked", MANY)
def test_books_found_in_a_walk_are_those_that_are_sorted(many, monkeypatch, asked):
    monkeypatch.setattr(pages, "WALKED_FACTOR", 10**6)  # no first pages

    def found(factor, sort):
        monkeypatch.setattr(pages, "SORTED_FACTOR", factor)
        address = f"/books?{asked}&sort={sort}&limit=10&fields=id&page="
        books = [many.get(f"{address}{page}").json["books"] for page in (1, 2, 3)]
        return [book["id"] for page in books for book in page]

    for sort in ("title", "-title", "author", "-published"):
        assert found(10**6, sort) == found(0, sort) != [], sort


@pytest.mark.parametrize(
    "asked",
    ["author=name+3", "subject=name+1", "publisher=name+4", "language=en&language=as", "series=no"],
)
def test_hits_looked_up_among_those_of_a_filter_are_those_that_pass_it(many, monkeypatch, asked):
    def reported(factor):
        monkeypatch.setattr(matches, "HITS_FACTOR", factor)
        answer = many.get(f"/books?q=some&{asked}&facets=author,decade&sort=title&page=2&limit=3")
        return answer.json["total"], answer.json["facets"], answer.json["books"]

    assert reported(0) == reported(10**6)
