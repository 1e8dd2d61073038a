"""``bookapi check-api URL``: whether a deployment keeps what docs/api.md says, through all that
stands in front of it.

Each check of CHECKS (and of WRITES, with --write) takes a `Service` and raises `Wrong` with what
is wrong and what to mend.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from email.message import Message
from typing import Any, NamedTuple

import click
from lxml import etree

from ..cli import command

SECONDS = 30  # for one request
PROXY = "the proxy must pass it on as it is"


class Wrong(Exception):
    """What is wrong, and what to mend."""


class Answer(NamedTuple):
    """A response; header names in any case."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body as data."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Wrong(f"a body is no JSON; {PROXY}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Service:
    """A deployment at an address, asked with a token if there is one."""

    def __init__(self, url: str, token: str | None):
        self.url, self.token = url.rstrip("/"), token
        self._opener = urllib.request.build_opener(_NoRedirect)

    def ask(self, path: str, method: str = "GET", data: Any = None, **headers: Any) -> Answer:
        """The response; `headers` with _ for -, None: without it; data is sent as JSON."""
        given = {"Authorization": f"Bearer {self.token}" if self.token else None}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if data is None else json.dumps(data).encode()
        if body is not None:
            given["Content-Type"] = "application/json"
        sent = {name: value for name, value in given.items() if value is not None}
        request = urllib.request.Request(self.url + path, body, sent, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=SECONDS) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())
        except OSError as error:
            raise Wrong(f"no answer: {error}; is the address right?") from None

    def get(self, path: str, status: int = 200, **headers: Any) -> Answer:
        """The response to a GET; Wrong with another status."""
        return expect(self.ask(path, **headers), status, f"GET {path}")


def expect(answer: Answer, status: int, what: str) -> Answer:
    """The answer; Wrong if it has another status."""
    if answer.status != status:
        hint = "give a token: --token-stdin" if answer.status == 401 else PROXY
        raise Wrong(f"{what} is a {answer.status}, not a {status}; {hint}")
    return answer


def expect_header(answer: Answer, name: str, part: str) -> None:
    """Wrong if the header does not have this in it."""
    found = answer.headers.get(name) or ""
    if part not in found:
        raise Wrong(f"{name} is {found!r}, without {part!r}; {PROXY}")


def health(service: Service) -> None:
    """alive and ready"""
    service.get("/healthz")
    service.get("/readyz")


def formats(service: Service) -> None:
    """JSON and XML by Accept and by ?format="""
    for path, accept, wanted in (
        ("/books?limit=1", None, "application/json"),
        ("/books?limit=1", "application/xml", "application/xml"),
        ("/books?limit=1&format=xml", "application/json", "application/xml"),
    ):
        answer = service.get(path, Accept=accept)
        expect_header(answer, "Content-Type", wanted)
        expect_header(answer, "Vary", "Accept")
    expect(service.ask("/books", Accept="image/png"), 406, "GET /books as a picture")


def documents(service: Service) -> None:
    """the XSD is there, and XML is valid by it; OpenAPI"""
    schema = etree.XMLSchema(etree.fromstring(service.get("/schemas/bookapi.xsd").body))
    for path in ("/", "/books?limit=5"):
        document = etree.fromstring(service.get(path, Accept="application/xml").body)
        if not schema.validate(document):
            said = str(schema.error_log).splitlines()[0]
            raise Wrong(f"{path} is not valid by the XSD: {said}; {PROXY}")
    if not service.get("/openapi.json").json.get("openapi", "").startswith("3."):
        raise Wrong(f"/openapi.json is no OpenAPI document; {PROXY}")


def errors(service: Service) -> None:
    """failures are problems (RFC 9457), by any format"""
    for path, status in (("/nonsense", 404), ("/books?limit=0", 400)):
        for kind in ("json", "xml"):
            answer = service.get(path, status, Accept=f"application/{kind}")
            hint = "the proxy must not put its own error pages in the place of these"
            if f"problem+{kind}" not in (answer.headers.get("Content-Type") or ""):
                raise Wrong(f"the {status} of {path} is no problem document; {hint}")
    answer = expect(service.ask("/books", "DELETE"), 405, "DELETE /books")
    expect_header(answer, "Allow", "GET")


def etags(service: Service) -> None:
    """ETag and 304, compressed too"""
    for encoding in ("identity", "gzip"):
        tag = service.get("/books?limit=1", Accept_Encoding=encoding).headers.get("ETag")
        if not tag:
            raise Wrong(f"GET /books has no ETag ({encoding}); {PROXY}")
        again = service.ask("/books?limit=1", Accept_Encoding=encoding, If_None_Match=tag)
        expect(again, 304, "GET /books with If-None-Match")


def links(service: Service) -> None:
    """links lead back to this address"""
    found = service.get("/books?limit=1").json["links"]["self"]
    if found != f"{service.url}/books?limit=1":
        raise Wrong(
            f"links begin with {found.partition('/books')[0]}, not {service.url}; the proxy must "
            "send X-Forwarded-Proto, -Host and -Prefix, and TRUSTED_PROXY name it"
        )
    answer = service.get("/books/", 308)
    expect_header(answer, "Location", f"{service.url}/books")


def headers(service: Service) -> None:
    """the headers of every response"""
    mark = uuid.uuid4().hex
    answer = service.get("/books?limit=1", X_Request_ID=mark)
    expect_header(answer, "X-Request-ID", mark)
    expect_header(answer, "X-Content-Type-Options", "nosniff")
    expect_header(answer, "Content-Security-Policy", "default-src")
    if any(character.isdigit() for character in answer.headers.get("Server") or ""):
        raise Wrong("Server tells a version; NGINX: server_tokens off")


def methods(service: Service) -> None:
    """HEAD and OPTIONS"""
    answer = expect(service.ask("/books?limit=1", "HEAD"), 200, "HEAD /books")
    if answer.body or not answer.headers.get("ETag"):
        raise Wrong(f"HEAD /books has a body or no ETag; {PROXY}")
    answer = service.ask("/books", "OPTIONS")
    expect_header(answer, "Allow", "POST")


def limits(service: Service) -> None:
    """limits and odd characters reach the service"""
    service.get("/books?q=" + "x" * 2001, 400)
    service.get("/books?title=" + urllib.parse.quote("Ödön % + / 漢字") + "&limit=1")
    service.get("/books/%2e%2e/nonsense", 404)


def signing_in(service: Service) -> None:
    """Authorization reaches the service"""
    answer = service.get("/auth/me", 401, Authorization="Bearer nonsense")
    expect_header(answer, "WWW-Authenticate", "Bearer")
    if service.token:
        service.get("/auth/me")


def writing(service: Service) -> None:
    """adding, changing and deleting a book (it stays in the trash)"""
    key, book = uuid.uuid4().hex, {"title": f"check-api {uuid.uuid4()}"}
    first = expect(service.ask("/books", "POST", book, Idempotency_Key=key), 201, "POST /books")
    again = expect(service.ask("/books", "POST", book, Idempotency_Key=key), 201, "POST /books")
    path = f"/books/{first.json['id']}"
    if first.json != again.json:
        raise Wrong(f"an Idempotency-Key has no effect; {PROXY}")
    expect_header(first, "Location", service.url + path)
    tag = first.headers.get("ETag")
    change = {"pages": 1}
    expect(service.ask(path, "PATCH", change, If_Match=tag), 200, f"PATCH {path}")
    expect(service.ask(path, "PATCH", {"pages": 2}, If_Match=tag), 412, "PATCH with an old ETag")
    expect(service.ask(path, "PUT", {"titel": "x"}), 422, "PUT of an unknown field")
    expect(service.ask(path, "DELETE", If_Match="*"), 204, f"DELETE {path}")
    service.get(path, 410)


Check = Callable[[Service], None]
CHECKS: tuple[Check, ...] = (
    health,
    formats,
    documents,
    errors,
    etags,
    links,
    headers,
    methods,
    limits,
    signing_in,
)
WRITES: tuple[Check, ...] = (writing,)


@command("check-api")
@click.argument("url")
@click.option("--write", is_flag=True, help="Also add, change and delete a book.")
@click.option("--token-stdin", is_flag=True, help="Read an API token from standard input.")
def check_api(url: str, write: bool, token_stdin: bool) -> None:
    """Check a deployment at URL against docs/api.md, through its proxy. Read-only without
    --write.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise click.BadParameter("must be an http or https address", param_hint="URL")
    token = sys.stdin.readline().strip() if token_stdin else None
    service, wrong = Service(url, token), 0
    for each in CHECKS + WRITES if write else CHECKS:
        try:
            each(service)
            click.echo(f"ok     {each.__doc__}")
        except Wrong as error:
            wrong += 1
            click.echo(f"wrong  {each.__doc__}: {error}")
    if wrong:
        raise click.ClickException(f"{wrong} of the checks failed")
