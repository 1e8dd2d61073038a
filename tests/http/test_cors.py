"""Pages of other origins: who may read and change, and which headers they see. docs/api.md, Other
origins."""

import pytest

from bookapi.http.load import LOAD, Load
from helpers.instance import PASSWORD, Auth

APP, SECOND, STRANGER = "https://app.example", "http://localhost:3000", "https://evil.example"
EXPOSED = {"ETag", "Location", "Link", "Retry-After", "X-Request-ID", "WWW-Authenticate"}
OTHERS = [
    STRANGER,
    "null",
    "https://app.example.evil.example",
    "https://app.example:8443",
    "http://app.example",
    "https://APP.example",
    "https://app.example/",
    f"{APP}, {SECOND}",
    "",
]


@pytest.fixture
def shared(make_app):
    """The application with two named origins, on another site than either."""
    return make_app(CORS_ORIGINS=f"{APP},{SECOND}", COOKIE_SAMESITE="none", SECURE_COOKIES=True)


@pytest.fixture
def page(shared):
    """A client as a browser that shows pages of other sites."""
    client = shared.test_client()

    def ask(method, path, origin=APP, **more):
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site", **more.pop("headers", {})}
        return client.open(
            path, method=method, headers=headers, base_url="https://localhost", **more
        )

    return ask


def _cors(answer):
    return {
        name.lower(): value
        for name, value in answer.headers
        if name.lower().startswith("access-control-")
    }


def _is_readable(answer, origin):
    headers = _cors(answer)
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-credentials"] == "true"
    assert set(headers["access-control-expose-headers"].split(", ")) == EXPOSED
    assert "Origin" in answer.vary and len(answer.headers.getlist("Vary")) == 1
    return True


@pytest.mark.parametrize("origin", [APP, SECOND])
def test_a_page_of_a_named_origin_signs_in_adds_and_reads(page, origin):
    signed_in = page(
        "POST", "/auth/login", origin, json={"username": "admin", "password": PASSWORD}
    )
    assert signed_in.status_code == 200 and _is_readable(signed_in, origin)
    assert "SameSite=None" in signed_in.headers["Set-Cookie"]
    added = page("POST", "/books", origin, json={"title": "Emma"})
    assert added.status_code == 201 and _is_readable(added, origin)
    read = page("GET", "/books/1", origin)
    assert read.json["title"] == "Emma" and _is_readable(read, origin)
    tag = {"If-Match": read.headers["ETag"]}
    changed = page("PATCH", "/books/1", origin, json={"pages": 7}, headers=tag)
    assert changed.status_code == 200 and _is_readable(changed, origin)
    assert page("DELETE", "/books/1", origin).status_code == 204


@pytest.mark.parametrize("origin", OTHERS)
def test_a_page_of_another_origin_gets_no_header_and_changes_nothing(page, origin):
    page("POST", "/auth/login", json={"username": "admin", "password": PASSWORD})
    refused = page("POST", "/books", origin, json={"title": "Emma"})
    assert (refused.status_code, _cors(refused)) == (403, {})
    for method, path in (("GET", "/books"), ("OPTIONS", "/books"), ("GET", "/nowhere")):
        answer = page(method, path, origin, headers={"Access-Control-Request-Method": "POST"})
        assert _cors(answer) == {} and "Origin" in answer.vary
    assert page("GET", "/books").json["total"] == 0


def test_a_preflight_names_what_may_be_sent(page):
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "content-type,if-match,idempotency-key,authorization",
    }
    for path in ("/books", "/books/1", "/auth/login", "/books/import"):
        answer = page("OPTIONS", path, headers=asked)
        assert answer.status_code == 200 and _is_readable(answer, APP)
        headers = _cors(answer)
        methods = set(headers["access-control-allow-methods"].split(", "))
        assert methods >= {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
        allowed = set(headers["access-control-allow-headers"].lower().split(", "))
        assert allowed >= set(asked["Access-Control-Request-Headers"].split(","))
        assert int(headers["access-control-max-age"]) > 0


def test_a_private_catalogue_answers_preflights(make_app):
    client = make_app(CORS_ORIGINS=APP, PUBLIC_READ=False).test_client()
    asked = {"Origin": APP, "Access-Control-Request-Method": "PUT"}
    answer = client.options("/books/1", headers=asked)
    assert answer.status_code == 200 and _is_readable(answer, APP)


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/nowhere", 404),
        ("GET", "/books?limit=x", 400),
        ("POST", "/books", 401),
        ("PUT", "/books", 405),
        ("GET", "/auth/me", 401),
        ("GET", "/books/", 308),
    ],
)
def test_a_named_origin_may_read_failures(page, method, path, status):
    answer = page(method, path)
    assert answer.status_code == status and _is_readable(answer, APP)


def test_a_named_origin_may_read_that_the_service_is_busy(shared, page):
    shared.extensions[LOAD] = Load(queue=range(10**9))
    answer = page("GET", "/books")
    assert answer.status_code == 503 and _is_readable(answer, APP)


def test_a_remembered_response_serves_every_origin_with_its_own_headers(shared, page):
    for _ in range(2):
        assert _is_readable(page("GET", "/books"), APP)
        assert _cors(page("GET", "/books", STRANGER)) == {}
        assert _is_readable(page("GET", "/books", SECOND), SECOND)
        plain = shared.test_client().get("/books", base_url="https://localhost")
        assert _cors(plain) == {} and set(plain.vary) == {"Accept", "Origin"}
    tag = plain.headers["ETag"]
    unchanged = page("GET", "/books", headers={"If-None-Match": tag})
    assert unchanged.status_code == 304 and _is_readable(unchanged, APP)


def test_without_the_setting_no_origin_is_named(client):
    Auth(client).login()
    for origin in (APP, STRANGER):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for method in ("GET", "OPTIONS"):
            answer = client.open("/books", method=method, headers=asked)
            assert _cors(answer) == {} and "Origin" not in answer.vary
        assert client.post("/books", json={"title": "a"}, headers=asked).status_code == 403


def test_a_change_of_another_site_without_an_origin_is_refused(page):
    page("POST", "/auth/login", json={"username": "admin", "password": PASSWORD})
    assert page("POST", "/books", "", json={"title": "Emma"}).status_code == 403
