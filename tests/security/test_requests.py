"""Random requests to all routes: no 5xx, always a documented response.

`REQUEST_CASES` is their number. They are reproducible unless REQUEST_SEED is set.
"""

import base64
import json
import os
import re
from collections import Counter
from itertools import count
from random import Random
from urllib.parse import quote, unquote, urlencode, urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from lxml import etree

from bookapi.auth import accounts, passwords
from bookapi.db import db
from helpers.attack_documents import fields_of, valid
from helpers.attack_json import VALUES
from helpers.attack_strings import STRINGS
from helpers.documents import INSIDE
from helpers.instance import PASSWORD

CASES, SEED = int(os.environ.get("REQUEST_CASES", "300")), int(os.environ.get("REQUEST_SEED", "5"))
METHODS = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "get",
    "X" * 50,
]
REDIRECTS = {301, 302, 303, 307, 308}

# -- what is sent ----------------------------------------------------------------------

NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "01",
    "-1",
    "+1",
    "1.0",
    "1e3",
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    "9" * 40,
    "9" * 5000,
    "\u0661",
    "\xb2",
    "1 ",
]
ISBNS = [
    "9780306406157",
    "0306406152",
    "978-0-306-40615-7",
    "030640615X",
    "9780306406158",
    "0-8044-2957-x",
    "isbn",
]
INSTANTS = [
    "2024-01-01T00:00:00Z",
    "2024-01-01",
    "9999-12-31T23:59:60+23:59",
    "0001-01-01T00:00:00+12:00",
]
TAGS = ['"1-1-json"', "*", 'W/"1-1-json"', '"1-1-json", "2-1-xml"', '"', "1-1-json", '""', ","]
TYPES = [
    "application/json",
    "application/xml",
    "text/xml",
    "application/merge-patch+json",
    "text/csv",
    "text/html",
    "application/x-ndjson",
    "application/problem+xml",
    "application/json; charset=utf-16",
    "text/csv; charset=x",
    "text/csv; charset=latin-1",
    "multipart/form-data; boundary=a",
    "application/x-www-form-urlencoded",
    "json",
    "",
]
ACCEPTS = [
    "*/*",
    "application/json",
    "application/xml",
    "text/csv",
    "application/x-ndjson",
    "text/*;q=0.5",
    "a/b",
    "*",
    "application/json;q=0, */*",
    "application/xml;q=x",
    ",",
    "a" * 3000,
    "*/*;q=0",
    "application/problem+xml",
]
SITES = ["same-origin", "none", "same-origin", "cross-site", "x"]
QUERY = [
    "q",
    "title",
    "author",
    "publisher",
    "subject",
    "series",
    "isbn",
    "language",
    "identifier",
    "published_from",
    "published_to",
    "updated_since",
    "sort",
    "limit",
    "page",
    "cursor",
    "fields",
    "facets",
    "state",
    "format",
    "after",
    "mode",
    "dry_run",
    "on_error",
    "strict",
    "action",
    "username",
    "_method",
    "nonsense",
    "",
    "q[]",
    "é",
]
MEANT = [
    "json",
    "xml",
    "csv",
    "jsonl",
    "deleted",
    "*",
    "true",
    "false",
    "upsert",
    "create",
    "skip",
    "abort",
    "id,title",
    "title",
    "-title,id",
    "relevance",
    "language,author",
    "en",
    "isbn:9780306406157",
    "wor*",
    '"two words" -not',
]
WORDS = [*MEANT, *STRINGS, *NUMBERS, *ISBNS, *INSTANTS]


def _mostly(random, usual, other, share=0.8):
    return random.choice(usual if random.random() < share else other)


def _path(random, rule):
    """The route's path with its parameters filled in, right or not; at times something else behind
    it.
    """

    def value(found):
        meant = ISBNS if "isbn" in found[0] else NUMBERS
        return quote(_mostly(random, meant[:4], WORDS, 0.75).encode("utf-8", "replace"), safe="")

    filled = re.sub("<[^>]*>", value, rule.rule)
    behind = _mostly(
        random, [""], ["/", "//", "/x", "%00", "%ff", "/..", ";a=b", ".json", "/%2e%2e/"], 0.95
    )
    return "/" + (filled + behind).lstrip("/")  # two at the beginning would be the name of a host


def _query(random, rule):
    pairs = [
        (random.choice(QUERY), random.choice(WORDS))
        for _ in range(random.choice([0, 0, 1, 1, 2, 3, 8]))
    ]
    encoded = urlencode([(name, value.encode("utf-8", "replace")) for name, value in pairs])
    return encoded + _mostly(
        random, [""], ["&", "&&=", "%", "&a=%ff", "&page=1&page=2", "&=", "&limit"], 0.9
    )


def _header_values(random, world):
    """Names of headers, and what each may be."""
    basic = base64.b64encode(
        random.choice(["admin:" + PASSWORD, "admin:x", ":", "é:\xff", "x" * 2000]).encode()
    )
    word = random.choice(WORDS)
    return {
        "Accept": random.choice(ACCEPTS),
        "If-Match": random.choice(TAGS),
        "If-None-Match": random.choice(TAGS),
        "Idempotency-Key": _mostly(random, ["a", "b", "c"], WORDS),
        "Range": random.choice(["bytes=0-1", "bytes=-1", word]),
        "Authorization": random.choice(
            [
                f"Basic {basic.decode()}",
                "Basic",
                "Basic !",
                "Bearer",
                f"Bearer {word}",
                word,
                "Digest a=b",
                *world.credentials,
            ]
        ),
        "Cookie": random.choice(
            ["bookapi=x", f"bookapi={word}", "__Host-bookapi=a.b.c", "=;=;", "a" * 3000]
        ),
        "Sec-Fetch-Site": random.choice(SITES),
        "Origin": random.choice(["http://localhost", "null", "http://a", word]),
        "Host": _mostly(
            random, ["localhost", "LOCALHOST:80", "[::1]"], ["", "a b", "a,b", "a:99999", word], 0.7
        ),
        "X-Request-ID": word,
        "X-HTTP-Method-Override": "DELETE",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": word,
        "Content-Encoding": random.choice(["", "gzip", word]),
        "Accept-Language": word,
        "Accept-Encoding": "br;q=x",
        "If-Modified-Since": word,
        "Expect": "100-continue",
        "Forwarded": word,
        "Referer": word,
        "User-Agent": word,
    }


def _headers(random, world):
    values = _header_values(random, world)
    chosen = random.sample(sorted(values), random.choice([0, 0, 1, 1, 2, 4]))
    return {
        name: re.sub(r"[\r\n\0]", " ", values[name]).encode("utf-8", "replace").decode("latin-1")
        for name in chosen
    }


def _document(random, root):
    """A document that the route may take, but for some of its fields."""
    document = valid(root)
    for _ in range(random.choice([0, 0, 1, 1, 2])):
        document[random.choice(fields_of(root))] = random.choice([*VALUES, *WORDS])
    for name in random.sample(list(document), random.choice([0, 0, 0, 1])):
        del document[name]
    return document


def _in_xml(tag, value):
    if isinstance(value, dict):
        inner = "".join(_in_xml(name or "x", item) for name, item in value.items())
    elif isinstance(value, list):
        inner = "".join(
            _in_xml("identifier" if tag == "identifiers" else tag.removesuffix("s"), item)
            for item in value
        )
    else:
        inner = "" if value is None else str(value).replace("&", "&amp;").replace("<", "&lt;")
    return f"<{tag}>{inner}</{tag}>"


def _body(random, view):
    """(media type, bytes) of a document of the route's kind, at times spoilt, or of something
    else.
    """
    root = random.choice(getattr(view, "roots", None) or ("book",))
    root = "catalogue" if getattr(view, "imports", False) else root
    kind, document = random.randrange(10), _document(random, root)
    if kind < 5:
        media_type, body = "application/json", json.dumps(document).encode()
    elif kind < 8:
        media_type, body = "application/xml", _in_xml(root, document).encode("utf-8", "replace")
    elif kind == 8:
        media_type, body = (
            "text/csv",
            b"title,authors,isbn\n\xc3\xa9,a | b,\n" + random.randbytes(5),
        )
    else:
        media_type, body = random.choice(TYPES), random.randbytes(random.randint(0, 40))
    for _ in range(random.choice([0, 0, 0, 1, 2])):
        at = random.randint(0, len(body))
        body = (
            body[:at]
            + random.choice([b"", b"\xff", b"<", b"{", b'"', b"\0", b"]"])
            + body[at + random.randint(0, 3) :]
        )
    return _mostly(random, [media_type], TYPES, 0.95), body


# -- who sends it ----------------------------------------------------------------------


class World:
    """One application, and clients of it that are signed in again when one of them was put out."""

    def __init__(self, app):
        self.app, self._numbers = app, count(1)
        self.rules = sorted(
            app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods))
        )
        self._clients, self.credentials, self.reported = {None: app.test_client()}, [], Counter()
        for role in ("member", "admin"):
            self._sign_in(role)
        self._open_token("admin")

    def _sign_in(self, role):
        """As a new account, for the last one may be no more."""
        name = f"{role} {next(self._numbers)}"
        with self.app.app_context():
            db.write(accounts.add, name, passwords.make_hash(PASSWORD), role)
        self._clients[role] = self.app.test_client()
        answer = self.open(
            role, "/auth/login", method="POST", json={"username": name, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def _open_token(self, role):
        """Credentials that are right, where there are tokens."""
        answer = self.open(
            role, "/auth/tokens", method="POST", json={"name": "a", "scope": "write"}
        )
        if answer.status_code == 201:
            self.credentials.append(f"Bearer {answer.json['secret']}")

    def open(self, role, address, **more):
        """From an address of its own each time: who fails often has to wait."""
        number = next(self._numbers)
        peer = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return self._clients[role].open(address, environ_overrides={"REMOTE_ADDR": peer}, **more)

    def send(self, role, address, **more):
        """The answer and its body; a client that was put out by it, or by one before, is signed in
        anew.
        """
        answer = self.open(role, address, **more)
        body = answer.get_data()
        self.reported[answer.status_code] += 1
        put_out = answer.status_code == 401 and not {"Authorization", "Cookie"} & set(
            more.get("headers", ())
        )
        if role and (
            put_out or self.reported.total() % 100 == 0
        ):  # at times, too, for it may have got another role
            self._sign_in(role)
        return answer, body


def _invented(number, world):
    """(role, address, all else) of a request: each is made of one number, for Hypothesis takes long
    to draw as much.
    """
    random = Random(number)
    rule = random.choice(world.rules)
    methods = sorted(rule.methods - {"HEAD", "OPTIONS"})
    media_type, body = _body(random, world.app.view_functions[rule.endpoint])
    if random.random() < 0.4:  # as it is meant, but for the document
        more = {"method": random.choice(methods), "data": body, "content_type": media_type}
        return "admin", _path(random, rule), more
    method = _mostly(random, methods, METHODS, 0.7)
    has_body = random.random() < (0.9 if method in ("POST", "PUT", "PATCH") else 0.1)
    more = {
        "method": method,
        "query_string": _query(random, rule),
        "headers": _headers(random, world),
    }
    return (
        random.choice([None, "member", "admin"]),
        _path(random, rule),
        {**more, "data": body, "content_type": media_type} if has_body else more,
    )


# -- what is answered ------------------------------------------------------------------

CARRIED = (
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Content-Security-Policy",
    "X-Request-ID",
    "Cache-Control",
)
WITH = {
    401: "WWW-Authenticate",
    405: "Allow",
    415: "Accept",
    429: "Retry-After",
    201: "Content-Type",
}


def _check(method, answer, body, sent):
    """Fails for an undocumented response; `sent`: the whole request, as text."""
    status = answer.status_code
    assert status < 500
    if status in REDIRECTS:
        _check_redirect(method, answer, body)
        return
    assert all(answer.headers.get(name) for name in CARRIED) and "Server" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert status not in WITH or answer.headers.get(WITH[status])
    assert all(character.isprintable() for _, value in answer.headers for character in value)
    if method == "HEAD" or status in (204, 304):
        assert body == b""
    elif status >= 400:
        _check_problem(answer, body, sent)
    elif body:
        _parsed(answer.mimetype, body)


def _check_redirect(method, answer, body):
    """The only redirect removes a trailing slash of a path on this host. docs/api.md, Resources."""
    assert (answer.status_code, method.upper() in ("GET", "HEAD"), body) == (308, True, b"")
    path = urlsplit(answer.headers["Location"]).path
    assert quote(unquote(answer.request.path), safe="") == quote(unquote(path) + "/", safe="")
    assert urlsplit(answer.headers["Location"]).netloc == answer.request.host


def _parsed(mimetype, body):
    if mimetype.endswith("json"):
        return orjson.loads(body)
    if mimetype.endswith("xml"):
        return etree.fromstring(body)
    text = body.decode()
    if mimetype == "application/x-ndjson":
        return [orjson.loads(line) for line in text.splitlines()]
    assert mimetype in (
        "text/csv",
        "text/html",
        "text/plain",
        "text/css",
        "application/javascript",
    ), mimetype
    return text


def _check_problem(answer, body, sent):
    assert answer.mimetype in ("application/problem+json", "application/problem+xml")
    problem = _parsed(answer.mimetype, body)
    status = problem["status"] if isinstance(problem, dict) else problem.findtext("{*}status")
    assert int(status) == answer.status_code
    reported = {found.lower() for found in INSIDE.findall(body.decode())}
    assert all(found in sent for found in reported), reported


@pytest.mark.parametrize(
    "address", ["/books//export", "/books//1", "/auth//me", "/books//", "/nothing/"]
)
def test_a_path_with_doubled_or_unknown_parts_is_a_404_and_no_redirect(client, address):
    answer = client.get(address)
    assert "Location" not in answer.headers
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize("address", ["/books/", "/books/1/", "/auth/me/"])
def test_a_trailing_slash_is_redirected_on_the_same_host_for_get_only(client, address):
    answer = client.get(address)
    _check_redirect("GET", answer, answer.data)
    answer = client.post(address)
    assert (answer.status_code, "Location" in answer.headers) == (404, False)


@pytest.mark.slow
def test_any_request_gets_a_documented_response(app):
    world = World(app)

    @settings(
        max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @seed(SEED)
    @given(st.integers(0, 2**64 - 1))
    def check(number):
        role, address, more = _invented(number, world)
        answer, body = world.send(role, address, **more)
        sent = repr((address, more)).lower()
        try:
            _check(more["method"], answer, body, sent)
        except Exception as error:
            reported = (role, more, address, answer.status, dict(answer.headers), body[:1000])
            raise AssertionError(reported) from error

    check()
    assert {200, 201, 400, 401, 403, 404, 405, 406, 415, 422} <= set(world.reported), world.reported
