"""Books created and read, in JSON and in XML. docs/api.md, Changing books."""

import pytest

from helpers.books import EMPTY, FULL, INVALID, ISBN, OTHER, TEN, own, rows
from helpers.documents import both, faults, send


@both
def test_creating_a_book_answers_201_with_location(admin, name):
    answer = send(admin, "POST", "/books", name, FULL)
    assert (answer.status_code, answer.headers["Location"]) == (201, "http://localhost/books/1")
    assert (
        admin.get("/books/1", headers={"Accept": answer.mimetype}).get_data() == answer.get_data()
    )


@both
def test_a_created_book_is_read_back_unchanged(admin, name):
    send(admin, "POST", "/books", name, FULL)
    record = admin.get("/books/1").json
    assert own(record) == FULL
    assert (record["id"], record["version"], record["created_at"]) == (1, 1, record["updated_at"])


@pytest.mark.parametrize(
    "sent, stored",
    [
        ({"title": "  Emma\t"}, {"title": "Emma"}),
        ({"title": "E\u0301mile"}, {"title": "\u00c9mile"}),
        ({"title": "a", "isbn": TEN}, {"isbn": ISBN}),
        ({"title": "a", "isbn": "080442957x"}, {"isbn": "9780804429573"}),
        ({"title": "a", "isbn": "978\u20110\u201130640615\u20117"}, {"isbn": ISBN}),
        ({"title": "a", "pages": "671"}, {"pages": 671}),
        ({"title": "a", "pages": " 671 "}, {"pages": 671}),
        ({"title": "a", "pages": ""}, {"pages": None}),
        ({"title": "a", "subtitle": "  "}, {"subtitle": None}),
        ({"title": "a", "subtitle": None}, {"subtitle": None}),
        ({"title": "a", "authors": None}, {"authors": []}),
        ({"title": "a", "authors": []}, {"authors": []}),
        ({"title": "a", "authors": [" b "]}, {"authors": ["b"]}),
        ({"title": "a", "language": "eng"}, {"language": "en"}),
        ({"title": "a", "language": "EN_us"}, {"language": "en-US"}),
        ({"title": "a", "published": "-0720"}, {"published": "-0720"}),
        ({"title": "a", "published": "1900-02"}, {"published": "1900-02"}),
        (
            {"title": "a", "identifiers": [{"scheme": "isbn", "value": TEN}]},
            {"identifiers": [{"scheme": "isbn", "value": ISBN}]},
        ),
        ({"title": "\U0001f4da" * 2000}, {"title": "\U0001f4da" * 2000}),
        ({"title": "]]>"}, {"title": "]]>"}),
        ({"title": "a", "description": "\u00e9" * 20000}, {"description": "\u00e9" * 20000}),
        ({"title": "a", "subjects": ["s"] * 100}, {"subjects": ["s"] * 100}),
        ({"title": "a", "pages": 100000}, {"pages": 100000}),
    ],
)
def test_json_and_xml_store_the_same_row(admin, sent, stored):
    records = []
    for name in ("json", "xml"):
        answer = send(admin, "POST", "/books", name, sent)
        assert answer.status_code == 201
        records.append(own(admin.get(answer.headers["Location"]).json))
        admin.delete(answer.headers["Location"])
    assert records == [{**EMPTY, **sent, **stored}] * 2


def test_json_and_xml_reject_the_same_fields(app, admin):
    before = rows(app)
    reported = [
        [
            (answer.status_code, sorted(faults(answer)))
            for answer in (send(admin, "POST", "/books", name, sent) for name in ("json", "xml"))
        ]
        for sent, _ in INVALID
    ]
    assert reported == [[(422, sorted(fields))] * 2 for _, fields in INVALID]
    assert rows(app) == before


@pytest.mark.parametrize(
    "method, address", [("PUT", "/books/1"), ("PATCH", "/books/1"), ("PUT", f"/books/isbn/{OTHER}")]
)
def test_put_and_patch_reject_the_same_fields(app, admin, method, address):
    admin.post("/books", json=FULL)
    before = rows(app)
    table = [case for case in INVALID if "title" not in case[1] and None not in case[0].values()]
    reported = [
        [
            (answer.status_code, sorted(faults(answer)))
            for answer in (send(admin, method, address, name, sent) for name in ("json", "xml"))
        ]
        for sent, _ in table
    ]
    # Another version than the stored one is stale.
    expected = [
        (412, []) if fields == ["version"] else (422, sorted(fields)) for _, fields in table
    ]
    assert reported == [[each] * 2 for each in expected]
    assert rows(app) == before


@pytest.mark.parametrize(
    "field", ["title", "subtitle", "isbn", "published", "language", "description", "cover_url"]
)
def test_json_values_that_are_not_text_are_rejected(admin, field):
    for value in (1, 1.5, True, [], {}, ["a"]):
        answer = admin.post("/books", json={"title": "a", field: value})
        assert (answer.status_code, faults(answer)) == (422, [field]), value


def test_json_values_of_the_wrong_type_are_rejected(admin):
    for field, value in (
        ("pages", 1999.9),
        ("pages", 5.0),
        ("pages", True),
        ("pages", []),
        ("authors", "Jane"),
        ("authors", {}),
        ("authors", [1]),
        ("authors", [["a"]]),
        ("subjects", 7),
        ("identifiers", ["isbn:1"]),
        ("identifiers", {"scheme": "a"}),
    ):
        answer = admin.post("/books", json={"title": "a", field: value})
        assert (answer.status_code, faults(answer)) == (422, [field]), value


def test_a_book_is_found_by_its_id_and_by_each_of_its_isbns(admin):
    made = admin.post("/books", json=FULL).json
    for path in (
        "1",
        f"isbn/{ISBN}",
        f"isbn/{TEN}",
        "isbn/978-0-306-40615-7",
        "isbn/978%200306406157",
        f"isbn/{OTHER}",
        "isbn/0141439580",
    ):
        answer = admin.get(f"/books/{path}")
        assert (answer.status_code, answer.json) == (200, made), path


ODD = [
    "0",
    "007",
    "01",
    "-1",
    "+1",
    "1.0",
    "1e0",
    "%D9%A1",
    "\u0661",
    str(2**63),
    str(2**64),
    str(10**30),
    "9" * 5000,
    "1%00",
    "%20",
    "1%20",
    "abc",
    "1/x",
    "isbn",
    "isbn/",
    "isbn/123",
    "isbn/9780306406158",
    "isbn/030640615",
    "isbn/%D9%A9780306406157",
    "isbn/" + "9" * 5000,
    "..%2F1",
    "1;x",
    "%FF",
    "0x1",
    "true",
    "null",
]


def test_a_malformed_id_is_a_404_for_every_method(admin):
    admin.post("/books", json=FULL)
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        reported = {
            path[:30]: admin.open(f"/books/{path}", method=method, json={"title": "x"}).status_code
            for path in ODD
            if not (path.startswith("isbn/") and method in ("PATCH", "DELETE"))
        }
        assert {path: status for path, status in reported.items() if status != 404} == {}, method
    assert admin.get("/books/1").json["version"] == 1


def test_an_unknown_id_is_a_404(admin):
    admin.post("/books", json=FULL)
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        reported = [
            admin.open(f"/books/{book_id}", method=method, json={"title": "x"}).status_code
            for book_id in (2, 2**31, 2**53 + 1, 2**63 - 1)
        ]
        assert reported == [404] * 4, method
