"""The response cache: same bytes as without, never stale, never another user's."""

import contextlib
import gc
import os
import re
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest
from flask import request as current
from flask import request_started
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bookapi import create_app
from bookapi.app import BookApi
from bookapi.auth import accounts, passwords
from bookapi.books import queries
from bookapi.catalogue import State
from bookapi.db import create_file, db
from bookapi.db.sqlite import sqlite3
from bookapi.http.cache import CACHE
from bookapi.http.load import LOAD, Load
from bookapi.site.commands import _upgrade as upgrade
from helpers.instance import DATABASE_URL, PASSWORD, SECRET, Auth
from helpers.inventions import bounded
from helpers.support import jsonl_bytes, sqlite_url

ISBN, FURTHER, NEW = "9780141439587", "9780306406157", "9781492056355"
BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen"],
        "isbn": ISBN,
        "language": "en",
        "subjects": ["Fiction", "Love"],
        "publisher": "Murray",
        "published": "1815",
        "identifiers": [{"scheme": "isbn", "value": FURTHER}],
    },
    {
        "title": "Les Misérables",
        "authors": ["Victor Hugo"],
        "language": "fr",
        "subjects": ["Fiction"],
    },
    {
        "title": "Persuasion",
        "authors": ["Jane Austen", "=1+1"],
        "published": "1817",
        "publisher": "Murray",
    },
]
TYPES = {
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
}
LISTS = [
    "/books",
    "/books?limit=2&page=2",
    "/books?sort=-title",
    "/books?author=Jane+Austen",
    "/books?facets=language,author,decade",
    "/books?cursor=*&limit=1",
    "/books?fields=title",
    f"/books?isbn={ISBN}",
    "/books?title=nowhere",
]
TERMS = [f"/books/{kind}" for kind in ("authors", "subjects", "publishers", "languages")]
ONES = ["/books/1", f"/books/isbn/{ISBN}", f"/books/isbn/{FURTHER}"]
SEARCH = "/books?q=emma"  # InnoDB may miss what was just stored: remembered on SQLite only
REMEMBERED = [
    "/",
    *LISTS,
    *([] if DATABASE_URL else [SEARCH]),
    *ONES,
    *TERMS,
    "/books/subjects?sort=-count&limit=1",
]
EXPORTS = [
    "/books/export",
    *[
        "/books/export?" + queries
        for queries in ("author=Jane+Austen", "fields=title", "sort=title")
    ],
]
TAGGED = [*REMEMBERED, SEARCH, *EXPORTS]
OWN = ("X-Request-ID", "Date")
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}


def told(answer):
    """Status, headers and body, without what each answer has of its own."""
    return answer.status, [pair for pair in answer.headers if pair[0] not in OWN], answer.get_data()


def tag_of(answer):
    return answer.headers["ETag"]


def in_formats(address):
    """The address in each of its formats, as arguments of a request."""
    names = (
        TYPES
        if address.startswith("/books?") or address in ("/books", *EXPORTS)
        else ("json", "xml")
    )
    return [{"path": address, "headers": {"Accept": TYPES[name]}} for name in names]


class Client(FlaskClient):
    """A client that reads each answer to its end, as a server does: a stream that is left half read
    stays open.
    """

    def open(self, *args, **more):
        return super().open(*args, buffered=True, **more)


@pytest.fixture(autouse=True)
def answers_are_read_to_their_end(monkeypatch):
    monkeypatch.setattr(BookApi, "test_client_class", Client)


@pytest.fixture
def shelf(admin):
    """A client that is signed in as an admin, with some books in the catalogue."""
    for book in BOOKS:
        assert admin.post("/books", json=book).status_code == 201
    return admin


@pytest.fixture
def reader(shelf):
    """A client whose answers are remembered."""
    return shelf.application.test_client(use_cookies=False)


@pytest.fixture
def bare(shelf, make_app):
    """A client of an application on the same database that remembers nothing."""
    return make_app(ANSWER_CACHE_BYTES=0).test_client(use_cookies=False)


@pytest.fixture
def elsewhere(shelf, make_app):
    """An admin of another application on the same database, as of another process."""
    client = make_app().test_client()
    assert Auth(client).login().status_code == 200
    return client


@contextlib.contextmanager
def entering(app):
    """The requests for which Flask is entered."""
    seen = []

    def note(sender, **more):
        seen.append(f"{current.method} {current.path}")

    with request_started.connected_to(note, app):
        yield seen


@pytest.fixture
def entered(shelf):
    with entering(shelf.application) as seen:
        yield seen


# -- a hit is what the miss was --------------------------------------------------------


def test_a_hit_equals_the_miss_and_bypasses_flask(reader, bare, entered):
    asked = sum(map(in_formats, REMEMBERED), [])
    for each in asked:
        made = told(bare.get(**each))
        assert [told(reader.get(**each)) for _ in range(3)] == [made] * 3 and made[0] == "200 OK"
        assert told(reader.head(**each)) == told(bare.head(**each)) == (*made[:2], b"")
    assert len(entered) == len(asked)


def test_a_get_after_a_head_has_its_body(reader, bare):
    for each in sum(map(in_formats, TAGGED), []):
        head = told(reader.head(**each))
        assert (head, told(reader.get(**each))) == (told(bare.head(**each)), told(bare.get(**each)))
        assert head[0] == "200 OK" and head[2] == b""


def test_the_body_of_a_get_is_ignored(reader, bare, entered):
    plain = told(bare.get("/books/1"))
    assert [
        told(reader.get("/books/1", **more))
        for more in ({}, {"data": b"x" * 5000}, {"json": {"title": "other"}}, {})
    ] == [plain] * 4
    assert entered == ["GET /books/1"]


def test_responses_larger_than_the_cache_are_served(make_app, shelf, bare):
    client = make_app(ANSWER_CACHE_BYTES=3000).test_client()
    shelf.patch("/books/1", json={"description": "long " * 1000})
    with entering(client.application) as entered:
        assert [told(client.get("/books/1")) for _ in range(2)] == [told(bare.get("/books/1"))] * 2
    assert len(entered) == 2 and client.application.extensions[CACHE].used <= 3000


def test_a_full_cache_evicts_and_serves_correctly(make_app, shelf, bare):
    client = make_app(ANSWER_CACHE_BYTES=20_000).test_client()
    for _ in range(2):
        for asked in sum(map(in_formats, REMEMBERED), []):
            assert told(client.get(**asked)) == told(bare.get(**asked))
    assert 0 < client.application.extensions[CACHE].used <= 20_000


@pytest.mark.slow
def test_cached_responses_take_the_counted_memory(reader, app):
    def ask(numbers):
        for number in numbers:
            assert (
                reader.get(
                    "/books/1", headers={"Accept": f"application/json;n={number}"}
                ).status_code
                == 200
            )
        gc.collect()

    ask(range(200))
    counted = -app.extensions[CACHE].used
    tracemalloc.start()
    try:
        ask(range(200, 400))
        taken, counted = tracemalloc.get_traced_memory()[0], counted + app.extensions[CACHE].used
    finally:
        tracemalloc.stop()
    assert len(app.extensions[CACHE]) == 400
    assert taken <= 1.5 * counted


# -- found by all that it depends on ---------------------------------------------------


def _at(path, base="http://localhost", **headers):
    return {"path": path, "base_url": base, "headers": headers}


APART = [
    (_at("/books"), _at("/books", Accept="application/xml")),
    (_at("/books", Accept="application/xml"), _at("/books", Accept="text/csv")),
    (_at("/books/1", Accept="*/*"), _at("/books/1", Accept="application/xml;q=1, */*;q=0.5")),
    (_at("/books", Accept="text/csv"), _at("/books", Accept="text/csv;q=0, application/xml")),
    (_at("/books?format=json"), _at("/books?format=xml")),
    (_at("/books?format=csv"), _at("/books", Accept="text/csv")),
    (_at("/", Host="a.example"), _at("/", Host="b.example")),
    (_at("/books", Host="a.example"), _at("/books", Host="b.example")),
    (_at("/books", Host="a.example"), _at("/books", Host="a.example:8080")),
    (_at("/books", "http://localhost"), _at("/books", "https://localhost")),
    (_at("/", "http://localhost"), _at("/", "https://localhost")),
    (_at("/books", "http://localhost"), _at("/books", "http://localhost/app")),
    (_at("/", "http://localhost/one"), _at("/", "http://localhost/two")),
    (_at("/books", "http://localhost"), _at("/", "http://localhost/books")),
    (_at("/books/1", "http://localhost"), _at("/1", "http://localhost/books")),
    (_at("/books?title=Emma&language=en"), _at("/books?language=en&title=Emma")),
    (_at("/books?author=Jane+Austen"), _at("/books?author=Jane%20Austen")),
    (_at("/books"), _at("/books?")),
    (_at("/books"), _at("/books?limit=20")),
    (_at("/books/1"), _at("/books/2")),
    (_at("/books?fields=title,isbn"), _at("/books?fields=isbn,title")),
    (_at(f"/books/isbn/{ISBN}"), _at("/books/isbn/978-0-14-143958-7")),
    (_at("/books/1"), _at("/books/3")),
]


def test_no_response_is_served_for_another_request(reader, bare):
    for one, other in [*APART, *[pair[::-1] for pair in APART]]:
        asked = [one, other, one, other]
        answers = [told(bare.get(**each)) for each in (one, other)] * 2
        assert [told(reader.get(**each)) for each in asked] == answers, (one, other)
        assert "200 OK" in (answers[0][0], answers[1][0])


@pytest.mark.parametrize("names", [("a.example", "A.EXAMPLE"), ("A.example:80", "a.Example")])
def test_the_host_is_case_insensitive(reader, bare, names):
    for name in names * 2:
        assert told(reader.get("/", headers={"Host": name})) == told(
            bare.get("/", headers={"Host": names[0]})
        )
        assert b"http://a.example/books" in reader.get("/", headers={"Host": name}).get_data()


POISON = [
    {"X-Forwarded-Host": "evil.example"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-Port": "666"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Host": "evil.example"},
    {"X-Original-URL": "/books/2"},
    {"X-Rewrite-URL": "/books/2"},
    {"X-Script-Name": "/evil"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"X-HTTP-Method": "PUT"},
    {"X-Method-Override": "PATCH"},
    {"Origin": "https://evil.example"},
    {"Referer": "https://evil.example/"},
    {"Range": "bytes=0-3"},
    {"Accept-Language": "fr"},
    {"Accept-Encoding": "gzip"},
    {"Accept-Charset": "utf-16"},
    {"User-Agent": "evil"},
    {"Cache-Control": "no-store"},
    {"If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"},
    {"Content-Type": "application/xml"},
    {"Connection": "X-Request-ID"},
    {"Prefer": "evil"},
]


def test_other_headers_do_not_leak_into_responses(shelf, reader, bare):
    for number, poison in enumerate(POISON):
        shelf.patch(
            "/books/1", json={"pages": number + 1}
        )  # nothing that is remembered is good any more
        for address in ("/", "/books", "/books/1"):
            plain = told(bare.get(address))
            answers = [
                told(reader.get(address, headers=headers)) for headers in (poison, {}, poison)
            ]
            assert answers == [plain] * 3, poison
            assert told(reader.head(address, headers=poison)) == (*plain[:2], b""), poison


def test_method_override_headers_are_ignored(reader, shelf):
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        for method in ("DELETE", "PUT", "PATCH", "POST"):
            assert (
                reader.get("/books/1?_method=" + method, headers={name: method}).status_code == 200
            )
            assert (
                shelf.post("/books/1?_method=" + method, headers={name: method}).status_code == 405
            )
    assert (
        reader.get("/books/1").json["version"],
        reader.get("/books?_method=DELETE").status_code,
    ) == (1, 400)


CREDENTIALS = [
    {"Cookie": "bookapi=nonsense"},
    {"Cookie": "other=1"},
    {"Cookie": ""},
    {"Authorization": ""},
    {"Authorization": "Bearer nonsense"},
    {"Authorization": "Basic OmI="},
]


def test_requests_with_credentials_bypass_the_cache(shelf, reader, bare, app, entered):
    for number, credential in enumerate(CREDENTIALS):
        for address in ("/books", "/books/1"):
            shelf.patch(
                "/books/1", json={"pages": number + 1}
            )  # what is remembered is good no more
            known, begun = app.extensions[CACHE].used, len(entered)
            answers = [told(reader.get(address, headers=credential)) for _ in range(2)]
            assert answers == [told(bare.get(address, headers=credential))] * 2, credential
            assert (app.extensions[CACHE].used, len(entered)) == (known, begun + 2), credential
            reader.get(address)
            reader.get(address, headers=credential)
            assert len(entered) == begun + 4, credential


def test_responses_for_an_admin_are_not_cached(shelf, reader, bare):
    shelf.delete("/books/1")
    secret = ["/books?state=deleted", "/books/1?state=deleted", "/books/export?state=deleted"]
    for address in secret:
        assert shelf.get(address).status_code == 200 and b"Emma" in shelf.get(address).get_data()
        assert "no-store" in shelf.get(address).headers["Cache-Control"]
        assert [reader.get(address).status_code, reader.head(address).status_code] == [401, 401]
        assert told(reader.get(address)) == told(bare.get(address))


# -- what is not remembered ------------------------------------------------------------


def test_a_private_catalogue_is_not_cached(shelf, make_app):
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


def test_a_cache_of_size_zero_stores_nothing(bare):
    with entering(bare.application) as entered:
        for address in TAGGED:
            assert [bare.get(address).status_code for _ in range(2)] == [200, 200]
    assert (len(entered), len(bare.application.extensions[CACHE])) == (2 * len(TAGGED), 0)


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


def test_errors_are_not_cached(shelf, reader, bare, entered):
    shelf.delete("/books/2")
    for address, status in FAILURES.items():
        entered.clear()
        answers = [reader.get(address) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status] * 2, address
        assert told(answers[0]) == told(answers[1]) == told(bare.get(address))
        assert len(entered) == 2 and "ETag" not in answers[0].headers, address
        assert answers[0].headers["Cache-Control"] == "no-store"


def _crash(*args):
    return 1 / 0


def test_exceptions_are_not_cached(make_app, bare, monkeypatch):
    client = make_app(PROPAGATE_EXCEPTIONS=False).test_client(use_cookies=False)
    with monkeypatch.context() as patch:
        patch.setattr(queries, "page", _crash)
        for asked in ({}, {"headers": {"If-None-Match": "*"}}, {"method": "HEAD"}):
            answer = client.open("/books", **asked)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (500, "no-store")
    assert told(client.get("/books")) == told(bare.get("/books"))


def test_exports_are_not_cached(reader, bare, app, entered):
    asked = sum(map(in_formats, EXPORTS), [])
    for each in asked:
        assert [told(reader.get(**each)) for _ in range(2)] == [told(bare.get(**each))] * 2
    assert (len(entered), app.extensions[CACHE].used) == (2 * len(asked), 0)


def test_healthz_needs_no_database(reader, monkeypatch):
    asked = []
    monkeypatch.setattr(State, "now", lambda state: asked.append("now"))
    assert [
        reader.get(address).status_code for address in ("/healthz", "/nowhere", "/auth/me")
    ] == [200, 404, 401]
    assert asked == []


# -- hosts -----------------------------------------------------------------------------

BAD = [
    "evil.example",
    "a.books.example",
    "books.example.evil.example",
    "",
    "a b",
    "a@b",
    "books.example:port",
    "<b>",
]


def test_an_untrusted_host_is_rejected_despite_a_cached_response(make_app, shelf):
    trusted = {"TRUSTED_HOSTS": ["books.example"]}
    client, bare = (
        make_app(**trusted).test_client(),
        make_app(**trusted, ANSWER_CACHE_BYTES=0).test_client(),
    )
    for address in ("/", "/books", "/books/1"):
        good = {"Host": "books.example"}
        assert [client.get(address, headers=good).status_code for _ in range(2)] == [200, 200]
        for host in BAD:
            answers = [
                client.open(address, method=method, headers={"Host": host})
                for method in ("GET", "GET", "HEAD")
            ]
            assert [answer.status_code for answer in answers] == [400] * 3, host
            assert told(answers[0]) == told(bare.get(address, headers={"Host": host})), host


def test_an_invalid_host_is_rejected_despite_a_cached_response(reader):
    for address in ("/", "/books"):
        reader.get(address)
        for host in ("a b", "a@b", "<b>", "localhost:port", "localhost:99999", "[::1", "a,b", ""):
            assert [reader.get(address, headers={"Host": host}).status_code for _ in range(2)] == [
                400,
                400,
            ], host


@pytest.mark.parametrize("missing", ["SCRIPT_NAME", "QUERY_STRING", "PATH_INFO", "HTTP_HOST"])
def test_empty_environ_keys_may_be_missing(reader, bare, missing):
    """PEP 3333: SCRIPT_NAME, PATH_INFO and QUERY_STRING; HTTP/1.0: a Host."""
    for address in ("/", "/books", "/books/1", "/books/authors", "/books/export"):
        given = EnvironBuilder(address, base_url="http://localhost").get_environ()
        if missing == "PATH_INFO":
            given.update(SCRIPT_NAME=address.rstrip("/"), PATH_INFO="")
        if missing == "HTTP_HOST":
            given.update(SERVER_PROTOCOL="HTTP/1.0")
        statuses = [
            run_wsgi_app(
                client.application,
                {name: value for name, value in given.items() if name != missing},
                buffered=True,
            )[1]
            for client in (bare, reader, reader)
        ]
        assert len(set(statuses)) == 1 and statuses[0][:3] in ("200", "308"), (address, statuses)


# -- the request id --------------------------------------------------------------------


def _ways(reader, shelf):
    """A miss, a hit, a HEAD that hits, 304 from what is remembered and from what is not, and an
    export's.
    """
    tag = tag_of(shelf.get("/books/1"))
    known = {"If-None-Match": tag}
    yield "miss", lambda own: reader.get("/books/1", headers=own)
    yield "hit", lambda own: reader.get("/books/1", headers=own)
    yield "head", lambda own: reader.head("/books/1", headers=own)
    yield "hit 304", lambda own: reader.get("/books/1", headers={**known, **own})
    yield "miss 304", lambda own: shelf.get("/books/1", headers={**known, **own})
    tag = tag_of(shelf.head("/books/export"))
    yield "export", lambda own: reader.get("/books/export", headers=own)
    yield (
        "export 304",
        lambda own: reader.get("/books/export", headers={"If-None-Match": tag, **own}),
    )
    yield "failure", lambda own: reader.get("/nowhere", headers=own)


def test_a_valid_request_id_is_returned_to_its_sender_only(reader, shelf):
    for number, (way, ask) in enumerate(_ways(reader, shelf)):
        given = f"mine:{number}"
        assert ask({"X-Request-ID": given}).headers.getlist("X-Request-ID") == [given], way
        assert re.fullmatch("[0-9a-f]{32}", ask({}).headers["X-Request-ID"]), way


def test_each_response_has_its_own_request_id(reader, shelf):
    told_ids = [
        ask({"X-Request-ID": given}).headers["X-Request-ID"]
        for _, ask in _ways(reader, shelf)
        for given in ("", "a b", "é", "a" * 129, "<b>")
    ]
    assert len(set(told_ids)) == len(told_ids)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in told_ids)


# -- conditional requests --------------------------------------------------------------

KNOWN = [
    "{tag}",
    "W/{tag}",
    '"x", {tag}',
    '{tag}, "x"',
    '"x",W/{tag},"y"',
    '"a,b", {tag}',
    ", {tag}",
    "*",
]
UNKNOWN = [
    '"x"',
    'W/"x"',
    '"x", "y"',
    "nonsense",
    "",
    '"',
    '""',
    ",",
    '"unclosed',
    "{short}",
    "{upper}",
    '"{tag}"',
    '"*"',
    '"x", *',
    "W/",
    "{other}",
    "\xff",
    '"' * 500,
    "{tag}{tag}",
]


def _filled(pattern, answer, other):
    tag = answer.headers["ETag"]
    return pattern.format(
        tag=tag, short=tag[:-2] + '"', upper=tag.upper().replace("JSON", "Json"), other=other
    )


@pytest.mark.parametrize("address", ["/", "/books", *ONES[:2], TERMS[0], EXPORTS[0]])
def test_a_304_needs_a_matching_etag(shelf, reader, bare, address):
    whole = bare.get(address)
    other = tag_of(bare.get(address, headers={"Accept": "application/xml"}))
    for client in (reader, reader, shelf, bare):
        for status, patterns in ((304, KNOWN), (200, UNKNOWN)):
            for pattern in patterns:
                given = {"If-None-Match": _filled(pattern, whole, other)}
                answers = [client.get(address, headers=given), client.head(address, headers=given)]
                assert [answer.status_code for answer in answers] == [status] * 2, given
                assert status == 304 or told(answers[0]) == told(whole), given


def test_every_public_response_has_an_etag_and_a_304_without_body(shelf, reader, bare):
    for asked in sum(map(in_formats, TAGGED), []):
        tag = tag_of(bare.get(**asked))
        assert re.fullmatch(r'"[0-9a-z-]+"', tag)
        for client in (reader, reader, shelf, bare):
            for method in ("GET", "HEAD"):
                answer = client.open(
                    **{**asked, "headers": {**asked["headers"], "If-None-Match": tag}},
                    method=method,
                )
                assert (answer.status_code, answer.get_data()) == (304, b"")
                same = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept", **SAFE}
                assert {name: answer.headers.get(name) for name in same} == same
                assert not {"Content-Type", "Content-Length", "Content-Encoding"} & set(
                    answer.headers.keys()
                )


def test_searches_are_cached_if_the_index_is_transactional(reader, entered):
    answers = [told(reader.get(SEARCH)) for _ in range(3)]
    assert (answers[1:], len(entered)) == (answers[:1] * 2, 3 if DATABASE_URL else 1)


def test_a_304_of_a_cached_response_bypasses_flask(reader, entered):
    tags = {address: tag_of(reader.get(address)) for address in REMEMBERED}
    entered.clear()
    told_statuses = {
        reader.get(address, headers={"If-None-Match": tag}).status_code
        for address, tag in tags.items()
    }
    assert (told_statuses, entered) == ({304}, [])


def test_a_304_on_a_miss_caches_the_full_response(reader, bare, entered):
    tag = tag_of(bare.get("/books"))
    assert reader.get("/books", headers={"If-None-Match": tag}).status_code == 304
    assert told(reader.get("/books")) == told(bare.get("/books"))
    assert entered == ["GET /books"]


def test_an_etag_is_invalid_after_a_change(shelf, reader, bare):
    tags = {address: tag_of(reader.get(address)) for address in TAGGED}
    shelf.patch(
        "/books/1",
        json={
            "title": "Emma!",
            "authors": ["A"],
            "subjects": ["S"],
            "publisher": "P",
            "language": "de",
        },
    )
    newest = {address: tag_of(bare.get(address)) for address in TAGGED}
    for address, tag in tags.items():
        answers = [
            client.get(address, headers={"If-None-Match": tag})
            for client in (reader, reader, shelf, bare)
        ]
        assert {tag_of(answer) for answer in answers} == {newest[address]}, address
        assert {answer.status_code for answer in answers} == {
            304 if tag == newest[address] else 200
        }, address
    unchanged = {address for address, tag in tags.items() if newest[address] == tag}
    assert unchanged == {"/", "/books?limit=2&page=2", "/books?title=nowhere"}


def test_a_private_catalogue_has_etags_and_304s(shelf, make_app):
    member = make_app(PUBLIC_READ=False).test_client()
    Auth(member).login("member")
    for address in TAGGED:
        tag = tag_of(member.get(address))
        answer = member.get(address, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["Cache-Control"]) == (304, "private, no-cache")
        stranger = member.application.test_client().get(address, headers={"If-None-Match": tag})
        assert stranger.status_code == (304 if address == "/" else 401)


def test_the_same_bytes_have_the_same_etag_after_a_restart(reader, make_app):
    before = {str(asked): told(reader.get(**asked)) for asked in sum(map(in_formats, TAGGED), [])}
    again = make_app().test_client(use_cookies=False)
    assert {
        str(asked): told(again.get(**asked)) for asked in sum(map(in_formats, TAGGED), [])
    } == before


# -- the tag of an export --------------------------------------------------------------

CHANGES = {
    "POST": lambda client: client.post(
        "/books", json={"title": "New", "authors": ["Jane Austen"], "language": "en"}
    ),
    "PUT": lambda client: client.put(
        "/books/1", json={**BOOKS[0], "pages": 3, "subjects": ["Fiction", "Jane"]}
    ),
    "PATCH": lambda client: client.patch(
        "/books/1", json={"title": "Emma Woodhouse", "language": "de"}
    ),
    "a list": lambda client: client.patch(
        "/books/1", json={"authors": ["An Other"], "subjects": []}
    ),
    "an ISBN": lambda client: client.patch("/books/1", json={"isbn": None, "identifiers": []}),
    "DELETE": lambda client: client.delete("/books/1"),
    "PUT by ISBN": lambda client: client.put(
        f"/books/isbn/{ISBN}", json={"title": "Emma", "subtitle": "again"}
    ),
    "PUT by a new ISBN": lambda client: client.put(f"/books/isbn/{NEW}", json={"title": "Emma"}),
    "a further ISBN taken": lambda client: client.post(
        "/books", json={"title": "Taker", "isbn": FURTHER}
    ),
}
IMPORTED = jsonl_bytes(
    {**BOOKS[0], "pages": 9}, {"title": "Imported", "authors": ["Jane Austen"], "isbn": NEW}
)


def brought(client):
    """An import by the command, in the same database."""
    runner = client.application.test_cli_runner()
    result = runner.invoke(args=["books", "import", "-", "--format", "jsonl"], input=IMPORTED)
    assert result.exit_code == 0, result.output
    return result


def test_the_etag_of_an_export_changes_with_every_change(shelf, reader):
    tags = {address: [tag_of(reader.head(address))] for address in EXPORTS}
    for change in (*CHANGES.values(), brought):
        change(shelf)
        for address in EXPORTS:
            tags[address].append(tag_of(reader.get(address)))
            assert tag_of(reader.head(address)) == tags[address][-1]
    assert [len(set(of_one)) for of_one in tags.values()] == [2 + len(CHANGES)] * len(EXPORTS)


def test_the_etag_of_an_export_is_stable_without_changes(shelf, reader, bare):
    before = tag_of(reader.get("/books/export"))
    assert shelf.patch("/books/1", json={"title": "Emma"}).json["version"] == 1
    assert shelf.post("/books", json={}).status_code == 422
    Auth(shelf).logout()
    assert [tag_of(client.get("/books/export")) for client in (reader, bare)] == [before] * 2


def test_the_etag_of_an_export_depends_on_its_parameters(reader):
    addresses = [
        *EXPORTS,
        "/books/export?fields=isbn",
        "/books/export?sort=-title",
        "/books/export?q=emma",
        "/books/export?q=-emma",
        "/books/export?author=Victor+Hugo",
        "/books/export?language=en",
        "/books/export?title=Emma&title=Persuasion",
        "/books/export?published_from=1815",
        "/books/export?published_to=1815",
        "/books/export?q=%22emma%22+love",
    ]
    tags = [
        tag_of(reader.get(**asked))
        for address in addresses
        for asked in (
            {"path": address, "headers": {"Accept": media_type}} for media_type in TYPES.values()
        )
    ]
    assert len(set(tags)) == len(tags) == 4 * len(addresses)


def _connections():
    """How many connections to the database this process has."""
    gc.collect()
    return sum(
        type(one) in (sqlite3.Connection, pymysql.connections.Connection)
        for one in gc.get_objects()
    )


def test_a_304_for_an_export_holds_no_connection(reader):
    tags = {address: tag_of(reader.head(address)) for address in EXPORTS}
    before = _connections()
    for address, tag in [*tags.items()] * 5:
        assert reader.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert _connections() <= before


def test_a_304_for_an_export_reads_no_book(reader, monkeypatch):
    tags, read, export = (
        {address: tag_of(reader.head(address)) for address in EXPORTS},
        [],
        queries.export,
    )

    def counted(listing):
        state, records = export(listing)
        return state, (read.append(record) or record for record in records)

    monkeypatch.setattr(queries, "export", counted)
    for address, tag in tags.items():
        assert reader.get(address, headers={"If-None-Match": tag}).status_code == 304
    assert read == []


# -- what is changed is seen -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("by", ["shelf", "elsewhere"])
def test_a_change_is_visible_to_the_next_read_of_every_url(request, reader, bare, by):
    addresses = [
        *TAGGED,
        "/books/2",
        "/books/4",
        f"/books/isbn/{NEW}",
        "/books?author=An+Other",
        "/books?language=de",
    ]
    asked, changer = sum(map(in_formats, addresses), []), request.getfixturevalue(by)
    for name, change in {**CHANGES, "an import": brought}.items():
        before = [[told(reader.get(**each)) for _ in range(2)][1] for each in asked]
        change(changer)
        made = [told(bare.get(**each)) for each in asked]
        assert [told(reader.get(**each)) for each in asked] == made, name
        assert [told(reader.get(**each)) for each in asked] == made, name
        assert (
            sum(one != other for one, other in zip(before, made, strict=False)) > len(asked) // 4
        ), name


def test_a_change_of_another_book_keeps_the_response_of_a_book(shelf, reader, bare, entered):
    asked = in_formats("/books/1")
    before = [told(reader.get(**each)) for each in asked]
    for number in range(3):
        shelf.patch("/books/2", json={"pages": number + 1})
        shelf.post("/books", json={"title": "another"})
        entered.clear()
        assert (
            [told(reader.get(**each)) for each in asked]
            == before
            == [told(bare.get(**each)) for each in asked]
        )
        head, tag = reader.head(**asked[0]), dict(before[0][1])["ETag"]
        same = reader.get("/books/1", headers={**asked[0]["headers"], "If-None-Match": tag})
        assert ([head.status_code, same.status_code], entered) == ([200, 304], [])


def test_a_change_of_the_book_invalidates_its_response(shelf, reader, entered):
    reader.get("/books/1")
    shelf.patch("/books/2", json={"pages": 1})
    reader.get("/books/1")
    shelf.patch("/books/1", json={"pages": 2})
    assert (reader.get("/books/1").json["pages"], reader.get("/books/1").json["version"]) == (2, 2)
    shelf.patch("/books/2", json={"pages": 3})
    shelf.delete("/books/1")
    assert [reader.get("/books/1").status_code for _ in range(2)] == [410, 410]
    assert entered.count("GET /books/1") == 4


def test_any_change_invalidates_lookups_by_isbn(shelf, reader, bare):
    address = f"/books/isbn/{FURTHER}"
    assert [reader.get(address).json["id"] for _ in range(2)] == [1, 1]
    shelf.patch("/books/2", json={"pages": 1})
    reader.get(address)
    taker = shelf.post("/books", json={"title": "Its own", "isbn": FURTHER}).json["id"]
    assert [reader.get(address).json["id"] for _ in range(2)] == [taker] * 2
    shelf.delete(f"/books/{taker}")
    assert (
        [reader.get(address).json["id"] for _ in range(2)]
        == [1, 1]
        == [bare.get(address).json["id"]] * 2
    )


def test_requests_without_effect_invalidate_nothing(shelf, reader, entered):
    before = [told(reader.get(address)) for address in REMEMBERED]
    shelf.patch("/books/1", json={"title": "Emma"})
    shelf.put("/books/99", json={"title": "Nobody"})
    Auth(shelf).login()
    entered.clear()
    assert ([told(reader.get(address)) for address in REMEMBERED], entered) == (before, [])


@pytest.mark.parametrize("moment", ["before it is read", "after it was read"])
@pytest.mark.parametrize(
    "address, name",
    [
        ("/books", "page"),
        ("/books/1", "one"),
        ("/books/authors", "terms"),
        (f"/books/isbn/{ISBN}", "by_isbn"),
    ],
)
def test_a_change_during_a_response_is_visible_to_the_next(
    reader, bare, elsewhere, monkeypatch, address, name, moment
):
    read, changed = getattr(queries, name), []

    def change():
        if not changed:
            changed.append(1)
            assert (
                elsewhere.patch(
                    "/books/1", json={"title": "Meanwhile", "authors": ["A"]}
                ).status_code
                == 200
            )

    def meanwhile(*args):
        if moment == "before it is read":
            change()
        result = read(*args)
        change()
        return result

    monkeypatch.setattr(queries, name, meanwhile)
    reader.get(address)
    assert (
        changed and [told(reader.get(address)) for _ in range(2)] == [told(bare.get(address))] * 2
    )


def _put_back(session):
    """The catalogue as it was before book 4, as a backup that is read in would make it."""
    for table, column in (
        ("book_words", "book_id"),
        ("book_authors", "book_id"),
        ("books", "id"),
        ("history", "seq"),
    ):
        session.execute(text(f"DELETE FROM {table} WHERE {column} > 3"))
    session.execute(text("UPDATE catalogue SET seq = 3, last_id = 3, total = 3"))


def test_a_restored_catalogue_serves_no_older_responses(app, shelf, reader, bare):
    shelf.post("/books", json={"title": "Lost", "authors": ["A"]})
    lost = [told(reader.get(address)) for address in ("/books", "/books/4", "/books/authors")]
    with app.app_context():
        db.write(_put_back)
    shelf.post("/books", json={"title": "Kept", "authors": ["B"]})
    found = [told(reader.get(address)) for address in ("/books", "/books/4", "/books/authors")]
    assert (
        found
        == [told(bare.get(address)) for address in ("/books", "/books/4", "/books/authors")]
        != lost
    )


# -- the same with a memory and without ------------------------------------------------

_NUMBERS = st.sampled_from([ISBN, FURTHER, NEW])
_DOCUMENTS = st.fixed_dictionaries(
    {"title": st.sampled_from(["Emma", "Persuasion", "Ulysses"])},
    optional={
        "authors": st.lists(st.sampled_from(["Jane Austen", "JANE AUSTEN", "B"]), max_size=2),
        "isbn": st.none() | _NUMBERS,
        "language": st.sampled_from(["en", "fr"]),
        "subjects": st.just(["Fiction"]),
        "pages": st.integers(1, 2),
        "identifiers": st.lists(
            st.builds(lambda value: {"scheme": "isbn", "value": value}, _NUMBERS), max_size=1
        ),
    },
)
_CHANGE = st.tuples(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "PUT isbn"]),
    st.integers(0, 2),
    _DOCUMENTS,
    _NUMBERS,
    st.booleans(),
)
_READ = st.tuples(
    st.sampled_from(
        [
            "/books/{id}",
            "/books/isbn/{isbn}",
            "/books?sort=-id&limit=3",
            "/books?author=jane+austen&limit=2",
            "/",
            "/books?title=Emma&page=2&limit=1",
            "/books?isbn={isbn}",
            "/books/authors",
            "/books?q=ulysses",
            "/books?facets=language,author&limit=1",
            "/books/export?isbn={isbn}",
        ]
    ),
    st.integers(0, 2),
    _NUMBERS,
    st.sampled_from(["json", "xml"]),
    st.sampled_from(["GET", "GET", "HEAD"]),
    st.booleans(),
)


class Twins:
    """An application that remembers and one that does not, on one database: asked the same, they
    say the same.
    """

    def __init__(self, reader, bare, changers, entered):
        self.reader, self.bare, self.changers, self.entered = reader, bare, changers, entered
        self.tags, self.bodies, self.newest, self.hits = {}, {}, len(BOOKS), 0
        self.asked = {}

    def change(self, method, place, document, isbn, elsewhere):
        client, address = self.changers[elsewhere], f"/books/{self.newest - place}"
        if method == "DELETE":
            client.delete(address)
            return
        address = {"POST": "/books", "PUT isbn": f"/books/isbn/{isbn}"}.get(method, address)
        sent = {
            name: value
            for name, value in document.items()
            if name != "isbn" or method != "PUT isbn"
        }
        answer = client.open(address, method=method.partition(" ")[0], json=sent)
        assert answer.status_code in (200, 201, 409, 410), answer.json
        self.newest = max(self.newest, answer.json["id"] if answer.status_code == 201 else 0)

    def read(self, pattern, place, isbn, name, method, conditional):
        path = pattern.format(id=self.newest - place, isbn=isbn)
        self.asked[path, name] = method, conditional
        self._compare(path, name, method, conditional)
        self._compare(path, name, "GET", False)
        before = len(self.entered)
        self._compare(path, name, "GET", True)
        self.hits += len(self.entered) == before

    def again(self):
        """All that was read before, as it was."""
        for (path, name), (method, conditional) in self.asked.items():
            self._compare(path, name, method, conditional)

    def _compare(self, path, name, method, conditional):
        known = (
            {"If-None-Match": self.tags[path, name]}
            if conditional and (path, name) in self.tags
            else {}
        )
        asked = {"path": path, "method": method, "headers": {"Accept": TYPES[name], **known}}
        answer, other = self.reader.open(**asked), self.bare.open(**asked)
        assert told(answer) == told(other), asked
        if "ETag" in answer.headers:
            self.tags[path, name] = answer.headers["ETag"]
        if answer.status_code == 200 and method == "GET":
            body = self.bodies.setdefault((path, name, answer.headers["ETag"]), answer.get_data())
            assert body == answer.get_data(), "one tag for two bodies"


@pytest.mark.slow
@settings(bounded, max_examples=25)
@given(steps=st.lists(st.one_of(_CHANGE, _READ, _READ), min_size=4, max_size=14))
def test_any_sequence_gives_the_same_with_and_without_a_cache(
    shelf, reader, bare, elsewhere, entered, steps
):
    twins = Twins(reader, bare, (shelf, elsewhere), entered)
    twins.newest = bare.get("/books?sort=-id&limit=1").json["books"][0]["id"]
    for step in steps:
        if len(step) == 5:
            twins.change(*step)
            twins.again()
        else:
            twins.read(*step)


# -- the database goes away ------------------------------------------------------------


@pytest.fixture
def on_files(tmp_path):
    """Two applications on one SQLite file, whatever the suite runs on, the second of which
    remembers nothing.
    """
    made, folder = [], tmp_path / "own"
    for room in (16 * 1024 * 1024, 0):
        made.append(
            create_app(
                {
                    "TESTING": True,
                    "INSTANCE_PATH": str(folder),
                    "SECRET_KEY": SECRET,
                    "DATABASE_URL": sqlite_url(folder),
                    "DATABASE_WAIT_SECONDS": 1,
                    "PROPAGATE_EXCEPTIONS": False,
                    "ANSWER_CACHE_BYTES": room,
                }
            )
        )
    with made[0].app_context():
        create_file()
        upgrade()
        db.write(accounts.add, "admin", passwords.make_hash(PASSWORD), "admin")
    admins = [app.test_client() for app in made]
    assert [Auth(admin).login().status_code for admin in admins] == [200, 200]
    for book in BOOKS:
        admins[0].post("/books", json=book)
    yield admins[0], [app.test_client(use_cookies=False) for app in made], folder / "bookapi.sqlite"
    for app in made:
        with app.app_context():
            db.engine.dispose()


def _statuses(clients, addresses=TAGGED):
    return [[client.get(address).status_code for address in addresses] for client in clients]


def _moved(file):
    for path in sorted(file.parent.glob("bookapi.sqlite*")):
        os.rename(path, path.with_name("away-" + path.name))


def _moved_back(file):
    for path in sorted(file.parent.glob("away-*")):
        os.rename(path, path.with_name(path.name.removeprefix("away-")))


@pytest.mark.parametrize("read_before", [False, True])
def test_a_missing_database_gives_the_same_with_and_without_a_cache(on_files, read_before):
    admin, clients, file = on_files
    if read_before:
        assert _statuses(clients) == [[200] * len(TAGGED)] * 2
    _moved(file)
    for _ in range(2):
        with_memory, without = _statuses(clients)
        assert with_memory == without and set(without) <= {200, 503}
        assert [client.get("/readyz").status_code for client in clients] == [503, 503]
    assert admin.patch("/books/1", json={"pages": 1}).status_code == 503
    _moved_back(file)
    assert admin.patch("/books/1", json={"pages": 2}).status_code == 200
    for _ in range(2):
        answers = [[told(client.get(address)) for address in TAGGED] for client in clients]
        assert answers[0] == answers[1] and {answer[0] for answer in answers[0]} == {"200 OK"}
    assert clients[0].get("/books/1").json["pages"] == 2


def test_a_missing_database_gives_the_same_in_new_threads(on_files):
    admin, clients, file = on_files
    for client in clients:
        client.get("/books")
        with client.application.app_context():
            db.engine.dispose()
    _moved(file)
    with ThreadPoolExecutor(1) as pool:  # has nothing open yet
        gone = pool.submit(_statuses, clients).result()
        _moved_back(file)
        back = pool.submit(_statuses, clients).result()
    assert gone[0] == gone[1] == [200] + [503] * (len(TAGGED) - 1)
    assert back == [[200] * len(TAGGED)] * 2


@pytest.mark.slow
def test_nothing_is_served_from_the_cache_if_the_state_cannot_be_read(
    reader, bare, entered, monkeypatch
):
    for address in REMEMBERED:
        reader.get(address)
    entered.clear()
    with monkeypatch.context() as patch:
        patch.setattr(State, "now", lambda state: None)
        without = [told(bare.get(address)) for address in REMEMBERED]
        assert [told(reader.get(address)) for address in REMEMBERED] == without
    assert len(entered) == len(REMEMBERED) - 1  # the service document depends on no database


@pytest.fixture
def without_state(app, shelf):
    """The catalogue without its one row, as for a moment while a dump is read in."""

    def run(statement):
        with app.app_context():
            db.write(lambda session: session.execute(text(statement)))

    run("DELETE FROM catalogue")
    yield
    run("INSERT INTO catalogue (id, seq, revision, last_id, total) VALUES (1, 3, 3, 3, 3)")


def test_nothing_is_served_from_the_cache_if_the_state_is_missing(without_state, reader, bare):
    for address in ("/", "/books/1", "/healthz", "/nowhere"):
        assert told(reader.get(address)) == told(bare.get(address))


def _lose(connection):
    if isinstance(connection, sqlite3.Connection):
        connection.close()
    else:
        with contextlib.suppress(pymysql.err.Error):  # the answer to it is lost as well
            connection.kill(connection.thread_id())


def test_a_lost_connection_is_reopened(shelf, reader, bare, monkeypatch):
    with shelf.application.app_context():
        kind = type(db.dialect)
    opened, open_one = [], kind.watch
    monkeypatch.setattr(kind, "watch", lambda *args: opened.append(open_one(*args)) or opened[-1])
    client = shelf.application.test_client(use_cookies=False)

    def ask():
        return [told(client.get("/books/1")) for _ in range(3)] == [told(bare.get("/books/1"))] * 3

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result()
        _lose(opened[0]._connection)
        shelf.patch("/books/2", json={"pages": 1})
        assert pool.submit(ask).result()
    assert len(opened) == 2


@pytest.mark.slow
def test_ended_threads_leave_no_connection(reader):
    reader.get("/books")
    before = _connections()
    for _ in range(10):
        thread = threading.Thread(target=lambda: reader.application.test_client().get("/books/1"))
        thread.start()
        thread.join()
    assert _connections() <= before + 2


# -- many at once ----------------------------------------------------------------------

WRITERS, READERS, TURNS = 3, 5, 20


def test_no_thread_sees_a_state_older_than_acknowledged(app, shelf):
    app.extensions[LOAD] = Load(threads=100)
    cookie = {"Cookie": f"bookapi={shelf.get_cookie('bookapi').value}"}
    known, lock, ended, faults, reads = (
        {1: 1, 2: 1, 3: 1, "total": 3},
        threading.Lock(),
        threading.Event(),
        [],
        [],
    )

    def write(number):
        client = app.test_client(use_cookies=False)
        for turn in range(TURNS):
            answer = client.patch(f"/books/{number}", json={"pages": turn + 2}, headers=cookie)
            version = answer.json["version"]
            with lock:
                known[number] = version
            if turn % 4 == number:
                assert (
                    client.post(
                        "/books", json={"title": f"{number} {turn}"}, headers=cookie
                    ).status_code
                    == 201
                )
                with lock:
                    known["total"] += 1

    def read(number):
        client, turn = app.test_client(use_cookies=False), number
        while not ended.is_set() or turn < 20:
            turn += 1
            book = turn % 3 + 1
            address = (
                f"/books/{book}",
                "/books?limit=3",
                "/books/authors",
                f"/books/{book}?format=xml",
            )[turn % 4]
            with lock:
                least = dict(known)
            answer = client.get(address)
            reads.append(address)
            if answer.status_code != 200:
                faults.append((address, answer.status))
            elif address == f"/books/{book}" and not answer.json["version"] >= least[book]:
                faults.append((address, answer.json["version"], least[book]))
            elif (
                address.endswith("xml")
                and int(re.search(rb"<version>(\d+)<", answer.get_data())[1]) < least[book]
            ):
                faults.append((address, answer.get_data(), least[book]))
            elif address.startswith("/books?") and not (
                answer.json["total"] >= least["total"]
                and all(shown["version"] >= least[shown["id"]] for shown in answer.json["books"])
            ):
                faults.append((address, answer.json, least))

    with ThreadPoolExecutor(WRITERS + READERS) as pool:
        readers = [pool.submit(read, number) for number in range(READERS)]
        try:
            list(pool.map(write, (1, 2, 3)))
        finally:
            ended.set()
        for reader in readers:
            reader.result()
    assert (faults, known) == (
        [],
        {**dict.fromkeys((1, 2, 3), TURNS + 1), "total": 3 + 3 * TURNS // 4},
    )
    assert len(reads) > 20 * READERS
