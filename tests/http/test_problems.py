"""Every error is a problem document that reveals no internals. docs/api.md, Problems."""

import pytest
from lxml import etree

from bookapi.books import queries
from helpers.documents import INSIDE, TYPES, faults, read, send

NAMESPACE = "urn:ietf:rfc:7807"
both = pytest.mark.parametrize("name", ["json", "xml"])

FAILURES = [
    (404, "GET", "/nowhere", {}),
    (404, "GET", "/books/7", {}),
    (404, "GET", "/books/isbn/9780306406157", {}),
    (404, "GET", "/books/%3Cb%3E%00%FF", {}),
    (405, "POST", "/books/1", {}),
    (400, "GET", "/books?limit=0", {}),
    (400, "POST", "/books", {"data": b"{<", "content_type": True}),
    (415, "POST", "/books", {"data": b"x"}),
    (422, "POST", "/books", {"json": {}}),
    (401, "POST", "/auth/login", {"json": {"username": "a", "password": "b"}}),
    (403, "POST", "/books", {"json": {}, "headers": {"Origin": "http://evil.example"}}),
    (
        412,
        "PUT",
        "/books/isbn/9780306406157",
        {"json": {"title": "a"}, "headers": {"If-Match": "*"}},
    ),
]


TYPE_OF = {  # where the status alone does not say what to do
    409: "urn:bookapi:problem:isbn-taken",
    410: "urn:bookapi:problem:in-trash",
    412: "urn:bookapi:problem:stale-version",
    422: "urn:bookapi:problem:validation",
    428: "urn:bookapi:problem:version-required",
}


@both
def test_every_error_is_a_problem_document(admin, name):
    for status, method, address, more in FAILURES:
        if more.get("content_type"):
            more = {**more, "content_type": TYPES[name]}
        headers = {"Accept": TYPES[name], **more.get("headers", {})}
        answer = admin.open(address, method=method, **{**more, "headers": headers})
        problem = read(answer)
        assert (answer.status_code, answer.mimetype) == (status, f"application/problem+{name}"), (
            address
        )
        assert list(problem)[:5] == ["type", "title", "status", "detail", "instance"], address
        assert int(problem["status"]) == status and problem["title"], address
        assert problem["type"] == TYPE_OF.get(status, "about:blank"), address
        assert not INSIDE.search(answer.get_data(as_text=True)), address


def test_xml_problems_follow_rfc_7807_namespace_and_item_names(admin):
    answer = admin.post("/books", json={"pages": 0, "isbn": "1"}, headers={"Accept": "text/xml"})
    root = etree.fromstring(answer.get_data())
    assert root.tag == f"{{{NAMESPACE}}}problem"
    assert [child.tag for child in root.find(f"{{{NAMESPACE}}}errors")] == [f"{{{NAMESPACE}}}i"] * 3


def test_available_formats_are_a_list_of_i_elements_in_xml(client):
    answer = client.get("/?format=nonsense", headers={"Accept": "application/xml"})
    found = etree.fromstring(answer.get_data()).findall(
        f"{{{NAMESPACE}}}available/{{{NAMESPACE}}}i"
    )
    assert (answer.status_code, [item.text for item in found]) == (
        406,
        ["application/json", "application/xml", "text/html"],
    )


@both
def test_instance_is_the_path_without_the_query(client, name):
    answer = client.get("/nowhere/%3Cb%3E%20%C3%A9?secret=1", headers={"Accept": TYPES[name]})
    assert read(answer)["instance"] == "/nowhere/%3Cb%3E%20%C3%A9"
    assert "secret" not in answer.get_data(as_text=True)


def test_instance_has_the_prefix_that_a_proxy_took_away(client):
    answer = client.get("/nowhere", environ_overrides={"SCRIPT_NAME": "/library"})
    assert answer.json["instance"] == "/library/nowhere"


@both
def test_all_errors_are_reported_at_once(admin, name):
    answer = send(
        admin,
        "POST",
        "/books",
        name,
        {"isbn": "1", "pages": 0, "language": "?", "nonsense": "1", "id": 1},
    )
    assert answer.status_code == 422
    assert sorted(faults(answer)) == ["id", "isbn", "language", "nonsense", "pages", "title"]


def test_a_nested_error_has_a_pointer(admin):
    answer = admin.post(
        "/books", json={"title": "a", "authors": ["a", ""], "identifiers": [{"scheme": "a"}]}
    )
    assert [(error["field"], error["pointer"]) for error in answer.json["errors"]] == [
        ("authors", "/authors/1"),
        ("identifiers", "/identifiers/0/value"),
    ]


@pytest.mark.parametrize(
    "key, reported", [("a/b", "a~1b"), ("a~b", "a~0b"), ("~1", "~01"), ("", ""), ("é", "é")]
)
def test_a_pointer_is_escaped_as_in_rfc_6901(admin, key, reported):
    answer = admin.post(
        "/books", json={"title": "a", "identifiers": [{"scheme": "a", "value": "b", key: 1}]}
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/identifiers/0/{reported}"]


# -- crashes ---------------------------------------------------------------------------


@both
@pytest.mark.parametrize("address", ["/books", "/books/export", "/books/1"])
def test_an_unexpected_exception_is_a_500_without_details(admin, monkeypatch, name, address):
    def crash(*args, **kwargs):
        raise RuntimeError("SELECT password_hash FROM users in /etc/secret.py")

    for operation in ("page", "export", "one"):
        monkeypatch.setattr(queries, operation, crash)
    answer = admin.get(address, headers={"Accept": TYPES[name]})
    assert (answer.status_code, answer.mimetype) == (500, f"application/problem+{name}")
    assert not INSIDE.search(answer.get_data(as_text=True)) and "secret" not in answer.get_data(
        as_text=True
    )


def test_an_exception_before_the_first_record_of_a_stream_is_a_500(make_app, monkeypatch):
    def crash():
        raise RuntimeError("in the midst")
        yield

    monkeypatch.setattr(queries, "export", lambda listing: ((), crash()))
    client = make_app(PROPAGATE_EXCEPTIONS=False).test_client()
    for name in ("json", "xml", "csv", "jsonl"):
        answer = client.get(f"/books/export?format={name}")
        assert (answer.status_code, "midst" in answer.get_data(as_text=True)) == (500, False), name


def test_an_exception_is_logged_with_the_request_id(capsys, client, monkeypatch):
    monkeypatch.setattr(queries, "page", lambda listing: 1 / 0)
    answer = client.get("/books?title=private", headers={"X-Request-ID": "find-me"})
    log = capsys.readouterr().err
    assert (
        answer.headers["X-Request-ID"] == "find-me"
        and "find-me" in log
        and "ZeroDivisionError" in log
    )
    assert "private" not in log.partition("Traceback")[0]


# -- telling a client what it sent -----------------------------------------------------

NAUGHTY = [
    "<script>alert(1)</script>",
    "]]>",
    "&amp;",
    "&#0;",
    "a\x00b",
    "\x1b[31m",
    "\ud800",
    "\uffff",
    "'\"--",
    "a" * 100_000,
    "\r\nX-Evil: 1",
    "\u202e",
    "\U0001f4da",
    "__proto__",
    "constructor",
    "a/b",
    "~",
    "",
    " ",
    ".",
    "_schema",
    "%s%n",
    "{0.__class__}",
    "\u0301",
    "xml:lang",
    "xmlns",
    "-",
]


@both
def test_a_naughty_field_name_gives_a_well_formed_problem(admin, name):
    for key in NAUGHTY:
        answer = admin.post("/books", json={"title": "a", key: 1}, headers={"Accept": TYPES[name]})
        [error] = read(answer)["errors"]
        assert (answer.status_code, len(answer.get_data()) < 3000) == (422, True), key[:20]
        assert "field" in error, key[:20]


@both
def test_an_error_names_the_field_as_it_was_sent(admin, name):
    for key in ("<script>", "a b", "é", "_schema", "Title"):
        answer = admin.post("/books", json={"title": "a", key: 1}, headers={"Accept": TYPES[name]})
        assert (answer.status_code, faults(answer)) == (422, [key])


@both
def test_a_naughty_parameter_or_key_gives_a_well_formed_problem(admin, name):
    for key in NAUGHTY[:-4]:
        sent = key.encode("utf-8", "surrogatepass")
        repeated = b'{"%s": 1, "%s": 2}' % ((sent.replace(b'"', b"").replace(b"\\", b""),) * 2)
        answers = [
            admin.get("/books", query_string={key.encode("utf-8", "replace").decode(): "1"}),
            admin.post(
                "/books",
                data=repeated,
                content_type="application/json",
                headers={"Accept": TYPES[name]},
            ),
            admin.get("/books?format=nonsense", headers={"Accept": TYPES[name]}),
        ]
        assert [answer.status_code for answer in answers] == [400, 400, 406], key[:20]
        assert all(
            read(answer)["status"] and len(answer.get_data()) < 4000 for answer in answers
        ), key[:20]


@both
def test_at_most_100_errors_are_reported(admin, name):
    answer = send(admin, "POST", "/books", name, {f"f{number}": 1 for number in range(1000)})
    assert answer.status_code == 422
    assert len(read(answer)["errors"]) == 100


@pytest.mark.parametrize("inner", [b"<a b='c'/>", b"<a>x<b/>y</a>", b"<n:a xmlns:n='u'/>"])
def test_at_most_100_errors_of_a_document_are_reported(admin, inner):
    answer = admin.post(
        "/books", data=b"<book>" + inner * 900 + b"</book>", content_type="application/xml"
    )
    assert answer.status_code == 422
    assert len(read(answer)["errors"]) == 100 and len(answer.get_data()) < 50_000
