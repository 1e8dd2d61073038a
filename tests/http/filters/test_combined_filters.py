"""Several filters together. docs/api.md, Filters."""

import pytest

from helpers.documents import faults
from helpers.filters import names

TOGETHER = {
    "author=homer&publisher=penguin": ["odyssey"],
    "author=homer&publisher=lodz+press": [],
    "subject=epic+poetry&series=epics": ["odyssey"],
    "publisher=penguin&series=epics&published_from=0": ["zero"],
    "subject=troy&subject=lodz&author=homer&author=soren+aebelo": ["iliad", "lodz"],
    "isbn=9781402894626&identifier=goodreads:6969": ["two thousand"],
    "isbn=9780141439587&identifier=goodreads:6969": [],
    "title=the+iliad&author=homer&publisher=μορφωση&subject=troy&language=grc&published_from=-720&published_to=-720"
    "&updated_since=2000-01-01T00:00:00Z": ["iliad"],
    "publisher=penguin&sort=-published": ["zero", "odyssey"],
    "author=homer&sort=title": ["iliad", "odyssey"],
    "identifier=goodreads:6969&sort=published": ["first", "two thousand"],
    "published_to=1&sort=-title": ["zero", "one", "odyssey", "iliad", "first"],
}


def test_filters_are_combined_with_and(shelf):
    assert {query: names(shelf.get(f"/books?{query}")) for query in TOGETHER} == TOGETHER


def test_a_filter_takes_at_most_20_values(client):
    for name in ("title", "author", "publisher", "subject", "series", "language"):
        values = [
            ("en", "fr", "de")[number % 3] if name == "language" else str(number)
            for number in range(21)
        ]
        assert client.get("/books", query_string={name: values[:20]}).status_code == 200
        refused = client.get("/books", query_string={name: values})
        assert (refused.status_code, faults(refused)) == (400, [name])


BAD = [
    ("publisher=", ["publisher"]),
    ("publisher=+", ["publisher"]),
    ("publisher=%00", ["publisher"]),
    ("publisher=ok&publisher=", ["publisher"]),
    ("subject=", ["subject"]),
    ("subject=%EF%BF%BE", ["subject"]),
    ("series=", ["series"]),
    ("series=%0B", ["series"]),
    ("series=%E3%80%80", ["series"]),
    ("identifier=", ["identifier"]),
    ("identifier=6969", ["identifier"]),
    ("identifier=:6969", ["identifier"]),
    ("identifier=goodreads:", ["identifier"]),
    ("identifier=goodreads:+", ["identifier"]),
    ("identifier=Goodreads:1", ["identifier"]),
    ("identifier=good+reads:1", ["identifier"]),
    ("identifier=%C3%A9:1", ["identifier"]),
    (f"identifier={'s' * 33}:1", ["identifier"]),
    ("identifier=isbn:123", ["identifier"]),
    ("identifier=isbn:9780141439588", ["identifier"]),
    ("identifier=a:%00", ["identifier"]),
    ("identifier=a:1&identifier=a:2", ["identifier"]),
    ("identifier=a%0A:1", ["identifier"]),
    ("published_from=", ["published_from"]),
    ("published_from=abc", ["published_from"]),
    ("published_from=1999-01", ["published_from"]),
    ("published_from=10000", ["published_from"]),
    ("published_from=--1", ["published_from"]),
    ("published_from=%2B1999", ["published_from"]),
    ("published_from=+1999", ["published_from"]),
    ("published_from=19.5", ["published_from"]),
    ("published_from=1e3", ["published_from"]),
    ("published_from=%D9%A1%D9%A9%D9%A9%D9%A9", ["published_from"]),
    ("published_from=1999%0A", ["published_from"]),
    ("published_from=1999&published_from=2000", ["published_from"]),
    ("published_to=", ["published_to"]),
    ("published_to=9999999999999999999999", ["published_to"]),
    ("published_to=0x7cf", ["published_to"]),
    ("published_to=%E2%88%92720", ["published_to"]),
    ("published_to=1_9", ["published_to"]),
    ("published_to=-", ["published_to"]),
    ("published_to=1&published_to=1", ["published_to"]),
    ("updated_since=2024-01-31T12:00:00Z&updated_since=2024-01-31T12:00:00Z", ["updated_since"]),
    ("state=", ["state"]),
    ("state=live", ["state"]),
    ("state=DELETED", ["state"]),
    ("state=deleted+", ["state"]),
    ("state=x&state=deleted", ["state"]),
    ("published=1999", ["published"]),
    ("subjects=a", ["subjects"]),
    ("publishers=a", ["publishers"]),
    (
        "identifier=x&published_from=x&published_to=x&updated_since=x&state=x",
        ["state", "identifier", "published_from", "published_to", "updated_since"],
    ),
]


@pytest.mark.parametrize("address", ["/books", "/books/export"])
def test_a_wrong_filter_is_a_400_that_names_it(client, address):
    reported = {query[:60]: client.get(address, query_string=query) for query, _ in BAD}
    assert {
        query: answer.status_code for query, answer in reported.items() if answer.status_code != 400
    } == {}
    assert {query: faults(answer) for query, answer in reported.items()} == {
        query[:60]: named for query, named in BAD
    }
