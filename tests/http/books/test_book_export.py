"""The export over HTTP. docs/api.md, Export."""

import csv
import io
import json

import pytest

from helpers.documents import faults, read
from helpers.instance import Auth


def _exported(answer):
    if answer.mimetype == "text/csv":
        return [
            int(row["id"]) for row in csv.DictReader(io.StringIO(answer.get_data(as_text=True)))
        ]
    if answer.mimetype == "application/x-ndjson":
        return [json.loads(line)["id"] for line in answer.get_data().splitlines()]
    return [int(book["id"]) for book in read(answer)["books"]]


@pytest.fixture
def four(admin):
    for number, language in enumerate(["en", "de", "en-GB", "en"], 1):
        admin.post(
            "/books",
            json={"title": f"T{5 - number}", "language": language, "authors": ["=1+1", "a | b"]},
        )
    admin.post("/books", json={"title": "gone", "language": "en"})
    admin.delete("/books/5")
    return admin


QUERIES = {
    "": [1, 2, 3, 4],
    "language=de": [2],
    "language=en": [1, 3, 4],
    "sort=title": [4, 3, 2, 1],
    "sort=-id": [4, 3, 2, 1],
    "sort=-title&title=t4&title=T1": [1, 4],
    "author=nobody": [],
}


@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
def test_the_export_has_every_matching_book_in_each_format(four, name):
    for query, ids in QUERIES.items():
        answer = four.get(f"/books/export?format={name}&{query}")
        assert (answer.status_code, _exported(answer)) == (200, ids), query


@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
def test_head_of_an_export_has_the_headers_of_get(four, name):
    reported = []
    for method in ("GET", "HEAD"):
        answer = four.open(
            f"/books/export?format={name}", method=method, headers={"X-Request-ID": "same"}
        )
        reported.append((answer.status_code, dict(answer.headers), answer.get_data()))
    assert [status for status, _, _ in reported] == [200, 200] and reported[1][2] == b""
    assert {**reported[1][1], "Content-Length": str(len(reported[0][2]))} == reported[0][1]


@pytest.mark.parametrize("parameter", ["limit=1", "page=1", "cursor=*", "nonsense=1"])
def test_an_export_rejects_paging_parameters(four, parameter):
    answer = four.get(f"/books/export?{parameter}")
    assert (answer.status_code, faults(answer)) == (400, [parameter.partition("=")[0]])


@pytest.mark.parametrize("name", ["json", "xml"])
def test_an_export_contains_the_same_fields_as_a_book(four, name):
    books = read(four.get(f"/books/export?format={name}"))["books"]
    assert books == [read(four.get(f"/books/{number}?format={name}")) for number in (1, 2, 3, 4)]


def test_an_export_of_a_private_catalogue_needs_a_reader(make_app):
    client = make_app(PUBLIC_READ=False).test_client()
    refused = client.get("/books/export").status_code
    Auth(client).login("member")
    assert (refused, client.get("/books/export").status_code) == (401, 200)
