"""Facets. docs/api.md, Fields and facets."""

import pytest
from lxml import etree

from bookapi.books import queries
from bookapi.text import fold
from helpers.documents import faults
from helpers.facets import BOOKS, facets
from helpers.support import store

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
