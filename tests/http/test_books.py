"""Single books over HTTP, in JSON and in XML. docs/api.md, Changing books."""

import csv
import io
import json

import pytest
from sqlalchemy.orm import Session

from bookapi.books import store
from bookapi.books.models import Book
from bookapi.db import db
from helpers.books import EMPTY, FULL, INVALID, ISBN, OTHER, TEN, own, rows
from helpers.documents import both, faults, read, send, write
from helpers.instance import Auth

# -- creating and reading --------------------------------------------------------------


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


# -- changing --------------------------------------------------------------------------


@both
def test_put_replaces_the_whole_book(admin, name):
    made = admin.post("/books", json=FULL).json
    answer = send(admin, "PUT", "/books/1", name, {"title": "Other", "pages": "3"})
    record = admin.get("/books/1").json
    assert answer.status_code == 200 and own(record) == {**EMPTY, "title": "Other", "pages": 3}
    assert (record["id"], record["version"], record["created_at"]) == (1, 2, made["created_at"])


@both
def test_patch_changes_the_fields_that_are_sent(admin, name):
    made = admin.post("/books", json=FULL).json
    answer = send(admin, "PATCH", "/books/1", name, {"pages": 7, "authors": ["Someone"]})
    record = admin.get("/books/1").json
    assert answer.status_code == 200 and own(record) == {**FULL, "pages": 7, "authors": ["Someone"]}
    assert record["version"] == 2 and record["updated_at"] > made["updated_at"]


@both
def test_patch_with_null_clears_a_field(admin, name):
    admin.post("/books", json=FULL)
    for field in (field for field in FULL if field != "title"):
        answer = send(admin, "PATCH", "/books/1", name, {field: None})
        assert answer.status_code == 200 and own(admin.get("/books/1").json) == {
            **FULL,
            field: EMPTY[field],
        }, field
        admin.put("/books/1", json=FULL)


@both
def test_patch_cannot_clear_the_title(admin, name):
    admin.post("/books", json=FULL)
    answer = send(admin, "PATCH", "/books/1", name, {"title": None, "pages": 1})
    assert (answer.status_code, faults(answer)) == (422, ["title"])
    assert own(admin.get("/books/1").json) == FULL


@both
@pytest.mark.parametrize(
    "method, address, sent",
    [
        ("PUT", "/books/1", FULL),
        ("PATCH", "/books/1", FULL),
        ("PATCH", "/books/1", {}),
        ("PATCH", "/books/1", {"isbn": TEN, "title": " " + FULL["title"]}),
        ("PUT", f"/books/isbn/{ISBN}", FULL),
        ("PUT", f"/books/isbn/{TEN}", {key: value for key, value in FULL.items() if key != "isbn"}),
    ],
)
def test_a_change_without_effect_creates_no_version(app, admin, name, method, address, sent):
    made = send(admin, "POST", "/books", name, FULL)
    before = rows(app)
    answer = send(admin, method, address, name, sent)
    assert (answer.status_code, answer.get_data()) == (200, made.get_data())
    assert (rows(app), answer.headers["ETag"]) == (before, made.headers["ETag"])


@both
def test_every_change_increments_the_version(admin, name):
    send(admin, "POST", "/books", name, {"title": "0"})
    versions = [
        int(read(send(admin, method, "/books/1", name, {"title": str(number)}))["version"])
        for number, method in enumerate(["PUT", "PATCH", "PUT", "PATCH"], 1)
    ]
    assert versions == [2, 3, 4, 5]
    assert admin.get("/books/1").json["title"] == "4"


def test_deleting_increments_the_version(app, admin):
    admin.post("/books", json=FULL)
    admin.delete("/books/1")
    with app.app_context(), Session(db.engine) as session:
        book = session.get(Book, 1)
        assert (book.version, book.title) == (2, FULL["title"])
        assert book.deleted_at == book.updated_at > book.created_at


@both
def test_a_deleted_book_is_gone(admin, name):
    send(admin, "POST", "/books", name, FULL)
    answer = admin.delete("/books/1")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert "Content-Type" not in answer.headers
    reported = [
        send(admin, method, "/books/1", name, FULL).status_code
        for method in ("GET", "PUT", "PATCH", "DELETE")
    ]
    assert reported == [410] * 4
    assert (
        admin.get("/books").json["total"] == 0
        and admin.get(f"/books/isbn/{ISBN}").status_code == 404
    )


@both
def test_deleting_frees_the_isbn(admin, name):
    for number in (1, 2, 3):
        answer = send(admin, "POST", "/books", name, FULL)
        assert (answer.status_code, answer.headers["Location"]) == (
            201,
            f"http://localhost/books/{number}",
        )
        assert admin.get(f"/books/isbn/{ISBN}").json["id"] == number
        admin.delete(f"/books/{number}")


@both
@pytest.mark.parametrize(
    "method, address", [("POST", "/books"), ("PUT", "/books/2"), ("PATCH", "/books/2")]
)
def test_a_duplicate_isbn_is_a_409_with_the_url_of_the_other_book(
    app, admin, name, method, address
):
    admin.post("/books", json=FULL)
    admin.post("/books", json={"title": "Second"})
    before = rows(app)
    answer = send(admin, method, address, name, {"title": "Third", "isbn": TEN})
    assert (answer.status_code, read(answer)["existing"]) == (409, "http://localhost/books/1")
    assert rows(app) == before and own(admin.get("/books/2").json) == {**EMPTY, "title": "Second"}


@both
def test_put_by_isbn_creates_and_then_replaces(admin, name):
    made = send(admin, "PUT", f"/books/isbn/{TEN}", name, {"title": "First"})
    assert (made.status_code, made.headers["Location"]) == (201, "http://localhost/books/1")
    changed = send(admin, "PUT", f"/books/isbn/{ISBN}", name, {"title": "Second", "isbn": TEN})
    assert (changed.status_code, "Location" in changed.headers) == (200, False)
    assert own(admin.get("/books/1").json) == {**EMPTY, "title": "Second", "isbn": ISBN}


@both
@pytest.mark.parametrize("isbn", [OTHER, None, ""])
@pytest.mark.parametrize("there", [True, False])
def test_put_by_isbn_rejects_another_isbn_in_the_body(app, admin, name, isbn, there):
    if there:
        admin.post("/books", json=FULL)
    before = rows(app)
    answer = send(admin, "PUT", f"/books/isbn/{ISBN}", name, {"title": "x", "isbn": isbn})
    assert (answer.status_code, faults(answer)) == (422, ["isbn"])
    assert rows(app) == before


def test_put_by_the_isbn_of_a_deleted_book_creates_a_new_one(admin):
    admin.post("/books", json=FULL)
    admin.delete("/books/1")
    answer = admin.put(f"/books/isbn/{ISBN}", json={"title": "Again"})
    assert (answer.status_code, answer.json["id"]) == (201, 2)


def test_a_removed_author_is_no_longer_found(admin):
    admin.post("/books", json=FULL)
    admin.patch("/books/1", json={"authors": ["Someone"], "identifiers": []})
    assert [admin.get(f"/books?author={who}").json["total"] for who in ("An Other", "Someone")] == [
        0,
        1,
    ]
    assert admin.get(f"/books?isbn={OTHER}").json["total"] == 0


# -- conditions ------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/books/1", f"/books/isbn/{ISBN}", "/books"])
@both
def test_a_conditional_get_answers_304(admin, address, name):
    send(admin, "POST", "/books", name, FULL)
    tag = admin.get(f"{address}?format={name}").headers["ETag"]
    for method in ("GET", "HEAD"):
        answer = admin.open(
            f"{address}?format={name}", method=method, headers={"If-None-Match": tag}
        )
        assert (answer.status_code, answer.get_data(), answer.headers["ETag"]) == (304, b"", tag)
    admin.patch("/books/1", json={"pages": 1})
    assert admin.get(f"{address}?format={name}", headers={"If-None-Match": tag}).status_code == 200


def test_each_format_and_version_has_its_own_strong_etag(admin):
    admin.post("/books", json=FULL)
    tags = [admin.get(f"/books/1?format={name}").headers["ETag"] for name in ("json", "xml")]
    tags.append(admin.patch("/books/1", json={"pages": 1}).headers["ETag"])
    assert len(set(tags)) == 3 and not any(tag.startswith("W/") for tag in tags)


# {} is the tag of the book as JSON, without its quotes; {xml} the one as XML.
TAGS = [
    ('"{}"', True),
    ('"{xml}"', True),
    ("*", True),
    ('"x", "{xml}"', True),
    ('W/"{}"', True),  # as NGINX leaves it when it compresses
    ('"{}-gzip"', True),  # and Apache
    ('W/"{xml}-br"', True),
    ('"{}-2"', False),
    ("nonsense", False),
    ('""', False),
    ("", False),
    ('"99-1-20240131120000123456-json"', False),
]


@pytest.mark.parametrize("method, done", [("PUT", 200), ("PATCH", 200), ("DELETE", 204)])
def test_if_match_accepts_any_etag_of_the_current_version(admin, method, done):
    reported = []
    for number, (tag, _) in enumerate(TAGS, 1):
        json_tag = admin.post("/books", json={"title": "a"}).headers["ETag"].strip('"')
        xml_tag = json_tag.replace("-json", "-xml")
        reported.append(
            admin.open(
                f"/books/{number}",
                method=method,
                json={"title": "b"},
                headers={"If-Match": tag.format(json_tag, xml=xml_tag)},
            ).status_code
        )
    assert reported == [done if right else 412 for _, right in TAGS]
    unchanged = [book["id"] for book in admin.get("/books?title=a").json["books"]]
    assert unchanged == [number for number, (_, right) in enumerate(TAGS, 1) if not right]


def test_if_none_match_star_is_a_412_if_the_book_exists(admin):
    headers = {"If-None-Match": "*"}
    reported = [
        admin.put(f"/books/isbn/{ISBN}", json={"title": title}, headers=headers).status_code
        for title in "ab"
    ]
    assert reported == [201, 412]
    assert admin.get("/books/1").json["title"] == "a"


# -- methods ---------------------------------------------------------------------------

READABLE = [
    "/",
    "/books",
    "/books/1",
    f"/books/isbn/{ISBN}",
    "/auth/me",
    "/healthz",
    "/readyz",
    "/books?limit=1",
]
ALLOWED = {
    "/": {"GET"},
    "/books": {"GET", "POST"},
    "/books/1": {"GET", "PUT", "PATCH", "DELETE"},
    "/books/export": {"GET"},
    f"/books/isbn/{ISBN}": {"GET", "PUT"},
    "/auth/login": {"POST"},
    "/auth/logout": {"POST"},
    "/auth/me": {"GET"},
    "/auth/password": {"POST"},
    "/healthz": {"GET"},
    "/readyz": {"GET"},
}


def allowed_methods(answer):
    return set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"}


@both
def test_head_has_the_headers_of_get_and_no_body(admin, name):
    admin.post("/books", json=FULL)
    headers = {"Accept": f"application/{name}", "X-Request-ID": "the-same"}
    for address in READABLE:
        answers = [
            admin.open(address, method=method, headers=headers) for method in ("GET", "HEAD")
        ]
        assert (answers[1].status_code, answers[1].get_data()) == (200, b""), address
        assert dict(answers[1].headers) == dict(answers[0].headers), address


def test_head_fails_as_get_does(admin):
    for address, status in (
        ("/nowhere", 404),
        ("/books/7", 404),
        ("/books?limit=0", 400),
        ("/books/export?limit=1", 400),
        ("/auth/login", 405),
    ):
        answers = [
            admin.open(address, method=method, headers={"X-Request-ID": "same"})
            for method in ("GET", "HEAD")
        ]
        assert [answer.status_code for answer in answers] == [status] * 2, address
        assert answers[1].get_data() == b"" and dict(answers[0].headers) == dict(
            answers[1].headers
        ), address


def test_options_answers_with_allow_and_has_no_effect(app, admin):
    admin.post("/books", json=FULL)
    before = rows(app)
    for address, methods in ALLOWED.items():
        answer = admin.options(address, json={"title": "x"}, headers={"Accept": "text/plain"})
        assert (answer.status_code, answer.get_data(), allowed_methods(answer)) == (
            200,
            b"",
            methods,
        ), address
    assert rows(app) == before


def test_any_other_method_is_a_405_with_allow(app, admin):
    admin.post("/books", json=FULL)
    before = rows(app)
    for address, methods in ALLOWED.items():
        for method in sorted(
            {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW"} - methods
        ):
            answer = admin.open(address, method=method, json={"title": "x"})
            assert (answer.status_code, allowed_methods(answer)) == (405, methods), (
                method,
                address,
            )
    assert rows(app) == before


@pytest.mark.parametrize(
    "address, headers",
    [
        ("/books/1", {"X-HTTP-Method-Override": "DELETE"}),
        ("/books/1", {"X-HTTP-Method": "DELETE"}),
        ("/books/1", {"X-Method-Override": "PUT"}),
        ("/books/1?_method=DELETE", {}),
        ("/books/1?x-http-method=DELETE", {}),
    ],
)
def test_method_override_headers_are_ignored(admin, address, headers):
    admin.post("/books", json=FULL)
    reported = [
        admin.get(address, headers=headers).status_code,
        admin.post(address, headers=headers).status_code,
    ]
    assert reported == [200, 405]
    assert admin.get("/books/1").json["version"] == 1


# -- nothing by halves -----------------------------------------------------------------


@pytest.mark.parametrize(
    "method, address, body, status",
    [
        ("POST", "/books", b'{"title": "x", "authors": ["a"]', 400),
        ("POST", "/books", b"[1]", 422),
        ("POST", "/books", write("json", {"title": "x", "authors": ["a"], "isbn": ISBN}), 409),
        ("POST", "/books", write("json", {"title": "x", "authors": ["a"], "pages": 0}), 422),
        ("PUT", "/books/1", b"", 400),
        ("PUT", "/books/9", write("json", {"title": "x", "authors": ["a"]}), 404),
        ("PUT", "/books/2", write("json", {"title": "x", "authors": ["a"], "isbn": ISBN}), 409),
        ("PATCH", "/books/2", write("json", {"authors": ["a"], "isbn": ISBN}), 409),
        ("PATCH", "/books/1", write("json", {"authors": ["a"], "nonsense": 1}), 422),
        ("PATCH", "/books/1", write("json", {"identifiers": [{"scheme": "a"}]}), 422),
        ("PATCH", "/books/1", write("json", {"identifiers": [{"value": "a"}]}), 422),
        ("PATCH", "/books/1", write("json", {"identifiers": [{}]}), 422),
        ("PUT", f"/books/isbn/{ISBN}", write("json", {"title": "x", "isbn": OTHER}), 422),
    ],
)
def test_a_failed_request_changes_nothing(app, admin, method, address, body, status):
    admin.post("/books", json=FULL)
    admin.post("/books", json={"title": "Second"})
    before, books = rows(app), admin.get("/books").json
    answer = admin.open(address, method=method, data=body, content_type="application/json")
    assert answer.status_code == status
    assert (rows(app), admin.get("/books").json) == (before, books)


@pytest.mark.parametrize(
    "method, address",
    [
        ("POST", "/books"),
        ("PUT", "/books/1"),
        ("PATCH", "/books/1"),
        ("PUT", f"/books/isbn/{ISBN}"),
        ("PUT", f"/books/isbn/{OTHER}"),
    ],
)
def test_a_crash_during_a_change_stores_nothing(app, admin, monkeypatch, method, address):
    admin.post("/books", json={**FULL, "identifiers": []})
    before, books = rows(app), admin.get("/books").json

    def crash(*args, **kwargs):
        raise RuntimeError("in the midst")

    monkeypatch.setattr(store, "_new_state", crash)
    answer = admin.open(address, method=method, json={"title": "x", "authors": ["a"]})
    assert answer.status_code == 500
    assert (rows(app), admin.get("/books").json) == (before, books)


# -- the export ------------------------------------------------------------------------


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
