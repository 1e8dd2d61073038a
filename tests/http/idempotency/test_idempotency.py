"""Idempotency-Key: a repeated request is done once. docs/api.md, Idempotency."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from bookapi.db import db, now
from helpers.books import FULL, history, rows, seq, steps
from helpers.documents import TYPES, both, read
from helpers.idempotency import KEYS, given, kept
from helpers.instance import Auth
from helpers.people import second_admin
from helpers.repeated import LIST, each, post, request


def grow_older(app, **by):
    """Have every answer be kept for that long already."""
    table = KEYS["idempotency_keys"]
    with app.app_context():
        db.write(
            lambda session: session.execute(
                update(table).values(created_at=now() - timedelta(**by))
            )
        )


# -- again -------------------------------------------------------------------------------


@both
@each
def test_a_repeated_request_is_done_once_and_answered_twice(app, shelf, what, name):
    first = request(shelf, "a-key", what, name)
    before = rows(app)
    again = [request(shelf, "a-key", what, name) for _ in range(3)]
    assert first.status_code == (200 if what == "restore" else 201)
    assert [given(answer) for answer in again] == [given(first)] * 3
    assert rows(app) == before and kept(app) == 1
    assert len(steps(shelf)) == seq(app) == (4 if what == "list" else 3)


@both
@each
def test_a_key_does_not_change_the_response(make_app, shelf, what, name):
    without = request(shelf, None, what, name)
    for number in range(1, 4):
        shelf.delete(f"/books/{number}")
    with_key = request(shelf, "k", what, name)
    own = ("X-Request-ID", "ETag", "Location", "Content-Length")  # of each book or request
    reported = [
        [pair for pair in answer.headers if pair[0] not in own] for answer in (without, with_key)
    ]
    assert reported[0] == reported[1] and with_key.status_code == without.status_code
    assert (
        ("ETag" in with_key.headers, "Location" in with_key.headers)
        == ("ETag" in without.headers, "Location" in without.headers)
        == (what != "list", what == "book")
    )


@each
def test_without_a_key_a_repeated_request_is_done_again(shelf, what):
    reported = [request(shelf, None, what).status_code for _ in range(2)]
    assert reported == ([200, 409] if what == "restore" else [201, 409])


@both
def test_the_stored_response_is_replayed_whatever_became_of_the_book(app, admin, name):
    first = given(post(admin, "k", name=name))
    admin.patch("/books/1", json={"title": "Changed"})
    reported = [given(post(admin, "k", name=name))]
    admin.delete("/books/1")
    reported.append(given(post(admin, "k", name=name)))
    admin.post("/books", json=FULL)
    reported.append(given(post(admin, "k", name=name)))
    assert reported == [first] * 3 and admin.get("/books/1").status_code == 410 and seq(app) == 4


def test_a_restore_is_replayed_though_its_precondition_fails_now(shelf):
    tag = shelf.get("/books/1?state=deleted").headers["ETag"]
    reported = [given(request(shelf, "k", "restore", **{"If-Match": tag})) for _ in range(2)]
    assert reported[0] == reported[1] and reported[0][0] == 200
    assert shelf.get("/books/1").json["version"] == 3


def test_a_new_key_is_a_new_request(admin):
    reported = [post(admin, key, {"title": "a"}).json["id"] for key in ("k", "K", "k.", "kk", "k")]
    assert reported == [1, 2, 3, 4, 1]


@pytest.mark.slow
def test_a_large_response_is_replayed(admin):
    books = {
        "books": [{"title": f"T{number}", "description": "\u00e9" * 200} for number in range(700)]
    }
    for name in ("json", "xml"):
        reported = [
            given(post(admin, name, books, root="catalogue", Accept=TYPES[name])) for _ in range(2)
        ]
        assert (
            reported[0] == reported[1] and reported[0][0] == 201 and len(reported[0][1]) > 400_000
        )
    assert admin.get("/books").json["total"] == 1400


def test_the_response_format_is_part_of_the_request_however_it_is_chosen(admin):
    asked = [
        ("/books", {"Accept": TYPES["json"]}),
        ("/books", {"Accept": "*/*"}),
        ("/books?format=json", {}),
        ("/books", {"Accept": "application/xml;q=0.5, application/json"}),
    ]
    reported = [post(admin, "k", address=address, **headers) for address, headers in asked]
    assert [given(answer) for answer in reported] == [given(reported[0])] * 4
    assert reported[0].status_code == 201


@each
def test_a_key_is_valid_across_sessions(app, shelf, what):
    first = given(request(shelf, "k", what))
    Auth(shelf).logout()
    refused = request(shelf, "k", what).status_code
    Auth(shelf).login()
    assert (refused, given(request(shelf, "k", what))) == (401, first)


# -- another request ---------------------------------------------------------------------

OTHERS = [  # what differs from FULL sent as JSON to /books and answered as JSON
    {"document": {**FULL, "pages": 5}},
    {"document": {"title": "a"}},
    {"document": LIST, "root": "catalogue"},
    {"name": "xml"},
    {"Accept": TYPES["xml"]},
    {"address": "/books?format=xml"},
    {"address": "/books/1/restore"},
    {"document": {"books": [FULL]}},
    {"document": dict(reversed(FULL.items()))},
]


def test_a_key_reused_for_another_request_is_a_422(app, shelf):
    first = given(post(shelf, "k"))
    before = rows(app)
    for other in OTHERS:
        answer = post(shelf, "k", **other)
        assert answer.status_code == 422 and "errors" not in read(answer), other
        assert given(post(shelf, "k")) == first, other
    assert rows(app) == before


def test_a_key_of_a_restore_is_valid_for_that_book_only(shelf):
    shelf.post("/books", json={"title": "b"})
    shelf.delete("/books/2")
    reported = [
        post(shelf, "k", {}, address=f"/books/{number}/restore").status_code for number in (1, 2, 1)
    ]
    assert reported == [200, 422, 200]
    assert shelf.get("/books/2").status_code == 410


@each
def test_keys_are_separate_for_each_account(app, shelf, what):
    other = second_admin(app)
    first = request(shelf, "k", what)
    for number in range(1, 4):
        shelf.delete(f"/books/{number}")
    second = request(other, "k", what)
    assert first.status_code == second.status_code and first.get_data() != second.get_data()
    newest = shelf.get("/books").json["books"][-1]["id"]
    assert history(shelf, newest)[-1]["username"] == "second"
    assert given(request(shelf, "k", what)) == given(first) and given(
        request(other, "k", what)
    ) == given(second)


# -- for a day ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "age, is_kept", [({"hours": 23, "minutes": 59}, True), ({"hours": 24, "seconds": 1}, False)]
)
@pytest.mark.parametrize("second", [{"title": "a"}, {"title": "b"}])
def test_a_response_is_stored_for_a_day(app, admin, age, is_kept, second):
    first = post(admin, "k", {"title": "a"})
    grow_older(app, **age)
    again = post(admin, "k", second)
    if is_kept:
        assert (
            again.status_code == 422 if second != {"title": "a"} else given(again) == given(first)
        )
    else:
        assert (again.status_code, again.json["id"]) == (201, 2)
        assert given(post(admin, "k", second)) == given(again)
    assert kept(app) == 1


def test_expired_responses_are_deleted(app, admin):
    for number in range(10):
        post(admin, f"k{number}", {"title": "a"})
    grow_older(app, hours=25)
    post(admin, "another", {"title": "a"})
    assert kept(app) == 1
