"""Books changed, deleted, and under which conditions. docs/api.md, Changing books."""

import pytest
from sqlalchemy.orm import Session

from bookapi.books.models import Book
from bookapi.db import db
from helpers.books import EMPTY, FULL, ISBN, OTHER, TEN, own, rows
from helpers.documents import both, faults, read, send

# -- changing ----------------------------------------------------------------------------


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


# -- conditions --------------------------------------------------------------------------


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
