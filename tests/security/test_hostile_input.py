"""Inputs built to break parsers: no 5xx, well-formed responses, nothing stored partly."""

import json
import re
import statistics
import time
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from bookapi.books.schemas import FIELDS
from helpers.books import whole
from helpers.data import json_cases, naughty_strings, xml_attacks
from helpers.documents import TYPES, is_xml_text, read, write

SLOW, SLOW_ON_AVERAGE = 5, 1  # seconds: guards against what never ends, not measures
fuzz = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Watch:
    """Sends requests; holds each answer to be no failure of ours, well-formed, and in time."""

    def __init__(self, client):
        self.client, self.seconds = client, []

    def __call__(self, method, address, *statuses, **more):
        begun = time.perf_counter()
        answer = self.client.open(address, method=method, **more)
        body = answer.get_data()
        self.seconds.append(time.perf_counter() - begun)
        reported = (method, str(address)[:80], repr(more)[:200], answer.status_code)
        assert answer.status_code < 500 and (not statuses or answer.status_code in statuses), (
            reported
        )
        assert "json" not in answer.mimetype or json.loads(body) is not None, reported
        assert "xml" not in answer.mimetype or etree.fromstring(body) is not None, reported
        assert self.seconds[-1] < SLOW, reported
        return answer

    def in_time(self):
        assert statistics.mean(self.seconds) < SLOW_ON_AVERAGE
        return len(self.seconds)


@pytest.fixture
def watch(admin):
    return Watch(admin)


# -- known attacks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, address", [("POST", "/books"), ("POST", "/auth/login"), ("PUT", "/books/1")]
)
def test_xml_attacks_are_rejected(app, watch, method, address):
    watch("POST", "/books", 201, json={"title": "kept"})
    for path in xml_attacks():
        answer = watch(
            method, address, 400, 422, data=path.read_bytes(), content_type="application/xml"
        )
        assert not (b"<!DOCTYPE" in path.read_bytes() and answer.status_code != 400), path.name
        assert b"root:" not in answer.get_data(), path.name
    assert watch.client.get("/books").json["total"] == 1
    whole(app)


def test_json_test_suite_is_accepted_or_rejected(app, watch):
    for case in json_cases():
        body = case["input"].encode("utf-8", "surrogatepass")
        expected = {"reject": {400}, "accept": {400, 422}, "either": {400, 422}}[case["expect"]]
        for address in ("/books", "/auth/login"):
            watch("POST", address, *expected, data=body, content_type="application/json")
    assert watch.client.get("/books").json["total"] == 0
    watch.in_time()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["json", "xml"])
def test_naughty_strings_are_stored_unchanged_or_rejected(app, watch, name):
    for text in naughty_strings()[name == "xml" :: 3]:
        if name == "xml" and not is_xml_text(text):
            continue
        answer = watch(
            "POST",
            "/books",
            201,
            422,
            data=write(name, {"title": text, "authors": ["x", text[:500]]}),
            content_type=TYPES[name],
            headers={"Accept": TYPES[name]},
        )
        if answer.status_code == 201 and text.isascii() and "\r" not in text:
            assert read(answer)["title"] == text.strip()
    whole(app)
    assert watch.in_time() > 250


@pytest.mark.slow
@pytest.mark.parametrize("name", ["json", "xml"])
def test_naughty_strings_sign_nobody_in(client, monkeypatch, name):
    monkeypatch.setattr(
        "bookapi.auth.passwords.matches", lambda password_hash, password: False
    )  # 20 ms each
    watch = Watch(client)
    for number, text in enumerate(naughty_strings()[name == "xml" :: 2]):
        if name == "json" or is_xml_text(
            text
        ):  # each from another address, or it would have to wait before the next
            watch(
                "POST",
                "/auth/login",
                401,
                422,
                data=write(name, {"username": text, "password": text}, "login"),
                content_type=TYPES[name],
                headers={"Accept": TYPES[name]},
                environ_overrides={"REMOTE_ADDR": f"192.0.2.{number % 250}"},
            )
    assert watch.in_time() > 350


@pytest.mark.slow
def test_naughty_strings_are_ordinary_parameters(watch):
    watch("POST", "/books", 201, json={"title": "kept"})
    for number, text in enumerate(naughty_strings()):
        name = (
            "title",
            "author",
            "isbn",
            "language",
            "sort",
            "limit",
            "page",
            "format",
            "nonsense",
        )[number % 9]
        for parameter in {name, "title"}:
            answer = watch("GET", "/books", 200, 400, 406, query_string={parameter: text})
            assert answer.status_code != 200 or parameter != "title" or answer.json["total"] == 0, (
                text
            )
    watch.in_time()


@pytest.mark.slow
def test_naughty_strings_as_paths_are_404(watch):
    for text in naughty_strings()[::2]:
        for folder in ("/books/", "/books/isbn/"):
            watch("GET", folder + quote(text or " ", safe=""), 404)
    watch.in_time()


@pytest.mark.slow
def test_naughty_strings_in_headers_change_nothing_of_the_answer(app):
    client = app.test_client(use_cookies=False)
    watch, plain = Watch(client), client.get("/books").data
    for text in naughty_strings()[1::2]:
        value = (
            text.encode("utf-8", "replace").decode("latin-1").replace("\r", " ").replace("\n", " ")
        )
        headers = {"X-Request-ID": value, "If-None-Match": value, "Cookie": f"bookapi={value}"}
        answer = watch("GET", "/books", 200, headers=headers)
        assert answer.data == plain
        if answer.headers["X-Request-ID"] != value:
            assert re.fullmatch("[0-9a-f-]{32,36}", answer.headers["X-Request-ID"]), value
        else:
            assert re.fullmatch("[A-Za-z0-9._:-]{1,128}", value)
        watch("GET", "/auth/me", 401, headers=headers)
        answer = watch("GET", "/books", 200, 406, headers={"Accept": value})
        assert answer.status_code == 406 or answer.data == plain or "xml" in answer.mimetype, value
    watch.in_time()


# -- the cost of a body ----------------------------------------------------------------


def _keys(number):
    return b"{" + b",".join(b'"%d":0' % key for key in range(number)) + b',"%d":0}' % (number - 1)


def _namespaces(number):
    declared = b" ".join(b'xmlns:a%d="u"' % key for key in range(number))
    return b"<login " + declared + b">" + b"<a/>" * 5 * number + b"</login>"


def _marks(number):
    return json.dumps(
        {"username": "a" + "\u0315\u0300" * number, "password": "p"}, ensure_ascii=False
    ).encode()


BODIES = {
    "a repeated key behind many": (_keys(8000), "json"),
    "many namespaces": (_namespaces(1000), "xml"),
    "many accents out of order": (_marks(15000), "json"),
    "brackets": (b"[" * 250_000, "json"),
    "braces": (b'{"a":' * 100_000, "json"),
    "elements": (b"<a>" * 100_000, "xml"),
    "a long number": (b'{"username": ' + b"9" * 500_000 + b"}", "json"),
    "many empty elements": (b"<login>" + b"<a/>" * 50_000 + b"</login>", "xml"),
    "many attributes": (
        b"<login " + b" ".join(b'a%d=""' % key for key in range(20_000)) + b"/>",
        "xml",
    ),
    "many comments": (b"<!-- -->" * 50_000 + b"<login/>", "xml"),
    "spaces": (b" " * 900_000, "json"),
    "a declaration that never ends": (b"<?xml " + b" encoding " * 50_000, "xml"),
}


@pytest.mark.parametrize("body, name", BODIES.values(), ids=list(BODIES))
def test_an_anonymous_body_of_any_shape_is_rejected(client, body, name):
    answer = client.post("/auth/login", data=body, content_type=TYPES[name])
    assert answer.status_code in (400, 401, 422)


@pytest.mark.parametrize(
    "make, name, number", [(_keys, "json", 4000), (_namespaces, "xml", 250), (_marks, "json", 4000)]
)
def test_parsing_cost_is_not_quadratic(client, make, name, number):
    def cost(body):
        """Processor seconds, the least of three; what is too little to be measured counts as 5
        ms.
        """
        least = 5e-3
        for attempt in range(3):
            begun = time.process_time()
            client.post("/auth/login", data=body, content_type=TYPES[name])
            taken = time.process_time() - begun
            least = taken if attempt == 0 else min(least, taken)
        return max(least, 5e-3)

    assert cost(make(4 * number)) < 10 * cost(make(number))


# -- invented ones ---------------------------------------------------------------------

TEXT = st.text(st.characters(codec=None), max_size=30)
LIKELY = st.sampled_from(
    ["9780306406157", "0306406152", "en", "1999", "-0720-01", "http://a/b", "isbn", "", "\x00"]
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | LIKELY,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT | st.sampled_from(["scheme", "value"]), inner, max_size=4)
    ),
    max_leaves=8,
)
BOOK = st.dictionaries(st.sampled_from(FIELDS) | TEXT, VALUE, max_size=6) | VALUE


@pytest.mark.slow
@fuzz
@given(book=BOOK, method=st.sampled_from(["POST", "PUT", "PATCH"]))
def test_any_json_is_a_book_or_is_rejected(app, admin, book, method):
    if admin.get("/books/1").status_code == 404:
        admin.post("/books", json={"title": "first"})
    answer = Watch(admin)(
        method,
        "/books" if method == "POST" else "/books/1",
        200,
        201,
        400,
        409,
        422,
        data=json.dumps(book).encode(),
        content_type="application/json",
    )
    if answer.status_code in (200, 201):
        record = answer.json
        assert admin.get(f"/books/{record['id']}").json == record
        assert etree.fromstring(admin.get(f"/books/{record['id']}?format=xml").get_data()).findtext(
            "title"
        )
    else:
        assert answer.mimetype == "application/problem+json"


@pytest.mark.slow
@fuzz
@given(
    body=st.binary(max_size=200),
    prefix=st.sampled_from([b"", b"<book>", b"\xff\xfe", b"\xef\xbb\xbf", b'{"title":', b"<?xml "]),
    name=st.sampled_from(["json", "xml"]),
    address=st.sampled_from(["/books", "/auth/login"]),
)
def test_any_bytes_are_a_document_or_are_rejected(admin, body, prefix, name, address):
    answer = Watch(admin)(
        "POST",
        address,
        201,
        400,
        401,
        422,
        data=prefix + body,
        content_type=TYPES[name],
        headers={"Accept": TYPES[name]},
    )
    assert answer.mimetype in (f"application/problem+{name}", f"application/{name}")
