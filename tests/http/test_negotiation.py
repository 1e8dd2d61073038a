"""Response and request formats, and the order of checks. docs/api.md, Formats."""

import pytest

from helpers.documents import TYPES, faults, read, send
from helpers.instance import Auth

JSON, XML, CSV, JSONL = "application/json", "application/xml", "text/csv", "application/x-ndjson"
HTML = "text/html"


# -- out -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "accept, chosen",
    [
        (None, JSON),
        ("", JSON),
        ("  ", JSON),
        ("*/*", JSON),
        ("*/*;q=0.001", JSON),
        (JSON, JSON),
        (XML, XML),
        ("text/xml", XML),
        ("APPLICATION/XML", XML),
        ("Text/Xml", XML),
        ("application/*", JSON),
        ("text/*", XML),
        ("application/problem+json", JSON),
        ("application/problem+xml", XML),
        ("application/json;q=0.5, application/xml", XML),
        ("application/xml;q=0.5, application/json", JSON),
        ("application/xml;q=0.5, application/json;q=0.5", JSON),
        ("application/xml, application/json", JSON),
        ("text/xml;q=0.3, application/json;q=0.4", JSON),
        ("application/json;q=0.3, text/xml;q=0.4", XML),
        ("application/json;q = 0.3, text/xml; q =0.4", XML),
        ("application/json; q= 0, application/xml;q=0.1", XML),
        ("application/xml ; q=0.9 , application/json ; q=0.8", XML),
        ("text/html, application/xml;q=0.9, */*;q=0.8", HTML),
        ("text/html, image/*;q=0.9, */*;q=0.1", HTML),
        ("application/json;version=2;charset=x", JSON),
        ('application/xml;profile="a,b"', XML),
        ("application/xml;version=1.0;q=0.2, application/json;q=0.1", XML),
        ("*/*;q=0.5, application/xml;q=0.6", XML),
        ("application/*;q=0.2, text/*;q=0.1", JSON),
        ("application/xml;q=0, text/xml;q=0, */*", JSON),
        ("text/plain, application/xml;q=0.1", XML),
    ],
)
def test_accept_chooses_the_format(client, accept, chosen):
    answer = client.get("/", headers={} if accept is None else {"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, chosen)
    depends_on = {"Accept", "Accept-Language", "Cookie"} if chosen == HTML else {"Accept"}
    assert set(answer.vary) == depends_on


@pytest.mark.parametrize(
    "accept, chosen",
    [
        ("application/json;q=0, */*", XML),
        ("*/*, application/json;q=0", XML),
        ("*/*, application/json;q=0.1", XML),
        ("application/*, application/json;q=0", XML),
        ("application/xml;q=0, text/xml;q=0, application/*", JSON),
    ],
)
def test_the_most_specific_media_range_decides(client, accept, chosen):
    answer = client.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, chosen)


REFUSED = [
    "text/plain",
    "text/html;q=0",
    "image/*",
    "*/*;q=0",
    "application/json;q=0",
    "application/json;q=0.000",
    "application/json;q=0, application/xml;q=0, text/xml;q=0",
    "json",
    "application/x-ndjson",
    "*/json",
]


@pytest.mark.parametrize("accept", REFUSED)
def test_an_unavailable_format_is_a_406_that_lists_the_available_ones(client, accept):
    answer = client.get("/", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (406, "application/problem+json")
    assert read(answer)["available"] == [JSON, XML, HTML] and "Accept" in answer.vary


def test_a_406_on_a_list_names_the_formats_of_books_too(client):
    answer = client.get("/books", headers={"Accept": "image/png"})
    assert answer.status_code == 406
    assert {JSON, XML, CSV, JSONL} <= set(read(answer)["available"])


@pytest.mark.parametrize(
    "accept, chosen",
    [
        (CSV, CSV),
        (JSONL, JSONL),
        ("application/jsonl", JSONL),
        ("text/*", XML),
        ("text/csv, text/xml;q=0.9", CSV),
        ("text/csv;header=present", CSV),
        ("application/xml;q=0.8, text/csv;q=0.8", XML),
    ],
)
def test_lists_of_books_have_more_formats(client, accept, chosen):
    for address in ("/books", "/books/export"):
        answer = client.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.mimetype) == (200, chosen), address


@pytest.mark.parametrize("name, chosen", [("json", JSON), ("xml", XML)])
@pytest.mark.parametrize("accept", [JSON, XML, "text/plain", "*/*;q=0"])
def test_the_format_parameter_overrides_accept(client, name, chosen, accept):
    answer = client.get(f"/?format={name}", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (200, chosen)


@pytest.mark.parametrize(
    "address",
    [
        "/?format=yaml",
        "/?format=",
        "/?format=%00",
        "/?format=%FF",
        "/?format=csv",
        "/books?format=nonsense",
        "/books/1?format=jsonl",
        "/?format=json%20",
    ],
)
def test_an_unknown_format_name_is_a_406(client, address):
    answer = client.get(address, headers={"Accept": XML})
    assert (answer.status_code, answer.mimetype) == (406, "application/problem+xml")
    assert JSON in read(answer)["available"]


@pytest.mark.parametrize("address", ["/?format=json&format=json", "/books?format=xml&format=json"])
def test_a_repeated_format_is_a_400_that_names_the_parameter(client, address):
    answer = client.get(address)
    assert answer.status_code == 400
    assert faults(answer) == ["format"]


@pytest.mark.parametrize("query, headers", [("", {"Accept": "text/plain"}), ("?format=yaml", {})])
def test_a_request_that_gets_406_changes_nothing(admin, query, headers):
    admin.post("/books", json={"title": "Emma"})
    for method, address in (
        ("POST", "/books"),
        ("PUT", "/books/1"),
        ("PATCH", "/books/1"),
        ("DELETE", "/books/1"),
        ("PUT", "/books/isbn/9780306406157"),
    ):
        answer = admin.open(
            address + query, method=method, json={"title": "Other"}, headers=headers
        )
        assert answer.status_code == 406, method
    assert [(book["title"], book["version"]) for book in admin.get("/books").json["books"]] == [
        ("Emma", 1)
    ]


def test_a_login_that_gets_406_opens_no_session(client):
    answer = client.post(
        "/auth/login?format=yaml", json={"username": "admin", "password": "a long enough password"}
    )
    assert answer.status_code == 406
    assert "Set-Cookie" not in answer.headers


def test_signing_out_is_negotiated(admin):
    for query, headers in (("", {"Accept": "text/plain"}), ("?format=yaml", {})):
        assert admin.post(f"/auth/logout{query}", headers=headers).status_code == 406
    assert admin.get("/auth/me").status_code == 200
    answer = admin.post("/auth/logout")
    assert (answer.status_code, answer.data) == (204, b"")
    assert "Accept" in answer.vary


@pytest.mark.parametrize("name", ["csv", "jsonl"])
@pytest.mark.parametrize("address", ["/books?limit=0", "/books/export?nonsense=1", "/books?isbn=1"])
def test_problems_of_formats_without_problem_documents_are_json(client, address, name):
    answer = client.get(f"{address}&format={name}")
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


@pytest.mark.parametrize("accept", [CSV, JSONL])
def test_an_unauthorized_stream_request_gets_a_problem(make_app, accept):
    answer = make_app(PUBLIC_READ=False).test_client().get("/books", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")


@pytest.mark.parametrize(
    "accept, reported",
    [
        (JSON, "application/problem+json"),
        (XML, "application/problem+xml"),
        ("text/xml", "application/problem+xml"),
        ("application/problem+xml", "application/problem+xml"),
        ("text/plain", "application/problem+json"),
        ("text/html, application/xml;q=0.9", HTML),
        ("text/html;q=0.8, application/xml;q=0.9", "application/problem+xml"),
        ("", "application/problem+json"),
    ],
)
def test_routing_errors_use_the_requested_format(client, accept, reported):
    answer = client.get("/nowhere", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, reported)


def _answers(client):
    yield 200, client.get("/books")
    yield 201, client.post("/books", json={"title": "Emma"})
    yield (
        304,
        client.get("/books/1", headers={"If-None-Match": client.get("/books/1").headers["ETag"]}),
    )
    yield 400, client.get("/books?limit=0")
    yield 404, client.get("/books/7")
    yield 406, client.get("/books", headers={"Accept": "text/plain"})
    yield (
        409,
        client.put("/books/isbn/0306406152", json={"title": "x"})
        and client.post("/books", json={"title": "x", "isbn": "0306406152"}),
    )
    yield 415, client.post("/books", data="x")
    yield 422, client.post("/books", json={})
    yield 401, client.application.test_client().get("/auth/me")


def test_every_negotiated_response_varies_by_accept(admin):
    for status, answer in _answers(admin):
        assert answer.status_code == status
        assert "Accept" in answer.vary, status


# -- in --------------------------------------------------------------------------------

CHANGES = [
    ("POST", "/books", {"Accept-Post"}),
    ("PUT", "/books/1", set()),
    ("PATCH", "/books/1", {"Accept-Patch"}),
    ("PUT", "/books/isbn/9780306406157", set()),
]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/html",
        "application/json5",
        "application/problem+json",
        "text/csv",
        "json",
        ";",
        "application/xml+json",
        "*/*",
    ],
)
def test_an_unsupported_content_type_is_a_415_that_lists_the_supported_ones(admin, content_type):
    for method, address, also in CHANGES:
        answer = admin.open(
            address, method=method, data=b'{"title": "x"}', content_type=content_type
        )
        assert answer.status_code == 415 and {JSON, XML, "text/xml"} <= set(
            answer.headers["Accept"].split(", ")
        )
        assert {name for name in ("Accept-Post", "Accept-Patch") if name in answer.headers} == also


@pytest.mark.parametrize("coding", ["gzip", "identity", "br", "deflate, gzip"])
def test_a_body_with_a_content_encoding_is_a_415(admin, coding):
    for method, address, _ in CHANGES:
        answer = admin.open(
            address, method=method, json={"title": "x"}, headers={"Content-Encoding": coding}
        )
        assert (answer.status_code, JSON in answer.headers["Accept"]) == (415, True)
    assert admin.get("/books").json["total"] == 0


@pytest.mark.parametrize(
    "content_type, body",
    [
        ("application/json; charset=utf-8", b'{"title": "Emma"}'),
        ("APPLICATION/JSON", b'{"title": "Emma"}'),
        ('application/json; charset="', b'{"title": "Emma"}'),
        ("text/xml", b"<book><title>Emma</title></book>"),
        ("application/xml; charset=UTF-8", b"<book><title>Emma</title></book>"),
        ("Text/XML;charset=utf-16", "<book><title>Emma</title></book>".encode("utf-16")),
    ],
)
def test_a_body_is_read_by_its_content_type(admin, content_type, body):
    answer = admin.post("/books", data=body, content_type=content_type)
    assert (answer.status_code, answer.json["title"]) == (201, "Emma")


@pytest.mark.parametrize(
    "method, address, status",
    [
        ("PATCH", "/books/1", 200),
        ("PUT", "/books/1", 415),
        ("POST", "/books", 415),
        ("PUT", "/books/isbn/9780306406157", 415),
        ("POST", "/auth/login", 415),
    ],
)
def test_merge_patch_is_accepted_by_patch_only(admin, method, address, status):
    admin.post("/books", json={"title": "Emma"})
    answer = admin.open(
        address, method=method, data=b'{"title": "x"}', content_type="application/merge-patch+json"
    )
    assert answer.status_code == status
    assert "application/merge-patch+json" not in answer.headers.get("Accept", "")


@pytest.mark.parametrize(
    "method, address, status",
    [
        ("GET", "/books", 200),
        ("GET", "/books/1", 200),
        ("DELETE", "/books/1", 204),
        ("POST", "/auth/logout", 204),
        ("HEAD", "/books", 200),
        ("OPTIONS", "/books", 200),
    ],
)
def test_an_unexpected_body_is_ignored(admin, method, address, status):
    admin.post("/books", json={"title": "Emma"})
    answer = admin.open(
        address,
        method=method,
        data=b"\xff<not a body",
        content_type="text/nonsense",
        headers={"Content-Encoding": "gzip"},
    )
    assert answer.status_code == status


# -- the order of refusals -------------------------------------------------------------

LARGE = b"<{ " + b"x" * 4096
BROKEN = {"json": b'{"title": ', "xml": b"<book><title>"}
INVALID = {
    "json": b'{"title": "", "isbn": "0306406152"}',
    "xml": b"<book><title/><isbn>0306406152</isbn></book>",
}
TAKEN = {
    "json": b'{"title": "x", "isbn": "0306406152"}',
    "xml": b"<book><title>x</title><isbn>0306406152</isbn></book>",
}
STALE = {"If-Match": '"1-99-json"'}
UNACCEPTABLE = {"Accept": "text/plain"}
# Each request has its own fault and all those that are to be reported later.
CHAIN = [
    (404, "PUT", "/nowhere", None, UNACCEPTABLE, LARGE, "text/plain"),
    (405, "POST", "/books/1", None, UNACCEPTABLE, LARGE, "text/plain"),
    (406, "PUT", "/books/99", None, UNACCEPTABLE, LARGE, "text/plain"),
    (401, "PUT", "/books/99", None, STALE, LARGE, "text/plain"),
    (403, "PUT", "/books/99", "member", STALE, LARGE, "text/plain"),
    (415, "PUT", "/books/99", "admin", STALE, LARGE, "text/plain"),
    (413, "PUT", "/books/99", "admin", STALE, LARGE, None),
    (400, "PUT", "/books/99", "admin", STALE, BROKEN, None),
    (404, "PUT", "/books/99", "admin", STALE, INVALID, None),
    (410, "PUT", "/books/3", "admin", STALE, INVALID, None),
    (412, "PUT", "/books/1", "admin", STALE, INVALID, None),
    (428, "PUT", "/books/1", "admin", {}, INVALID, None),
    (422, "PUT", "/books/1", "admin", {"If-Match": "*"}, INVALID, None),
    (409, "PUT", "/books/1", "admin", {"If-Match": "*"}, TAKEN, None),
]


@pytest.mark.parametrize("name", ["json", "xml"])
@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
def test_checks_run_in_the_documented_order(make_app, verb, name):
    app = make_app(MAX_BODY_BYTES=2048, REQUIRE_IF_MATCH=True)
    clients = {None: app.test_client()}
    for who in ("admin", "member"):
        clients[who] = app.test_client()
        Auth(clients[who]).login(who)
    for values in (
        {"title": "Emma"},
        {"title": "Persuasion", "isbn": "0306406152"},
        {"title": "Gone"},
    ):
        clients["admin"].post("/books", json=values)
    clients["admin"].delete("/books/3", headers={"If-Match": "*"})
    reported = [
        clients[who].open(
            address,
            method=method.replace("PUT", verb),
            headers=headers,
            data=body[name] if isinstance(body, dict) else body,
            content_type=content_type or TYPES[name],
        )
        for _, method, address, who, headers, body, content_type in CHAIN
    ]
    assert [answer.status_code for answer in reported] == [link[0] for link in CHAIN]
    assert [int(read(answer)["status"]) for answer in reported] == [link[0] for link in CHAIN]


@pytest.mark.parametrize(
    "body, content_type",
    [
        (b"[]", JSON),
        (b"null", JSON),
        (b"<wrong/>", XML),
        (b'<book a="1"/>', XML),
        (b'<book xmlns="urn:x"/>', XML),
        (b"<book><title>a</title><title>b</title></book>", XML),
        (b"<book>mixed<title>a</title></book>", XML),
    ],
)
def test_a_missing_book_is_reported_before_an_invalid_body(admin, body, content_type):
    admin.post("/books", json={"title": "Emma"})
    admin.delete("/books/1")
    for method in ("PUT", "PATCH"):
        reported = [
            admin.open(address, method=method, data=body, content_type=content_type).status_code
            for address in ("/books/99", "/books/1")
        ]
        assert reported == [404, 410], method


@pytest.mark.parametrize("name", ["json", "xml"])
@pytest.mark.parametrize("size, status", [(2048, 422), (2049, 413), (100_000, 413)])
def test_a_body_up_to_the_limit_is_accepted(make_app, name, size, status):
    client = make_app(MAX_BODY_BYTES=2048).test_client()
    Auth(client).login()
    shell = {"json": b'{"subtitle": "%s"}', "xml": b"<book><subtitle>%s</subtitle></book>"}[name]
    answer = client.post(
        "/books", data=shell % (b"x" * (size - len(shell) + 2)), content_type=TYPES[name]
    )
    assert answer.status_code == status


@pytest.mark.parametrize("name", ["json", "xml"])
def test_the_body_limit_applies_to_logins(make_app, name):
    client = make_app(MAX_BODY_BYTES=2048).test_client()
    answer = send(
        client, "POST", "/auth/login", name, {"username": "u" * 3000, "password": "p"}, root="login"
    )
    assert answer.status_code == 413
    assert answer.mimetype == f"application/problem+{name}"
