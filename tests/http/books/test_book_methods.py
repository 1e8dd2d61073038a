"""Methods of books, and changes that fail. docs/api.md, Changing books."""

import pytest

from bookapi.books import store
from helpers.books import FULL, ISBN, OTHER, rows
from helpers.documents import both, write

# -- methods -----------------------------------------------------------------------------

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


# -- nothing by halves -------------------------------------------------------------------


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
