"""No cached response is served for another request or to another user."""

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bookapi.http.cache import CACHE
from helpers.caching import ISBN, comparable


def _at(path, base="http://localhost", **headers):
    return {"path": path, "base_url": base, "headers": headers}


DISTINCT = [
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


def test_no_response_is_served_for_another_request(reader, uncached):
    for one, other in [*DISTINCT, *[pair[::-1] for pair in DISTINCT]]:
        asked = [one, other, one, other]
        answers = [comparable(uncached.get(**each)) for each in (one, other)] * 2
        assert [comparable(reader.get(**each)) for each in asked] == answers, (one, other)
        assert "200 OK" in (answers[0][0], answers[1][0])


@pytest.mark.parametrize("names", [("a.example", "A.EXAMPLE"), ("A.example:80", "a.Example")])
def test_the_host_is_case_insensitive(reader, uncached, names):
    for name in names * 2:
        assert comparable(reader.get("/", headers={"Host": name})) == comparable(
            uncached.get("/", headers={"Host": names[0]})
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


def test_other_headers_do_not_leak_into_responses(editor, reader, uncached):
    for number, poison in enumerate(POISON):
        editor.patch("/books/1", json={"pages": number + 1})  # nothing cached is valid any more
        for address in ("/", "/books", "/books/1"):
            plain = comparable(uncached.get(address))
            answers = [
                comparable(reader.get(address, headers=headers)) for headers in (poison, {}, poison)
            ]
            assert answers == [plain] * 3, poison
            assert comparable(reader.head(address, headers=poison)) == (*plain[:2], b""), poison


def test_method_override_headers_are_ignored(reader, editor):
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        for method in ("DELETE", "PUT", "PATCH", "POST"):
            assert (
                reader.get("/books/1?_method=" + method, headers={name: method}).status_code == 200
            )
            assert (
                editor.post("/books/1?_method=" + method, headers={name: method}).status_code == 405
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


def test_requests_with_credentials_bypass_the_cache(editor, reader, uncached, app, entered):
    for number, credential in enumerate(CREDENTIALS):
        for address in ("/books", "/books/1"):
            editor.patch("/books/1", json={"pages": number + 1})  # nothing cached is valid now
            known, begun = app.extensions[CACHE].used, len(entered)
            answers = [comparable(reader.get(address, headers=credential)) for _ in range(2)]
            assert answers == [comparable(uncached.get(address, headers=credential))] * 2, (
                credential
            )
            assert (app.extensions[CACHE].used, len(entered)) == (known, begun + 2), credential
            reader.get(address)
            reader.get(address, headers=credential)
            assert len(entered) == begun + 4, credential


def test_responses_for_an_admin_are_not_cached(editor, reader, uncached):
    editor.delete("/books/1")
    secret = ["/books?state=deleted", "/books/1?state=deleted", "/books/export?state=deleted"]
    for address in secret:
        assert editor.get(address).status_code == 200 and b"Emma" in editor.get(address).get_data()
        assert "no-store" in editor.get(address).headers["Cache-Control"]
        assert [reader.get(address).status_code, reader.head(address).status_code] == [401, 401]
        assert comparable(reader.get(address)) == comparable(uncached.get(address))


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


def test_an_untrusted_host_is_rejected_despite_a_cached_response(make_app, editor):
    trusted = {"TRUSTED_HOSTS": ["books.example"]}
    client, uncached = (
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
            assert comparable(answers[0]) == comparable(
                uncached.get(address, headers={"Host": host})
            ), host


def test_an_invalid_host_is_rejected_despite_a_cached_response(reader):
    for address in ("/", "/books"):
        reader.get(address)
        for host in ("a b", "a@b", "<b>", "localhost:port", "localhost:99999", "[::1", "a,b", ""):
            assert [reader.get(address, headers={"Host": host}).status_code for _ in range(2)] == [
                400,
                400,
            ], host


@pytest.mark.parametrize("missing", ["SCRIPT_NAME", "QUERY_STRING", "PATH_INFO", "HTTP_HOST"])
def test_empty_environ_keys_may_be_missing(reader, uncached, missing):
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
            for client in (uncached, reader, reader)
        ]
        assert len(set(statuses)) == 1 and statuses[0][:3] in ("200", "308"), (address, statuses)
