"""Filters by a value that is equal. docs/api.md, Filters."""

import itertools
import json

import pytest

from helpers.documents import ids
from helpers.filters import SHELF, YEARS, names
from helpers.support import jsonl_bytes

# -- what is equal -----------------------------------------------------------------------

PUBLISHER = {
    "publisher=penguin": ["odyssey", "zero"],
    "publisher=PENGUIN": ["odyssey", "zero"],
    "publisher=+P%C3%A9nguin+": ["odyssey", "zero"],
    "publisher=penguin+books": ["one"],
    "publisher=pengui": [],
    "publisher=%CE%9C%CE%9F%CE%A1%CE%A6%CE%A9%CE%A3%CE%97": ["iliad"],
    "publisher=lodz++press": ["lodz"],
    "publisher=100%25_sure": ["two thousand"],
    "publisher=100%25": [],
    "publisher=%25": [],
    "publisher=_": [],
    "publisher=penguin&publisher=lodz+press": ["odyssey", "zero", "lodz"],
    "publisher=x": ["marks"],
    "publisher=penguin&publisher=Penguin": ["odyssey", "zero"],
    "publisher=" + "e" * 500: ["long"],
    "publisher=" + "e" * 499: [],
    "publisher=" + "%C3%89" * 500: ["long"],
}
SUBJECT = {
    "subject=epic+poetry": ["iliad", "odyssey"],
    "subject=Epic%C2%A0Poetry": ["iliad", "odyssey"],
    "subject=epic": [],
    "subject=troy": ["iliad"],
    "subject=troy&subject=epic+poetry": ["iliad", "odyssey"],
    "subject=lodz": ["lodz"],
    "subject=fish+%26+chips": ["two thousand"],
    "subject=fish+": [],
    "subject='": ["marks"],
    "subject=poetry": [],
    "subject=" + "ffl" * 200: ["long"],
    "subject=" + "%EF%AC%84" * 200: ["long"],
}
SERIES = {
    "series=epics": ["odyssey", "zero"],
    "series=%C3%A9PICS": ["odyssey", "zero"],
    "series=l": ["lodz"],
    "series=%25": ["marks"],
    "series=epic": [],
    "series=" + "S" * 500: ["long"],
    "series=epics&series=L": ["odyssey", "zero", "lodz"],
}
AUTHOR = {
    "author=homer": ["iliad", "odyssey"],
    "author=e.+v.+rieu": ["odyssey"],
    "author=soren+aebelo": ["lodz"],
    "author=S%C3%98REN+%C3%86BEL%C3%98": ["lodz"],
    "author=!": ["marks"],
    "author=" + "A" * 500: ["long"],
    "author=homer&author=%21": ["iliad", "odyssey", "marks"],
    "author=homer&author=e.+v.+rieu": ["iliad", "odyssey"],
    "title=lodz": ["lodz"],
    "title=%3F": ["marks"],
    "title=" + "l" * 2000: ["long"],
    "title=" + "l" * 1999: [],
}
ISBN = {
    "isbn=9780141439587": ["last"],
    "isbn=0-14-143958-0": ["last"],
    "isbn=9781402894626": ["two thousand"],
    "isbn=1-4028-9462-7": ["two thousand"],
    "isbn=9780306406157": [],
    "isbn=9780140275360": [],
}
IDENTIFIER = {
    "identifier=goodreads:6969": ["two thousand", "first"],
    "identifier=goodreads:696": [],
    "identifier=lccn:6969": [],
    "identifier=lccn:a:b:c": ["last"],
    "identifier=lccn:a": [],
    "identifier=lccn:+a:b:c+": ["last"],
    "identifier=isbn:9781402894626": ["two thousand"],
    "identifier=isbn:1402894627": ["two thousand"],
    "identifier=isbn:1-4028-9462-7": ["two thousand"],
    "identifier=isbn:9780141439587": [],
    "identifier=doi:10.1000/%C3%84B+c": ["last"],
    "identifier=doi:10.1000/A%CC%88B+c": ["last"],
    "identifier=doi:10.1000/ab+c": [],
    "identifier=doi:10.1000/%C3%A4b+c": [],
    "identifier=x._-1:%C3%A9": ["last"],
    "identifier=x._-1:e": [],
    "identifier=goodreads:6969%2500": [],
    "identifier=" + "s" * 32 + ":" + "v" * 500: ["long"],
    "identifier=goodreads:6969&title=the+first": ["first"],
}


@pytest.mark.parametrize(
    "table",
    [PUBLISHER, SUBJECT, SERIES, AUTHOR, ISBN, IDENTIFIER],
    ids=["publisher", "subject", "series", "author", "isbn", "identifier"],
)
def test_a_filter_finds_what_is_equal(shelf, table):
    assert {query: names(shelf.get(f"/books?{query}")) for query in table} == table


def test_a_filter_finds_the_same_in_every_format_and_in_an_export(shelf):
    queries = ("publisher=penguin", "subject=lodz", "identifier=goodreads:6969", "published_to=0")
    for query, name in itertools.product(queries, ("xml", "csv", "jsonl")):
        listed = shelf.get(f"/books?{query}&format={name}&fields=title").get_data(as_text=True)
        exported = shelf.get(f"/books/export?{query}&format={name}&fields=title").get_data(
            as_text=True
        )
        titles = [SHELF[found]["title"] for found in names(shelf.get(f"/books/export?{query}"))]
        assert (
            titles
            and [title for title in titles if title not in listed or title not in exported] == []
        )


# -- filters follow changes --------------------------------------------------------------


@pytest.mark.parametrize(
    "field, filtered, before, after",
    [
        ("publisher", "publisher", "Old", "New"),
        ("series", "series", "Old", "New"),
        ("authors", "author", ["x", "Old"], ["New"]),
        ("subjects", "subject", ["Old"], ["x", "New"]),
        ("title", "title", "Old", "New"),
    ],
)
def test_a_filter_follows_every_change(admin, field, filtered, before, after):
    admin.post("/books", json={"title": "a", field: before})
    found = [[ids(admin.get(f"/books?{filtered}={value}")) for value in ("old", "new")]]
    admin.patch("/books/1", json={field: after})
    found.append([ids(admin.get(f"/books?{filtered}={value}")) for value in ("old", "new")])
    admin.put("/books/1", json={"title": "b"})
    found.append([ids(admin.get(f"/books?{filtered}={value}")) for value in ("old", "new")])
    assert found == [[[1], []], [[], [1]], [[], []]]


def test_imported_books_are_filtered_like_created_ones(admin, runner):
    result = runner.invoke(
        args=["books", "import", "-", "--format", "jsonl"], input=jsonl_bytes(*SHELF.values())
    )
    assert json.loads(result.stdout.split()[0]) == len(SHELF)
    tables = {**PUBLISHER, **SUBJECT, **SERIES, **YEARS}
    assert {
        query: names(admin.get(f"/books?{query}")) for query in tables if "6969" not in query
    } == tables
