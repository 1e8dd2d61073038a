"""Chosen fields, facets and value lists. docs/api.md, Fields and facets."""

import csv
import io
import json
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree

from bookapi.books import queries
from bookapi.books.queries import facets as facet_queries
from bookapi.books.queries import matches, single_flight
from bookapi.books.schemas import FIELDS
from bookapi.db.failures import TooSlow
from bookapi.text import fold
from helpers.documents import faults
from helpers.instance import Auth
from helpers.support import store

BOOKS = [
    {
        "title": "Emma",
        "subtitle": "a novel",
        "authors": ["Jane Austen"],
        "isbn": "9780141439587",
        "publisher": "Murray",
        "published": "1815-12-23",
        "language": "en-GB",
        "series": "Classics",
        "series_number": "7",
        "edition": "1st",
        "pages": 474,
        "description": "d",
        "subjects": ["Fiction", "Love | stories"],
        "identifiers": [{"scheme": "lccn", "value": "1"}],
        "cover_url": "https://example.org/a.jpg",
        "location": "Room 1",
        "call_number": "PR 1",
        "copies": 2,
    },
    {
        "title": "=1+1",
        "authors": ["JANE AUSTEN", "Zola, Émile"],
        "published": "1813",
        "language": "en",
        "subjects": ["fiction"],
        "publisher": "murray",
    },
    {
        "title": "Iliad",
        "authors": ["Homer", "homer", "HOMER"],
        "published": "-0720-01-01",
        "language": "grc",
        "subjects": ["FICTION", "Fiction", "Épée"],
        "publisher": "MURRAY",
        "series": "classics",
    },
    {
        "title": "Germinal",
        "authors": ["zola, emile"],
        "published": "1885",
        "language": "fr",
        "publisher": "Łódź",
        "subjects": ["Epee"],
    },
    {
        "title": "Nana",
        "authors": ["ZOLA, EMILE"],
        "published": "1880",
        "language": "fr",
        "publisher": "lodz",
        "subjects": ["<&> \"'"],
    },
    {"title": "Bare"},
    {"title": "Zero", "published": "0000", "language": "en"},
    {"title": "Nine", "published": "0009-12-31"},
    {"title": "Ten", "published": "0010"},
    {"title": "Minus one", "published": "-0001-12-31"},
    {"title": "Minus ten", "published": "-0010-01-01"},
    {"title": "Minus eleven", "published": "-0011-12"},
    {"title": "The end", "published": "9999"},
    {"title": "The beginning", "published": "-9999", "language": "grc"},
]
TRASH = {
    "title": "Emma",
    "authors": ["Jane Austen", "Only in the trash"],
    "publisher": "Murray",
    "subjects": ["Fiction"],
    "language": "en",
    "series": "Classics",
    "published": "1815",
}


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above; one more book is in the trash."""
    store(app, *BOOKS, TRASH)
    assert admin.delete(f"/books/{len(BOOKS) + 1}").status_code == 204
    return admin


def reported(pairs):
    """Values with their counts, as short as they are read: `value 2`."""
    return [f"{pair['value']} {pair['count']}" for pair in pairs]


# -- fields ----------------------------------------------------------------------------

CHOSEN = {
    "title": ["id", "title"],
    "id": ["id"],
    "id,title": ["id", "title"],
    "title,id": ["id", "title"],
    "updated_at,title,authors": ["id", "title", "authors", "updated_at"],
    ",".join(FIELDS): list(FIELDS),
    ",".join(reversed(FIELDS)): list(FIELDS),
    "version": ["id", "version"],
    "isbn,identifiers": ["id", "isbn", "identifiers"],
    "pages,pages": ["id", "pages"],
    "created_at,updated_at": ["id", "created_at", "updated_at"],
}


def in_json(answer):
    return [list(book) for book in answer.json["books"]]


def in_lines(answer):
    return [list(json.loads(line)) for line in answer.get_data().splitlines()]


def in_table(answer):
    header, *rows = csv.reader(io.StringIO(answer.get_data(as_text=True), newline=""))
    assert {len(row) for row in rows} == {len(header)}
    return [header] * len(rows)


READERS = {"json": in_json, "jsonl": in_lines, "csv": in_table}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "address", ["/books?limit=100&", "/books/export?", "/books?cursor=*&", "/books?q=emma&"]
)
def test_only_the_chosen_fields_are_shown_in_the_documented_order(shelf, address, name):
    shown = {
        fields: READERS[name](shelf.get(f"{address}fields={fields}&format={name}"))
        for fields in CHOSEN
    }
    assert {fields: found[0] for fields, found in shown.items()} == CHOSEN
    assert all(each == found[0] for found in shown.values() for each in found)


@pytest.mark.parametrize("address", ["/books?limit=100&", "/books/export?"])
def test_xml_has_the_chosen_fields_that_are_not_null(shelf, address):
    for fields, names in CHOSEN.items():
        books = etree.fromstring(
            shelf.get(f"{address}fields={fields}&format=xml").get_data()
        ).findall("books/book")
        assert [child.tag for child in books[0]] == names
        assert {child.tag for book in books for child in book} == set(names)


def test_chosen_fields_have_the_same_values_as_in_the_book(shelf):
    whole = shelf.get("/books?limit=100").json["books"]
    for fields, names in CHOSEN.items():
        chosen = shelf.get(f"/books?limit=100&fields={fields}").json["books"]
        assert chosen == [{name: book[name] for name in names} for book in whole], fields


def test_csv_of_chosen_fields_is_protected_from_formulas(shelf):
    answer = shelf.get("/books?fields=title,subjects&sort=id&format=csv")
    assert answer.get_data(as_text=True).split("\r\n")[:3] == [
        "id,title,subjects",
        "1,Emma,Fiction | Love \\| stories",
        "2,'=1+1,fiction",
    ]


def test_csv_of_no_books_has_a_header(client):
    assert client.get("/books?fields=title&format=csv").get_data() == b"id,title\r\n"
    assert (
        client.get("/books/export?fields=title,isbn&format=csv").get_data() == b"id,title,isbn\r\n"
    )


def test_the_command_exports_chosen_fields(shelf, runner):
    result = runner.invoke(
        args=[
            "books",
            "export",
            "-",
            "--format",
            "csv",
            "--filter",
            "fields=title,pages",
            "--filter",
            "title=emma",
        ]
    )
    assert (result.exit_code, result.stdout_bytes) == (0, b"id,title,pages\r\n1,Emma,474\r\n")


def test_sorting_and_filtering_may_use_fields_that_are_not_shown(shelf):
    answer = shelf.get("/books?fields=title&sort=-published&author=zola,+emile&limit=2")
    assert [book["title"] for book in answer.json["books"]] == ["Germinal", "Nana"]
    assert dict(parse_qsl(urlsplit(answer.json["links"]["next"]).query))["fields"] == "title"


@pytest.mark.parametrize(
    "query",
    [
        "fields=",
        "fields=,",
        "fields=title,",
        "fields=,title",
        "fields=nonsense",
        "fields=title,nonsense",
        "fields=Title",
        "fields=title_key",
        "fields=deleted_at",
        "fields=live_isbn",
        "fields=*",
        "fields=+title",
        "fields=title;isbn",
        "fields=-title",
        "fields=title&fields=isbn",
        "fields=title%00",
        "fields=title%20,isbn",
        "fields=authors.name",
        "fields=" + "title," * 5000,
        "fields=count(*)",
    ],
)
@pytest.mark.parametrize("address", ["/books", "/books/export"])
def test_unknown_fields_are_a_400(client, address, query):
    answer = client.get(address, query_string=query)
    assert (answer.status_code, faults(answer)) == (400, ["fields"])


def test_each_choice_of_fields_has_its_own_etag(shelf):
    tags = {
        shelf.get(address).headers["ETag"]
        for address in (
            "/books",
            "/books?fields=title",
            "/books?fields=isbn",
            "/books/export",
            "/books/export?fields=title",
            "/books/export?fields=isbn",
        )
    }
    assert len(tags) == 6


# -- facets ----------------------------------------------------------------------------

FACETS = {
    "author": ["ZOLA, EMILE 3", "JANE AUSTEN 2", "Homer 1"],
    "publisher": ["MURRAY 3", "lodz 2"],
    "series": ["Classics 2"],
    "subject": ["FICTION 3", "Epee 2", "<&> \"' 1", "Love | stories 1"],
    "language": ["en 2", "fr 2", "grc 2", "en-GB 1"],
    "decade": [
        "-0010 2",
        "0000 2",
        "1810 2",
        "1880 2",
        "-10000 1",
        "-0720 1",
        "-0020 1",
        "0010 1",
        "9990 1",
    ],
}


def facets(client, query):
    answer = client.get(f"/books?{query}")
    assert answer.status_code == 200, answer.get_data()
    return {name: reported(pairs) for name, pairs in answer.json["facets"].items()}


def test_a_facet_counts_the_books_of_each_value_most_frequent_first(shelf):
    assert facets(shelf, "facets=" + ",".join(FACETS)) == FACETS
    assert list(facets(shelf, "facets=series,language")) == ["language", "series"]


def test_spellings_of_a_value_are_counted_together(shelf):
    for name, pairs in facets(shelf, "facets=author,subject,publisher,series").items():
        spelt = {text for book in BOOKS for text in _texts(book, name)}
        assert {pair.rpartition(" ")[0] for pair in pairs} <= spelt
        assert (
            len({fold(pair) for pair in pairs}) == len(pairs) == len({fold(text) for text in spelt})
        )


def _texts(book, name):
    value = book.get({"author": "authors", "subject": "subjects"}.get(name, name)) or []
    return value if isinstance(value, list) else [value]


UNDER = {
    "author=zola,+emile&facets=author,language": {
        "author": ["ZOLA, EMILE 3", "JANE AUSTEN 1"],
        "language": ["fr 2", "en 1"],
    },
    "language=en&facets=author,subject,publisher": {
        "author": ["JANE AUSTEN 2", "Zola, Émile 1"],
        "subject": ["Fiction 2", "Love | stories 1"],
        "publisher": ["Murray 2"],
    },
    "q=emma&facets=author,language,decade": {
        "author": ["Jane Austen 1"],
        "language": ["en-GB 1"],
        "decade": ["1810 1"],
    },
    "q=zola+-nana&facets=author,publisher": {
        "author": ["Zola, Émile 2", "JANE AUSTEN 1"],
        "publisher": ["Łódź 1", "murray 1"],
    },
    "q=-zola&facets=author,series": {
        "author": ["Homer 1", "Jane Austen 1"],
        "series": ["Classics 2"],
    },
    "q=!&facets=author,decade": {"author": [], "decade": []},
    "title=nothing&facets=language": {"language": []},
    "published_to=0&facets=decade,language": {
        "decade": ["-0010 2", "-10000 1", "-0720 1", "-0020 1", "0000 1"],
        "language": ["grc 2", "en 1"],
    },
    "isbn=9780141439587&facets=subject": {"subject": ["Fiction 1", "Love | stories 1"]},
    "subject=fiction&language=grc&facets=subject": {"subject": ["Épée 1", "FICTION 1"]},
    "identifier=lccn:1&facets=series,publisher": {
        "series": ["Classics 1"],
        "publisher": ["Murray 1"],
    },
    "publisher=lodz&series=classics&facets=author": {"author": []},
    "updated_since=2000-01-01T00:00:00Z&facets=series": {"series": ["Classics 2"]},
    "q=fiction&author=homer&sort=-title&facets=author": {"author": ["Homer 1"]},
}


@pytest.mark.parametrize("looked_up", [0, 1000], ids=["by book", "by term"])
def test_facets_count_only_matching_books(shelf, monkeypatch, looked_up):
    monkeypatch.setattr(queries.facets, "LOOKED_UP", looked_up)
    assert {query: facets(shelf, query) for query in UNDER} == UNDER


def test_facets_do_not_depend_on_the_page_the_order_or_the_fields(shelf):
    for query in (
        "limit=1",
        "limit=2&page=3",
        "page=99",
        "cursor=*&limit=1",
        "sort=-published&fields=id",
    ):
        found = facets(shelf, f"{query}&facets=author,language")
        assert found == {name: FACETS[name] for name in ("language", "author")}, query


def test_facet_counts_equal_the_totals_of_the_filters(shelf):
    for name in ("author", "subject", "publisher", "series"):
        for pair in shelf.get(f"/books?facets={name}").json["facets"][name]:
            total = shelf.get("/books", query_string={name: pair["value"]}).json["total"]
            assert total == pair["count"], (name, pair)


def test_a_decade_can_be_asked_for_by_its_years(shelf):
    for pair in shelf.get("/books?facets=decade").json["facets"]["decade"]:
        year = int(pair["value"])
        query = {"published_from": max(year, -9999), "published_to": year + 9}
        assert shelf.get("/books", query_string=query).json["total"] == pair["count"], pair


def test_facets_show_the_20_most_frequent_values_ties_by_value(app, client):
    names = [f"Name {number:02d}" for number in range(30)]
    store(
        app,
        *[
            {
                "title": "a",
                "authors": names[number:],
                "subjects": names[::-1][number:],
                "publisher": names[number],
            }
            for number in range(30)
        ],
    )
    found = facets(client, "facets=author,subject,publisher")
    assert found["author"] == [
        f"{name} {number + 1}" for number, name in list(enumerate(names))[:9:-1]
    ]
    assert found["subject"] == [f"{name} {30 - number}" for number, name in enumerate(names)][:20]
    assert found["publisher"] == [f"{name} 1" for name in names[:20]]


def test_ties_go_by_the_compared_form_and_not_by_the_spelling(app, client):
    store(
        app, *[{"title": "a", "subjects": [name]} for name in ("b", "A", "É", "c", "Z", "f", "d")]
    )
    assert facets(client, "facets=subject")["subject"] == [
        "A 1",
        "b 1",
        "c 1",
        "d 1",
        "É 1",
        "f 1",
        "Z 1",
    ]


def test_facets_follow_every_change(admin):
    admin.post(
        "/books",
        json={
            "title": "a",
            "authors": ["X"],
            "publisher": "P",
            "language": "en",
            "published": "1999",
        },
    )
    query = "facets=author,publisher,language,decade"
    assert facets(admin, query) == {
        "language": ["en 1"],
        "author": ["X 1"],
        "publisher": ["P 1"],
        "decade": ["1990 1"],
    }
    admin.patch(
        "/books/1",
        json={"authors": ["Y", "y"], "publisher": None, "published": "2001", "language": "fr"},
    )
    assert facets(admin, query) == {
        "language": ["fr 1"],
        "author": ["Y 1"],
        "publisher": [],
        "decade": ["2000 1"],
    }
    admin.delete("/books/1")
    assert facets(admin, query) == {"language": [], "author": [], "publisher": [], "decade": []}


def test_facets_in_xml_follow_the_limit_element(shelf):
    root = etree.fromstring(
        shelf.get("/books?facets=language,decade,author&limit=1&format=xml").get_data()
    )
    assert [child.tag for child in root] == ["books", "total", "limit", "facets", "links"]
    assert [child.tag for child in root.find("facets")] == ["language", "author", "decade"]
    for name in ("language", "author", "decade"):
        found = root.findall(f"facets/{name}/*")
        assert {(each.tag, *[part.tag for part in each]) for each in found} == {
            ("facet", "value", "count")
        }
        assert [f"{each.findtext('value')} {each.findtext('count')}" for each in found] == FACETS[
            name
        ]


def test_facets_in_xml_carry_markup_as_text_and_nothing_as_an_empty_list(shelf):
    root = etree.fromstring(
        shelf.get("/books?title=nana&facets=subject,series&format=xml").get_data()
    )
    assert root.findtext("facets/subject/facet/value") == "<&> \"'"
    assert len(root.find("facets/series")) == 0


def test_a_list_without_facets_has_no_facets_member(shelf):
    assert set(shelf.get("/books").json) == {"books", "total", "limit", "links"}
    assert "<facets>" not in shelf.get("/books?format=xml").get_data(as_text=True)


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_formats_of_books_only_ignore_facets(shelf, name):
    answers = [shelf.get(f"/books?format={name}{more}") for more in ("", "&facets=author")]
    assert answers[0].get_data() == answers[1].get_data() != b""


@pytest.mark.parametrize(
    "query",
    [
        "facets=",
        "facets=,",
        "facets=author,",
        "facets=nonsense",
        "facets=authors",
        "facets=Author",
        "facets=title",
        "facets=author&facets=subject",
        "facets=isbn",
        "facets=published",
        "facets=author%00",
        "facets=*",
        "facets=+author",
    ],
)
def test_an_unknown_facet_is_a_400(client, query):
    answer = client.get(f"/books?{query}")
    assert (answer.status_code, faults(answer)) == (400, ["facets"])
    assert faults(client.get(f"/books/export?{query}")) == ["facets"]


# -- lists of terms --------------------------------------------------------------------

TERMS = {
    "authors": ["Homer 1", "JANE AUSTEN 2", "ZOLA, EMILE 3"],
    "subjects": ["<&> \"' 1", "Epee 2", "FICTION 3", "Love | stories 1"],
    "publishers": ["lodz 2", "MURRAY 3"],
    "languages": ["en 2", "en-GB 1", "fr 2", "grc 2"],
}


def pairs(client, address):
    answer = client.get(address)
    assert answer.status_code == 200, answer.get_data()
    return reported(answer.json["terms"])


def test_a_list_of_terms_has_every_value_with_its_number_of_books(shelf):
    assert {name: pairs(shelf, f"/books/{name}") for name in TERMS} == TERMS
    assert {name: shelf.get(f"/books/{name}").json["total"] for name in TERMS} == {
        name: len(found) for name, found in TERMS.items()
    }


def test_terms_are_sorted_by_value_or_count_either_way(shelf):
    wanted = {
        name: {
            "value": found,
            "-value": found[::-1],
            "count": sorted(found, key=lambda pair: int(pair.split()[-1])),
            "-count": sorted(found, key=lambda pair: -int(pair.split()[-1])),
        }
        for name, found in TERMS.items()
    }
    assert {
        name: {sort: pairs(shelf, f"/books/{name}?sort={sort}") for sort in sorts}
        for name, sorts in wanted.items()
    } == wanted


@pytest.mark.parametrize("sort", ["value", "-value", "count", "-count"])
def test_pages_of_terms_make_the_whole(app, client, sort):
    store(
        app,
        *[
            {"title": "a", "authors": [f"Name {name}" for name in range(number, 25, 3)]}
            for number in range(25)
        ],
    )
    whole = pairs(client, f"/books/authors?sort={sort}&limit=100")
    assert len(whole) == 25
    paged = [
        pairs(client, f"/books/authors?sort={sort}&limit=7&page={page}") for page in range(1, 6)
    ]
    assert sum(paged, []) == whole


def test_terms_have_a_total_a_limit_and_links(shelf):
    answer = shelf.get("/books/languages?limit=2&page=1&sort=-count")
    assert list(answer.json) == ["terms", "total", "limit", "links"]
    assert (answer.json["total"], answer.json["limit"]) == (4, 2)
    links = {
        relation: dict(parse_qsl(urlsplit(address).query))
        for relation, address in answer.json["links"].items()
    }
    assert links == {
        relation: {"limit": "2", "sort": "-count", "page": page}
        for relation, page in (("self", "1"), ("first", "1"), ("next", "2"), ("last", "2"))
    }
    header = re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers["Link"])
    assert {relation: address for address, relation in header} == {
        relation: address
        for relation, address in answer.json["links"].items()
        if relation != "self"
    }


def test_following_next_visits_every_term(shelf):
    address, seen = "/books/subjects?limit=1", []
    while address:
        answer = shelf.get(address)
        seen += reported(answer.json["terms"])
        address = answer.json["links"].get("next")
    assert seen == TERMS["subjects"]
    assert "prev" in answer.json["links"]


def test_without_terms_there_is_one_empty_page(client):
    for name in TERMS:
        answer = client.get(f"/books/{name}")
        assert (answer.json["terms"], answer.json["total"], answer.json["limit"]) == ([], 0, 20)
        assert set(answer.json["links"]) == {"self", "first", "last"}


def test_a_page_of_terms_beyond_the_last_is_empty(shelf):
    answer = shelf.get("/books/authors?page=99&limit=2")
    assert (answer.status_code, answer.json["terms"], answer.json["total"]) == (200, [], 3)
    assert dict(parse_qsl(urlsplit(answer.json["links"]["prev"]).query))["page"] == "2"


@pytest.mark.parametrize("name", TERMS)
def test_terms_in_xml_are_terms_of_a_value_and_a_count(shelf, name):
    answer = shelf.get(f"/books/{name}", headers={"Accept": "application/xml"})
    root = etree.fromstring(answer.get_data())
    assert (answer.mimetype, root.tag) == ("application/xml", "terms")
    assert [child.tag for child in root] == ["terms", "total", "limit", "links"]
    assert [
        f"{term.findtext('value')} {term.findtext('count')}" for term in root.findall("terms/term")
    ] == TERMS[name]


@pytest.mark.parametrize("name", TERMS)
def test_head_of_terms_is_get_without_a_body(shelf, name):
    got, head = shelf.get(f"/books/{name}"), shelf.head(f"/books/{name}")
    assert (head.status_code, head.get_data()) == (200, b"")
    assert {
        key: head.headers[key] for key in ("ETag", "Link", "Content-Type", "Vary", "Content-Length")
    } == {
        key: got.headers[key] for key in ("ETag", "Link", "Content-Type", "Vary", "Content-Length")
    }


def test_terms_have_an_etag_that_changes_with_the_catalogue(shelf, app):
    anonymous = app.test_client()
    tag = anonymous.get("/books/authors").headers["ETag"]
    assert anonymous.get("/books/authors", headers={"If-None-Match": tag}).status_code == 304
    shelf.delete("/books/3")
    fresh = anonymous.get("/books/authors", headers={"If-None-Match": tag})
    assert (fresh.status_code, reported(fresh.json["terms"])) == (200, TERMS["authors"][1:])


def test_terms_have_the_same_readers_as_the_catalogue(make_app):
    private = make_app(PUBLIC_READ=False)
    member = private.test_client()
    Auth(member).login("member")
    for name in TERMS:
        refused = private.test_client().get(f"/books/{name}")
        assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, True)
        assert member.get(f"/books/{name}").status_code == 200


@pytest.mark.parametrize(
    "query, named",
    [
        ("limit=0", ["limit"]),
        ("limit=101", ["limit"]),
        ("limit=x", ["limit"]),
        ("page=0", ["page"]),
        ("page=x", ["page"]),
        ("sort=", ["sort"]),
        ("sort=name", ["sort"]),
        ("sort=value,count", ["sort"]),
        ("sort=--count", ["sort"]),
        ("sort=value&sort=count", ["sort"]),
        ("q=a", ["q"]),
        ("cursor=*", ["cursor"]),
        ("fields=title", ["fields"]),
        ("facets=author", ["facets"]),
        ("state=deleted", ["state"]),
        ("language=en", ["language"]),
        ("nonsense", ["nonsense"]),
        ("limit=0&page=0&sort=x&y=1", ["limit", "page", "sort", "y"]),
        (f"page={10**16}", ["page"]),
    ],
)
def test_a_wrong_parameter_of_terms_is_a_400_that_names_it(client, query, named):
    for name in TERMS:
        answer = client.get(f"/books/{name}?{query}")
        assert (answer.status_code, faults(answer)) == (400, named)


@pytest.mark.parametrize("name", TERMS)
def test_terms_are_json_or_xml_and_read_only(admin, name):
    assert admin.get(f"/books/{name}?format=csv").status_code == 406
    assert admin.get(f"/books/{name}", headers={"Accept": "text/csv"}).status_code == 406
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = admin.open(f"/books/{name}", method=method, json={})
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (
            405,
            {"GET", "HEAD", "OPTIONS"},
        )


def test_long_terms_with_a_common_prefix_are_counted_separately(app, client):
    alike = ["x" * 499 + end for end in "abc"]
    store(
        app,
        *[
            {"title": "a", "authors": alike[:number], "publisher": alike[number - 1]}
            for number in (1, 2, 3)
        ],
    )
    assert pairs(client, "/books/authors") == [
        f"{name} {3 - number}" for number, name in enumerate(alike)
    ]
    assert pairs(client, "/books/publishers?sort=-value") == [
        f"{name} 1" for name in reversed(alike)
    ]


# -- the same, asked by several at once ------------------------------------------------

CROWD = 6  # as many as may use threads at once; four may count different facets


@pytest.fixture
def crowd(app, shelf, monkeypatch):
    """A function that has several clients ask for an address at once: their answers, and what was
    computed. What computes goes on when the others wait for its result; it may `fail`."""
    waiting, computed = threading.Semaphore(0), []

    class Watched(Future):
        def result(self, timeout=None):
            if not self.done():
                waiting.release()
            return super().result(timeout)

    def ask(address, fail=None):
        def once(key, make):
            def slowly():
                computed.append(key[0])
                assert all(waiting.acquire(timeout=10) for _ in range(CROWD - 1))
                if fail:
                    raise fail
                return make()

            return single_flight.once(key, slowly)

        with monkeypatch.context() as patch, ThreadPoolExecutor(CROWD) as pool:
            patch.setattr(single_flight, "Future", Watched)
            patch.setattr(matches, "once", once)
            clients = [app.test_client() for _ in range(CROWD)]
            answers = list(pool.map(lambda client: client.get(address), clients))
        return [(answer.status_code, answer.json) for answer in answers], computed

    return ask


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("/books?language=en-GB&facets=author", "author"),
        ("/books?published_from=1800", "count"),
    ],
)
def test_what_several_ask_for_at_once_is_computed_once(crowd, admin, address, what):
    answers, computed = crowd(address)
    assert computed == [what]
    assert answers == [(200, admin.get(address).json)] * CROWD


def test_what_takes_too_long_is_given_up_for_all_who_asked_and_computed_again_later(crowd, admin):
    address = "/books?language=en-GB&facets=author"
    answers, computed = crowd(address, TooSlow())
    assert (len(computed), {status for status, _ in answers}) == (1, {503})
    assert all("facets, language" in reported["detail"] for _, reported in answers)
    assert admin.get(address).status_code == 200


def test_the_marks_of_two_lists_are_made_at_the_same_time(app, shelf, monkeypatch):
    both, make, places = threading.Barrier(2, timeout=10), matches.Matches._marks, set()

    def marks(self, query, **values):
        places.add(both.wait())
        return make(self, query, **values)

    monkeypatch.setattr(matches.Matches, "_marks", marks)
    monkeypatch.setattr(facet_queries, "LOOKED_UP", 1000)
    addresses = [f"/books?published_from={year}&facets=author" for year in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda address: app.test_client().get(address), addresses))
    assert [answer.status_code for answer in answers] == [200, 200] and places == {0, 1}
