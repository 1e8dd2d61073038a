"""Lists of authors, subjects, publishers and languages. docs/api.md, Fields and facets."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree

from helpers.documents import faults
from helpers.facets import pairs, reported
from helpers.instance import Auth
from helpers.support import store

TERMS = {
    "authors": ["Homer 1", "JANE AUSTEN 2", "ZOLA, EMILE 3"],
    "subjects": ["<&> \"' 1", "Epee 2", "FICTION 3", "Love | stories 1"],
    "publishers": ["lodz 2", "MURRAY 3"],
    "languages": ["en 2", "en-GB 1", "fr 2", "grc 2"],
}


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
