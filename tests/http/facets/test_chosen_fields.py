"""Chosen fields. docs/api.md, Fields and facets."""

import csv
import io
import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree

from bookapi.books.schemas import FIELDS
from helpers.documents import faults

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
