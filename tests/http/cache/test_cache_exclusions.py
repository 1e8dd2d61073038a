"""Responses that are not cached."""

from bookapi.books import queries
from bookapi.catalogue import CurrentRevision
from bookapi.http.cache import CACHE
from helpers.caching import EXPORTS, NEW, TAGGED, comparable, entering, in_formats
from helpers.instance import Auth


def test_a_private_catalogue_is_not_cached(editor, make_app):
    member = make_app(PUBLIC_READ=False).test_client()
    Auth(member).login("member")
    stranger = member.application.test_client(use_cookies=False)
    with entering(member.application) as entered:
        for address in TAGGED:
            assert [member.get(address).status_code for _ in range(2)] == [200, 200]
            assert member.get(address).headers["Cache-Control"] == "private, no-cache"
            assert [stranger.get(address).status_code for _ in range(2)] == [
                200 if address == "/" else 401
            ] * 2
    assert len(entered) == 5 * len(TAGGED)


def test_a_cache_of_size_zero_stores_nothing(uncached):
    with entering(uncached.application) as entered:
        for address in TAGGED:
            assert [uncached.get(address).status_code for _ in range(2)] == [200, 200]
    assert (len(entered), len(uncached.application.extensions[CACHE])) == (2 * len(TAGGED), 0)


FAILURES = {
    "/nowhere": 404,
    "/books/99": 404,
    "/books/0": 404,
    f"/books/isbn/{NEW}": 404,
    "/books/isbn/1": 404,
    "/books/2": 410,
    "/books?x=1": 400,
    "/books?limit=0": 400,
    "/books?isbn=1": 400,
    "/books?format=no": 406,
    "/?format=csv": 406,
    "/books/1?format=csv": 406,
    "/books/authors?limit=x": 400,
    "/auth/me": 401,
    "/books?state=deleted": 401,
    "/auth/login": 405,
    "/books/": 308,
    "/nowhere/": 404,
}


def test_errors_are_not_cached(editor, reader, uncached, entered):
    editor.delete("/books/2")
    for address, status in FAILURES.items():
        entered.clear()
        answers = [reader.get(address) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status] * 2, address
        assert comparable(answers[0]) == comparable(answers[1]) == comparable(uncached.get(address))
        assert len(entered) == 2 and "ETag" not in answers[0].headers, address
        assert answers[0].headers["Cache-Control"] == "no-store"


def _crash(*args):
    return 1 / 0


def test_exceptions_are_not_cached(make_app, uncached, monkeypatch):
    client = make_app(PROPAGATE_EXCEPTIONS=False).test_client(use_cookies=False)
    with monkeypatch.context() as patch:
        patch.setattr(queries, "page", _crash)
        for asked in ({}, {"headers": {"If-None-Match": "*"}}, {"method": "HEAD"}):
            answer = client.open("/books", **asked)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (500, "no-store")
    assert comparable(client.get("/books")) == comparable(uncached.get("/books"))


def test_exports_are_not_cached(reader, uncached, app, entered):
    asked = sum(map(in_formats, EXPORTS), [])
    for each in asked:
        assert [comparable(reader.get(**each)) for _ in range(2)] == [
            comparable(uncached.get(**each))
        ] * 2
    assert (len(entered), app.extensions[CACHE].used) == (2 * len(asked), 0)


def test_healthz_needs_no_database(reader, monkeypatch):
    asked = []
    monkeypatch.setattr(CurrentRevision, "now", lambda state: asked.append("now"))
    assert [
        reader.get(address).status_code for address in ("/healthz", "/nowhere", "/auth/me")
    ] == [200, 404, 401]
    assert asked == []
