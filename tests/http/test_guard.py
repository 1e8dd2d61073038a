"""Checks of every request and headers of every response. docs/api.md, Headers on every response."""

import re
import uuid

import pytest

from bookapi import create_app
from bookapi.books import queries
from bookapi.http import endpoints
from bookapi.http.endpoints import Access
from helpers.documents import read
from helpers.instance import Auth

CARRIED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
POLICY = {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}


def _answers(admin, monkeypatch):
    yield 200, admin.get("/")
    yield 200, admin.get("/books")
    yield 200, admin.head("/books")
    yield 200, admin.options("/books")
    yield 200, admin.get("/books?format=csv")
    yield 201, admin.post("/books", json={"title": "Emma"})
    tag = admin.get("/books/1").headers["ETag"]
    yield 304, admin.get("/books/1", headers={"If-None-Match": tag})
    yield 204, admin.delete("/books/1")
    yield 410, admin.get("/books/1")
    yield 404, admin.get("/nowhere")
    yield 405, admin.put("/books")
    yield 406, admin.get("/", headers={"Accept": "image/png"})
    yield 400, admin.post("/books", data=b"{", content_type="application/json")
    yield 400, admin.get("/books?x=1", headers={"Accept": "application/xml"})
    yield 403, admin.post("/books", headers={"Origin": "null"})
    yield 415, admin.post("/books")
    yield 422, admin.post("/books", json=[])
    yield 401, admin.application.test_client().get("/auth/me")
    exported = admin.get("/books/export")
    exported.get_data()
    yield 200, exported
    monkeypatch.setattr(queries, "page", lambda listing: 1 / 0)
    yield 500, admin.get("/books")


def test_every_response_has_the_security_headers(admin, monkeypatch):
    for status, answer in _answers(admin, monkeypatch):
        assert answer.status_code == status
        assert {name: answer.headers[name] for name in CARRIED} == CARRIED, status
        assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY, status
        assert "Strict-Transport-Security" not in answer.headers, status
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"]), status
        assert answer.headers["Cache-Control"] and "Server" not in answer.headers, status


@pytest.mark.parametrize(
    "address", ["/", "/books", "/books/export", "/auth/me", "/nowhere", "/books?limit=x"]
)
def test_hsts_is_sent_over_https_only(client, address):
    for _ in range(2):  # the second one may be remembered
        reported = [
            client.get(address, base_url=f"{scheme}://localhost").headers.get(
                "Strict-Transport-Security"
            )
            for scheme in ("https", "http")
        ]
        assert reported == ["max-age=31536000; includeSubDomains", None]


@pytest.mark.parametrize(
    "address, reported",
    [
        ("/books", "no-cache"),
        ("/books/1", "no-cache"),
        ("/books/isbn/9780306406157", "no-cache"),
        ("/auth/me", "no-store"),
        ("/nowhere", "no-store"),
        ("/books/9", "no-store"),
    ],
)
def test_cache_control_says_what_caches_may_store(admin, address, reported):
    admin.post("/books", json={"title": "a", "isbn": "9780306406157"})
    answer = admin.get(address)
    assert answer.headers["Cache-Control"] == reported
    assert ("ETag" in answer.headers) == (reported == "no-cache")


def test_responses_of_a_private_catalogue_are_not_for_shared_caches(make_app):
    client = make_app(PUBLIC_READ=False).test_client()
    Auth(client).login()
    answer = client.get("/books")
    assert (
        "private" in answer.headers["Cache-Control"]
        or "no-store" in answer.headers["Cache-Control"]
    )
    assert "Cookie" in answer.vary


def test_a_public_read_does_not_vary_by_cookie(admin):
    assert "Cookie" not in admin.get("/books").vary
    assert "Set-Cookie" not in admin.get("/books").headers


# -- the request id --------------------------------------------------------------------


def test_a_valid_request_id_is_kept(client):
    for given in ("a", "A-z_0.9:x", "f" * 128, str(uuid.UUID(int=7))):
        assert client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
        assert (
            client.get("/nowhere", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
        )


def test_any_other_request_id_is_replaced(client):
    for given in (
        "",
        " ",
        "a b",
        "a" * 129,
        "é",
        "<b>",
        "a,b",
        "a\tb",
        "%0d%0a",
        "../x",
        "\x7f",
        '"',
    ):
        reported = client.get("/", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert reported != given and re.fullmatch("[0-9a-f]{32}", reported), given


def test_each_request_has_its_own_id(client):
    assert len({client.get("/healthz").headers["X-Request-ID"] for _ in range(20)}) == 20


# -- other sites -----------------------------------------------------------------------

SITES = [
    ({}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": ""}, False),
    ({"Sec-Fetch-Site": "nonsense"}, False),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"}, True),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, False),
    ({"Origin": "http://localhost"}, True),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Origin": "https://localhost"}, False),
    ({"Origin": "http://localhost:8000"}, False),
    ({"Origin": "http://localhost.evil.example"}, False),
    ({"Origin": "http://evil.example/http://localhost"}, False),
    ({"Origin": "http://LOCALHOST.example"}, False),
    ({"Origin": "http://evil.example", "Referer": "http://localhost/"}, False),
]


def test_a_cross_site_change_is_a_403(admin):
    admin.post("/books", json={"title": "a"})
    for method, address, right in (
        ("POST", "/books", 201),
        ("PUT", "/books/1", 200),
        ("PATCH", "/books/1", 200),
    ):
        reported = [
            admin.open(address, method=method, json={"title": "b"}, headers=headers).status_code
            for headers, _ in SITES
        ]
        assert reported == [right if own else 403 for _, own in SITES], method
    refused = [
        admin.delete("/books/1", headers=headers).status_code for headers, own in SITES if not own
    ]
    assert set(refused) == {403} and admin.get("/books/1").status_code == 200


def test_cross_site_login_and_logout_are_rejected(client, auth):
    foreign = {"Sec-Fetch-Site": "cross-site"}
    pair = {"username": "admin", "password": "a long enough password"}
    answer = client.post("/auth/login", json=pair, headers=foreign)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)
    auth.login()
    assert [
        client.post("/auth/logout", headers=foreign).status_code,
        client.get("/auth/me").status_code,
    ] == [403, 200]


def test_cross_site_reads_are_allowed(admin):
    for headers, _ in SITES:
        reported = [
            admin.open("/books", method=method, headers=headers).status_code
            for method in ("GET", "HEAD", "OPTIONS")
        ]
        assert reported == [200] * 3, headers


@pytest.mark.parametrize(
    "base, origin",
    [
        ("https://books.example", "https://books.example"),
        ("https://books.example:8443", "https://books.example:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_origin_is_compared_with_the_host_of_the_request(client, base, origin):
    reported = [
        client.post("/auth/logout", base_url=base, headers={"Origin": given}).status_code
        for given in (origin, origin + "1", origin.replace("http", "xhttp"))
    ]
    assert reported == [401, 403, 403]


# -- the host --------------------------------------------------------------------------

NO_HOSTS = [
    "a b",
    "a@b",
    "a/b",
    "<b>",
    "a\\b",
    "a?b",
    "a#b",
    "localhost:port",
    "localhost:99999",
    "[::1",
    "a,b",
    "%00",
    "user:pw@a",
    ".",
    "..",
    "-",
    "a..b",
    "x" * 64,
    "a." + "x" * 64 + ".example",
]


@pytest.mark.parametrize("name", ["json", "xml"])
def test_an_invalid_host_is_a_400(client, name):
    reported = {}
    for host in NO_HOSTS:
        answer = client.get("/books", headers={"Host": host, "Accept": f"application/{name}"})
        reported[host] = (answer.status_code, answer.mimetype)
    assert {
        host: got for host, got in reported.items() if got != (400, f"application/problem+{name}")
    } == {}


@pytest.mark.parametrize("host", NO_HOSTS)
def test_an_invalid_host_is_a_400_before_a_trailing_slash_is_redirected(client, host):
    assert client.get("/books/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "books.example:8000",
        "127.0.0.1",
        "[::1]:80",
        "BOOKS.example",
        "xn--bcher-kva.example",
        "x" * 63 + ".example",
        "books.example.",
        "books.example:",
    ],
)
def test_any_host_is_accepted_without_trusted_hosts(client, host):
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 200
    assert (
        read(answer)["links"]["books"]
        .lower()
        .startswith("http://" + host.lower().removesuffix(":80").removesuffix(":"))
    )


@pytest.mark.parametrize(
    "host, status",
    [
        ("books.example", 200),
        ("books.example:8000", 200),
        ("BOOKS.EXAMPLE", 200),
        ("a.library.example", 200),
        ("library.example", 200),
        ("evil.example", 400),
        ("a.books.example", 400),
        ("books.example.evil.example", 400),
        ("evillibrary.example", 400),
        ("", 400),
        ("books.example@evil.example", 400),
    ],
)
def test_only_trusted_hosts_are_served_if_some_are_configured(make_app, host, status):
    client = make_app(TRUSTED_HOSTS=["books.example", ".library.example"]).test_client()
    for method, expected in (("GET", status), ("POST", 401 if status == 200 else status)):
        answer = client.open("/books", method=method, headers={"Host": host})
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (
            expected,
            "nosniff",
        )


# -- who may ---------------------------------------------------------------------------


def _routes(app):
    values = {"digits": "9780306406157"}
    for rule in app.url_map.iter_rules():
        if app.view_functions[rule.endpoint].declaration.page_only:
            continue  # which clients of data do not know: tests/http/pages
        known = {**dict.fromkeys(rule.arguments, 1), **values, **(rule.defaults or {})}
        address = rule.build({name: known[name] for name in rule.arguments}, append_unknown=False)[
            1
        ]
        yield (
            address,
            sorted(rule.methods - {"HEAD", "OPTIONS"}),
            app.view_functions[rule.endpoint].declaration.access,
        )


def test_every_view_declares_its_access(app):
    assert {access for _, _, access in _routes(app)} == set(Access)
    for address, methods, access in _routes(app):
        changes = {"POST", "PUT", "PATCH", "DELETE"} & set(methods)
        assert not (changes and address.startswith("/books")) or access == "admin", address


@pytest.mark.parametrize(
    "who, refusals",
    [
        (None, dict.fromkeys(set(Access) - {Access.ANYONE}, 401)),
        ("member", {Access.ADMIN: 403, Access.ADMIN_IN_SESSION: 403}),
    ],
)
def test_every_view_enforces_its_access(make_app, who, refusals):
    client = make_app(PUBLIC_READ=False).test_client()
    if who:
        Auth(client).login(who)
    for address, methods, access in _routes(client.application):
        for method in methods if access in refusals else ():
            answer = client.open(address, method=method, data=b"\xff", content_type="text/nonsense")
            assert answer.status_code == refusals[access], (method, address)
            assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401), (
                method,
                address,
            )


def test_a_view_without_declared_access_stops_create_app(own_routes, app):
    app.add_url_rule("/unmarked", "unmarked", lambda: {})
    with pytest.raises(RuntimeError, match="unmarked"):
        endpoints.check(app)


def test_create_app_checks_the_access_of_views(tmp_path, monkeypatch):
    def refuse(app):
        raise RuntimeError("these views do not say who may")

    monkeypatch.setattr(endpoints, "check", refuse)
    with pytest.raises(RuntimeError, match="who may"):
        create_app({"INSTANCE_PATH": str(tmp_path), "SECRET_KEY": "x" * 32})
