"""Filters of lists over HTTP, alone and combined, and the trash. docs/api.md, Filters."""

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from helpers.documents import faults, ids
from helpers.instance import Auth
from helpers.support import jsonl_bytes, store

# By a short name each; the ids count from 1 in this order.
SHELF = {
    "iliad": {
        "title": "The Iliad",
        "authors": ["Homer"],
        "published": "-0720-03",
        "publisher": "Μόρφωση",
        "subjects": ["Epic poetry", "Troy"],
        "language": "grc",
    },
    "odyssey": {
        "title": "The Odyssey",
        "authors": ["Homer", "E. V. Rieu"],
        "published": "-0719",
        "series": "Épics",
        "subjects": ["EPIC  poetry"],
        "publisher": "Penguin",
    },
    "zero": {"title": "Year zero", "published": "0000", "publisher": "penguin ", "series": "epics"},
    "one": {"title": "Year one", "published": "0001-01-01", "publisher": "Pénguin Books"},
    "lodz": {
        "title": "Łódź",
        "authors": ["Søren Æbelø"],
        "published": "1999-12-31",
        "publisher": "Łódź Press",
        "subjects": ["Łódź", "łodz"],
        "series": "Ľ",
        "language": "pl",
    },
    "two thousand": {
        "title": "Two thousand",
        "published": "2000",
        "publisher": "100%_sure",
        "subjects": ["Fish & chips"],
        "identifiers": [
            {"scheme": "isbn", "value": "9781402894626"},
            {"scheme": "goodreads", "value": "6969"},
        ],
    },
    "last": {
        "title": "The last",
        "published": "9999-12-31",
        "isbn": "9780141439587",
        "identifiers": [
            {"scheme": "lccn", "value": "a:b:c"},
            {"scheme": "doi", "value": "10.1000/ÄB c"},
            {"scheme": "x._-1", "value": "é"},
        ],
    },
    "first": {
        "title": "The first",
        "published": "-9999",
        "identifiers": [
            {"scheme": "goodreads", "value": "6969"},
            {"scheme": "goodreads", "value": "6969"},
        ],
        "language": "en",
    },
    "bare": {"title": "Bare"},
    "long": {
        "title": "L" * 2000,
        "authors": ["a" * 500],
        "publisher": "é" * 500,
        "series": "s" * 500,
        "subjects": ["ﬄ" * 200],
        "identifiers": [{"scheme": "s" * 32, "value": "v" * 500}],
    },
    "marks": {
        "title": "?",
        "authors": ["!"],
        "publisher": "\u0301x",
        "subjects": ["'"],
        "series": "%",
    },
}
NAMES = list(SHELF)
TRASH = [
    {
        "title": "Thrown away",
        "authors": ["Homer"],
        "isbn": "9780306406157",
        "publisher": "Penguin",
        "language": "en",
        "published": "1999",
        "subjects": ["Epic poetry"],
        "series": "Epics",
        "identifiers": [
            {"scheme": "isbn", "value": "9780140275360"},
            {"scheme": "goodreads", "value": "6969"},
        ],
    },
    {
        "title": "Another",
        "authors": ["Vergil"],
        "isbn": "9780306406157",
        "published": "2001",
        "language": "la",
    },
    {"title": "The Iliad", "published": "-0720", "language": "grc", "publisher": "Penguin"},
]


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above; three more books are in the trash."""
    store(app, *SHELF.values())
    for number, record in enumerate(TRASH, len(SHELF) + 1):
        store(app, record)
        assert admin.delete(f"/books/{number}").status_code == 204
    return admin


def names(answer):
    found = [NAMES[number - 1] for number in ids(answer)]
    assert answer.json.get("total", len(found)) == len(found)
    return found


# -- what is equal ---------------------------------------------------------------------

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


# -- years -----------------------------------------------------------------------------

YEARS = {
    "published_from=2000": ["two thousand", "last"],
    "published_from=1999": ["lodz", "two thousand", "last"],
    "published_to=-720": ["iliad", "first"],
    "published_to=-721": ["first"],
    "published_to=-719": ["iliad", "odyssey", "first"],
    "published_from=-720&published_to=-720": ["iliad"],
    "published_from=-719&published_to=-719": ["odyssey"],
    "published_from=-720&published_to=-719": ["iliad", "odyssey"],
    "published_from=-9999&published_to=-9999": ["first"],
    "published_from=0&published_to=0": ["zero"],
    "published_from=-0&published_to=0000": ["zero"],
    "published_from=1&published_to=1": ["one"],
    "published_from=0001&published_to=01": ["one"],
    "published_from=-1&published_to=1": ["zero", "one"],
    "published_from=1999&published_to=1999": ["lodz"],
    "published_from=2000&published_to=1999": [],
    "published_from=9999": ["last"],
    "published_to=9999": [
        "iliad",
        "odyssey",
        "zero",
        "one",
        "lodz",
        "two thousand",
        "last",
        "first",
    ],
    "published_from=-720&published_to=0": ["iliad", "odyssey", "zero"],
    "published_from=-0720&published_to=-0720": ["iliad"],
}


def test_published_from_and_to_are_inclusive_and_may_be_bc(shelf):
    assert {query: names(shelf.get(f"/books?{query}")) for query in YEARS} == YEARS


# -- instants --------------------------------------------------------------------------


def stamps(client):
    return [
        datetime.fromisoformat(book["updated_at"])
        for book in client.get("/books?limit=100").json["books"]
    ]


def written(instant, style):
    local = instant.astimezone(timezone(timedelta(hours=5, minutes=30)))
    west = instant.astimezone(timezone(-timedelta(hours=9, minutes=30)))
    plain = instant.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {
        "Z": f"{plain}Z",
        "z": f"{plain}z".replace("T", "t"),
        "no T": f"{plain}Z".replace("T", " "),
        "+00:00": f"{plain}+00:00",
        "-00:00": f"{plain}-00:00",
        "space": f"{plain} 00:00",
        "east": local.isoformat(),
        "west": west.isoformat(),
        "nine digits": f"{plain}000Z",
    }[style]


STYLES = ("Z", "z", "+00:00", "-00:00", "space", "east", "west", "no T", "nine digits")


def test_updated_since_accepts_every_timestamp_form_and_is_inclusive(shelf):
    shelf.patch("/books/3", json={"pages": 7})
    at = stamps(shelf)[2]
    for instant, wanted in ((at, ["zero"]), (at + timedelta(microseconds=1), [])):
        reported = {
            style: shelf.get("/books", query_string={"updated_since": written(instant, style)})
            for style in STYLES
        }
        assert {style: names(answer) for style, answer in reported.items()} == dict.fromkeys(
            STYLES, wanted
        )


def test_an_unencoded_plus_in_a_timestamp_is_a_plus(shelf):
    # +10:00 is ten hours earlier than the clock says: everything here was updated since.
    now = datetime.now(UTC)
    assert len(
        names(shelf.get(f"/books?updated_since={now:%Y-%m-%dT%H:%M:%S}+10:00&limit=100"))
    ) == len(SHELF)
    assert names(shelf.get(f"/books?updated_since={now:%Y-%m-%dT%H:%M:%S}-10:00")) == []


INSTANTS = {
    "2016-12-31T23:59:60Z": 11,
    "2016-12-31T23:59:60.5Z": 11,
    "1990-12-31T15:59:60-08:00": 11,
    "2000-01-01T00:00:00Z": 11,
    "0001-01-01T00:00:00Z": 11,
    "9999-12-31T23:59:59Z": 0,
    "2999-01-01T00:00:00.5Z": 0,
    "9999-12-31T23:59:59.999999999Z": 0,
    "2024-02-29T12:00:00.1Z": 11,
    "2000-01-01T00:00:00+23:59": 11,
    "2000-01-01t00:00:00z": 11,
    "2000-01-01 00:00:00Z": 11,
}
NO_INSTANTS = [
    "",
    " ",
    "now",
    "2024",
    "2024-01-31",
    "2024-01-31T12:00:00",
    "2024-01-31T12:00Z",
    "2024-01-31T12:00:00+0200",
    "2024-13-01T00:00:00Z",
    "2024-02-30T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "2024-01-31T24:00:00Z",
    "2024-01-31T12:60:00Z",
    "2024-01-31T12:00:61Z",
    "2024-01-31T12:00:00.Z",
    "2024-01-31T12:00:00,5Z",
    "2024-01-31T12:00:00+24:00",
    "2024-01-31T12:00:00+02:60",
    "2024-01-31T12:00:00+2:00",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:60Z",
    "-2024-01-31T12:00:00Z",
    "20240131T120000Z",
    "2024-W05-3T12:00:00Z",
    "2024-1-31T12:00:00Z",
    "٢٠٢٤-01-31T12:00:00Z",
    "2024-01-31T12:00:00Zx",
    "x2024-01-31T12:00:00Z",
    "1706702400",
    "2024-01-31T12:00:00Z\n",
    "2024-01-31T12:00:00\u221202:00",
    "2024-01-31T12:00:00Z\0",
    "2024-01-31T12:00:00 Z",
    "2024-01-31T12:00:00.5.5Z",
    "2024-01-31T12:00:00" + "." + "9" * 5000,
]


def test_timestamps_of_all_years_are_accepted(shelf):
    reported = {
        text: shelf.get("/books", query_string={"updated_since": text}) for text in INSTANTS
    }
    assert {text: answer.json["total"] for text, answer in reported.items()} == INSTANTS


def test_invalid_timestamp_is_rejected(client):
    reported = {
        text: client.get("/books", query_string={"updated_since": text}) for text in NO_INSTANTS
    }
    assert {
        text: answer.status_code for text, answer in reported.items() if answer.status_code != 400
    } == {}
    assert {fault for answer in reported.values() for fault in faults(answer)} == {"updated_since"}


def test_updated_since_finds_changes_and_deletions_are_in_the_trash(shelf):
    before = max(stamps(shelf)) + timedelta(microseconds=1)
    shelf.patch("/books/4", json={"pages": 1})
    shelf.patch("/books/5", json={"title": "Łódź"})  # as it was: no change
    shelf.delete("/books/6")
    query = {"updated_since": written(before, "Z")}
    assert names(shelf.get("/books", query_string=query)) == ["one"]
    # The three of the trash were thrown away behind the last book was stored.
    assert (
        ids(shelf.get("/books", query_string={**query, "state": "deleted", "sort": "-updated_at"}))[
            0
        ]
        == 6
    )


# -- together --------------------------------------------------------------------------

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


# -- the trash -------------------------------------------------------------------------

FIRST, SECOND, THIRD = range(len(SHELF) + 1, len(SHELF) + 4)
IN_TRASH = {
    "": [FIRST, SECOND, THIRD],
    "title=the+iliad": [THIRD],
    "title=thrown+away": [FIRST],
    "author=homer": [FIRST],
    "author=soren+aebelo": [],
    "publisher=penguin": [FIRST, THIRD],
    "subject=epic+poetry": [FIRST],
    "series=epics": [FIRST],
    "isbn=9780306406157": [FIRST, SECOND],
    "isbn=0-306-40615-2": [FIRST, SECOND],
    "isbn=9780140275360": [FIRST],
    "isbn=9780141439587": [],
    "language=en": [FIRST],
    "language=grc": [THIRD],
    "identifier=goodreads:6969": [FIRST],
    "published_from=1999": [FIRST, SECOND],
    "published_to=-720": [THIRD],
    "published_from=2000&published_to=2001": [SECOND],
    "updated_since=2000-01-01T00:00:00Z": [FIRST, SECOND, THIRD],
    "updated_since=2999-01-01T00:00:00Z": [],
    "q=homer": [FIRST],
    "q=iliad": [THIRD],
    "q=lodz": [],
    "q=thro*": [FIRST],
    'q="thrown+away"': [FIRST],
    "q=-homer": [SECOND, THIRD],
    "q=0306406152": [FIRST, SECOND],
    "q=iliad&title=the+iliad": [THIRD],
    "q=!": [],
    "q=penguin+-homer": [THIRD],
    "sort=title": [SECOND, THIRD, FIRST],
    "sort=-title": [FIRST, THIRD, SECOND],
    "sort=author": [FIRST, SECOND, THIRD],
    "sort=-author": [SECOND, FIRST, THIRD],
    "sort=published": [THIRD, FIRST, SECOND],
    "sort=-published": [SECOND, FIRST, THIRD],
    "sort=-id": [THIRD, SECOND, FIRST],
    "sort=-updated_at": [THIRD, SECOND, FIRST],
    "sort=created_at": [FIRST, SECOND, THIRD],
    "limit=1&page=2": [SECOND],
    "page=4": [],
    "limit=2&cursor=*": [FIRST, SECOND],
    "q=penguin&sort=-relevance,-id": [THIRD, FIRST],
}


def test_an_admin_sees_the_trash_through_every_filter_and_order(shelf):
    reported = {query: shelf.get(f"/books?state=deleted&{query}") for query in IN_TRASH}
    assert {query: ids(answer) for query, answer in reported.items()} == IN_TRASH
    assert {answer.headers["Cache-Control"] for answer in reported.values()} == {"no-store"}


def test_the_trash_has_totals_and_page_links(shelf):
    first = shelf.get("/books?state=deleted&limit=2&sort=-id")
    assert (first.json["total"], ids(shelf.get(first.json["links"]["next"]))) == (3, [FIRST])
    begun = shelf.get("/books?state=deleted&limit=2&cursor=*&sort=-published")
    assert ids(shelf.get(begun.json["links"]["next"])) == [THIRD]


def test_the_trash_can_be_exported_and_has_facets(shelf):
    assert ids(shelf.get("/books/export?state=deleted&sort=-id")) == [THIRD, SECOND, FIRST]
    assert shelf.get("/books/export?state=deleted").headers["Cache-Control"] == "no-store"
    assert shelf.get("/books?state=deleted&facets=author,publisher").json["facets"] == {
        "author": [{"value": "Homer", "count": 1}, {"value": "Vergil", "count": 1}],
        "publisher": [{"value": "Penguin", "count": 2}],
    }


def test_no_list_of_live_books_shows_the_trash(shelf):
    queries = [
        query for query in IN_TRASH if query and "limit" not in query and "page" not in query
    ]
    shown = {query: ids(shelf.get(f"/books?{query}")) for query in queries}
    assert {
        query: found for query, found in shown.items() if set(found) & {FIRST, SECOND, THIRD}
    } == {}


FOR_ADMINS = (
    "/books?state=deleted",
    "/books/export?state=deleted",
    f"/books/{FIRST}?state=deleted",
    "/books?state=deleted&q=homer",
    "/books?state=deleted&state=x",
    "/books?q=%00&state=deleted",
    "/books?state=deleted&cursor=*",
)


@pytest.mark.parametrize("name", ["json", "xml"])
def test_only_admins_see_the_trash(shelf, app, name):
    headers = {"Accept": f"application/{name}"}
    anonymous, member = app.test_client(), app.test_client()
    Auth(member).login("member")
    refused = [anonymous.get(address, headers=headers) for address in FOR_ADMINS]
    assert {(answer.status_code, "WWW-Authenticate" in answer.headers) for answer in refused} == {
        (401, True)
    }
    assert {member.get(address, headers=headers).status_code for address in FOR_ADMINS} == {403}


def test_an_admin_can_read_one_book_of_the_trash(shelf, app):
    shown = shelf.get(f"/books/{FIRST}?state=deleted")
    assert (shown.status_code, shown.json["title"], shown.json["version"]) == (
        200,
        "Thrown away",
        2,
    )
    assert (shown.headers["Cache-Control"], shelf.get(f"/books/{FIRST}").status_code) == (
        "no-store",
        410,
    )
    assert shelf.get("/books/999?state=deleted").status_code == 404


def test_responses_about_the_trash_are_not_cached_for_others(shelf, app):
    for address in (
        "/books?state=deleted",
        f"/books/{FIRST}?state=deleted",
        "/books/export?state=deleted",
    ):
        assert shelf.get(address).status_code == 200
        assert app.test_client().get(address).status_code == 401


def test_the_state_parameter_shows_live_books_too(shelf, app):
    anonymous = app.test_client()
    assert [anonymous.get("/books/1?state=deleted").status_code for _ in range(2)] == [200, 200]
    shelf.delete("/books/1")
    assert anonymous.get("/books/1?state=deleted").status_code == 401
    assert anonymous.get("/books/1").status_code == 410


def test_a_private_catalogue_has_a_private_trash(make_app):
    app = make_app(PUBLIC_READ=False)
    assert app.test_client().get("/books?state=deleted").status_code == 401
    member = app.test_client()
    Auth(member).login("member")
    assert member.get("/books?state=deleted").status_code == 403


# -- filters follow changes ------------------------------------------------------------


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
