"""Query parameters that an endpoint does not know. docs/api.md, Parameters."""

import re

import pytest

from bookapi.http import endpoints
from helpers.books import FULL, rows
from helpers.documents import TYPES, both, faults, send

NONSENSE = [{"parameter": "nonsense", "detail": "is not a parameter here"}]


def addresses(app):
    """(method, address, declaration) of the endpoints that give data."""
    return [
        (method, re.sub("<id:[a-z_]+>", "1", path).replace("<isbn:digits>", FULL["isbn"]), declared)
        for path, methods, declared in endpoints.routes(app)
        for method in methods
        if declared.resource and not (declared.page_only or declared.any_host)
        if not (declared.form and declared.form.only)
    ]


@both
def test_an_unknown_parameter_is_a_400_that_names_it_and_changes_nothing(app, admin, name):
    send(admin, "POST", "/books", name, FULL)
    before = rows(app)
    for method, address, declared in addresses(app):
        answer = send(admin, method, f"{address}?nonsense=1", name, {}, next(iter(declared.roots)))
        assert (answer.status_code, faults(answer)) == (400, ["nonsense"]), (method, address)
    assert rows(app) == before and admin.get("/auth/me").status_code == 200


@pytest.mark.parametrize(
    "method, address, more, status",
    [
        ("POST", "/books?nonsense=1", {"data": b"x", "content_type": "text/plain"}, 415),
        ("PUT", "/books/1?nonsense=1", {"data": b"x", "content_type": "text/plain"}, 415),
        ("POST", "/books?nonsense=1", {"data": b"{", "content_type": "application/json"}, 400),
        ("DELETE", "/books/9?nonsense=1", {}, 400),
        ("DELETE", "/books/1?dry_run=true", {}, 400),
        ("GET", "/books/1?format=json&format=json", {}, 400),
        ("GET", "/books/1?state=", {}, 400),
        ("GET", "/books/1?state=gone", {}, 400),
        ("GET", "/books/1?fields=title", {}, 400),
        ("GET", "/books/1?state=deleted&state=deleted", {}, 400),
        ("GET", "/books/1?state=deleted&format=xml", {}, 200),
        ("GET", "/books/1?_method=DELETE&X-HTTP-Method-Override=DELETE", {}, 200),
        ("OPTIONS", "/books/1?nonsense=1", {}, 200),
        ("GET", "/books/1?nonsense=1", {"headers": {"Accept": "text/html"}}, 200),
        ("GET", "/healthz?nonsense=1", {}, 200),
        ("GET", "/openapi.json?nonsense=1", {}, 200),
    ],
)
def test_parameters_are_checked_in_their_turn(admin, method, address, more, status):
    admin.post("/books", json=FULL)
    assert admin.open(address, method=method, **more).status_code == status
    assert admin.get("/books/1").json["version"] == 1


def test_nobody_learns_of_parameters_without_the_right_to_ask(app, client):
    assert client.delete("/books/1?nonsense=1").status_code == 401
    answer = client.get("/books/1?nonsense=1", headers={"Accept": TYPES["json"]})
    assert (answer.status_code, answer.json["errors"]) == (400, NONSENSE)
