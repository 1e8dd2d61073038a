"""A client sends back what it has read, read-only fields included. docs/api.md, Changing books."""

import pytest

from helpers.books import FULL, ISBN
from helpers.documents import both, faults, send
from helpers.instance import Auth

CHANGES = [("PUT", "/books/1"), ("PATCH", "/books/1"), ("PUT", f"/books/isbn/{ISBN}")]
changes = pytest.mark.parametrize("method, address", CHANGES)


@pytest.fixture
def book(admin):
    """What a client has read of a book of version 2."""
    admin.post("/books", json={**FULL, "isbn": ISBN})
    return admin.patch("/books/1", json={"subtitle": "Another"}).json


@both
@changes
def test_a_record_sent_back_as_it_was_read_changes_nothing(admin, book, method, address, name):
    answer = send(admin, method, address, name, book)
    assert (answer.status_code, admin.get("/books/1").json) == (200, book)


@both
@changes
def test_a_changed_field_of_a_record_sent_back_is_stored(admin, book, method, address, name):
    assert send(admin, method, address, name, {**book, "title": "Changed"}).status_code == 200
    stored = admin.get("/books/1").json
    assert (stored["title"], stored["version"]) == ("Changed", 3)
    assert stored["created_at"] == book["created_at"]


@both
@changes
@pytest.mark.parametrize("version", [-1, 0, 1, 3, 10**15])
def test_another_version_is_a_412(admin, book, method, address, name, version):
    sent = {**book, "title": "Changed", "version": version}
    assert send(admin, method, address, name, sent).status_code == 412
    assert admin.get("/books/1").json == book


@both
@changes
@pytest.mark.parametrize(
    "field, value",
    [
        ("id", 2),
        ("id", "x"),
        ("version", "x"),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("updated_at", "2020-01-01T00:00:00Z"),
        ("updated_at", "yesterday"),
    ],
)
def test_another_value_of_a_read_only_field_is_a_422_that_names_it(
    admin, book, method, address, name, field, value
):
    answer = send(admin, method, address, name, {**book, "title": "Changed", field: value})
    assert (answer.status_code, faults(answer)) == (422, [field])
    assert admin.get("/books/1").json == book


def test_every_error_is_reported_with_those_of_read_only_fields(admin, book):
    answer = admin.put("/books/1", json={**book, "id": 2, "pages": 0, "title": ""})
    assert (answer.status_code, sorted(faults(answer))) == (422, ["id", "pages", "title"])


def test_a_stale_version_comes_before_other_errors(admin, book):
    answer = admin.put("/books/1", json={"version": 1, "title": "", "id": 2, "nonsense": 1})
    assert answer.status_code == 412
    assert answer.json["type"] == "urn:bookapi:problem:stale-version"


def test_a_book_that_is_not_there_comes_before_its_version(admin, book):
    assert admin.put("/books/9", json=book).status_code == 404
    admin.delete("/books/1")
    assert admin.put("/books/1", json=book).status_code == 410


@pytest.mark.parametrize("cut", [slice(0, 23), slice(0, 26)])
def test_timestamps_are_compared_to_the_millisecond(admin, book, cut):
    sent = {name: book[name][cut] + "Z" for name in ("created_at", "updated_at")}
    assert admin.patch("/books/1", json={**sent, "pages": 5}).status_code == 200


def test_a_timestamp_in_another_zone_is_the_same_instant(admin, book):
    hour = int(book["created_at"][11:13])
    sent = f"{book['created_at'][:11]}{(hour + 1) % 24:02}{book['created_at'][13:-1]}+01:00"
    assert admin.patch("/books/1", json={"created_at": sent}).status_code == (
        200 if hour < 23 else 422
    )


@changes
def test_null_is_not_sent(admin, book, method, address):
    sent = dict.fromkeys(("id", "version", "created_at", "updated_at"))
    assert admin.open(address, method=method, json={"title": "a", **sent}).status_code == 200


def test_an_empty_element_is_not_sent(admin, book):
    body = "<book><id/><title>a</title><version/><created_at/><updated_at/></book>"
    answer = admin.put("/books/1", data=body, content_type="application/xml")
    assert (answer.status_code, admin.get("/books/1").json["title"]) == (200, "a")


@both
def test_a_new_book_has_no_read_only_fields(admin, name):
    for field, value in (("id", 1), ("version", 1), ("created_at", "2020-01-01T00:00:00Z")):
        answer = send(admin, "POST", "/books", name, {"title": "a", field: value})
        assert (answer.status_code, faults(answer)) == (422, [field])


@both
def test_a_put_that_creates_takes_no_version_and_no_read_only_field(admin, name):
    address = f"/books/isbn/{ISBN}"
    assert send(admin, "PUT", address, name, {"title": "a", "version": 1}).status_code == 412
    for field, value in (("id", 1), ("created_at", "2020-01-01T00:00:00Z")):
        answer = send(admin, "PUT", address, name, {"title": "a", field: value})
        assert (answer.status_code, faults(answer)) == (422, [field])
    assert admin.get("/books").json["total"] == 0


@changes
def test_a_version_in_the_body_is_enough_where_if_match_is_required(make_app, method, address):
    admin = make_app(REQUIRE_IF_MATCH=True).test_client()
    Auth(admin).login()
    admin.post("/books", json={**FULL, "isbn": ISBN})
    for sent, status in (({}, 428), ({"version": None}, 428), ({"version": 7}, 412)):
        answer = admin.open(address, method=method, json={"title": "a", **sent})
        assert answer.status_code == status, sent
    answer = admin.open(address, method=method, json={"title": "a", "version": 1})
    assert answer.status_code == 200


@changes
def test_where_a_version_and_if_match_are_sent_both_must_match(admin, book, method, address):
    tag = admin.get("/books/1").headers["ETag"]
    reported = [
        admin.open(
            address, method=method, json={"title": "a", "version": version}, headers={"If-Match": t}
        ).status_code
        for version, t in ((1, tag), (2, '"x"'), (1, "*"), (2, tag))
    ]
    assert reported == [412, 412, 412, 200]


@pytest.mark.parametrize("body", [1, [], "a", True])
def test_a_body_that_is_no_object_is_a_422_by_isbn_too(admin, body):
    answer = admin.put("/books/isbn/9780306406157", json=body)
    assert answer.status_code == 422
