"""Each endpoint is declared once, beside its view: who may use it, what it takes and what it gives.

    @blueprint.get("")
    @endpoint(Access.READER, "catalogue", streams=True)
    def read_list(): ...

Authorization, content negotiation, the reading of bodies and query strings, the service document at
`/`, `bookapi routes`, the table in docs/api.md, OpenAPI and the XSD read the declaration. An
application with a view that has none, or a wrong one, does not start (default deny).

`body=schema` is what `bodies.load_body()` checks; `status=201, errors=(409,)` what the response may
be, beside what `Endpoint.failures` knows.
"""

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from flask import Flask, Response, after_this_request
from marshmallow import Schema
from werkzeug.http import http_date

from ..schemas import DOCUMENTS

View = Callable[..., Any]


class Access(StrEnum):
    """Who may use an endpoint."""

    ANYONE = "anyone"
    READER = "reader"  # anyone while PUBLIC_READ is true, else whoever is signed in
    SIGNED_IN = "signed in"
    IN_SESSION = "signed in, no token"
    ADMIN = "admin"
    ADMIN_IN_SESSION = "admin, no token"


class Cost(StrEnum):
    """Why an endpoint is expensive: each kind has a limit of how many run at a time."""

    HASHING = "hashing"  # a password hash
    EXPORT = "export"
    IMPORT = "import"
    TERMS = "terms"  # a count over the whole catalogue


class Form(NamedTuple):
    """The form of a page that posts to an endpoint (docs/api.md, HTML). `page`: the template that
    has it, and shows what is wrong; `then`: where a browser goes after success, with members of the
    result in braces (None: the view's own answer is shown); `only`: no other body is read.
    """

    page: str
    then: str | None = None
    only: bool = False


class Deprecation(NamedTuple):
    """A deprecation: since when it is known, when the endpoint is removed (`sunset`), and a page
    that says what to use instead (RFC 9745, RFC 8594).
    """

    since: datetime
    sunset: datetime
    link: str

    def headers(self) -> list[tuple[str, str]]:
        """The headers of each response."""
        return [
            ("Deprecation", f"@{int(self.since.timestamp())}"),
            ("Sunset", http_date(self.sunset)),
            ("Link", f'<{self.link}>; rel="deprecation"'),
        ]


Body = Mapping[str, Schema]  # root element → what a body with it may have


class Endpoint(NamedTuple):
    """A declaration. `resource`: the name of the result's schema, the root element in XML (None: no
    negotiated format). The name of the view and its docstring describe it.
    """

    access: Access
    resource: str | None = None
    body: Body = {}
    query: Schema | None = None  # parameters; None: none but `format`
    status: tuple[int, ...] = (200,)  # of success
    errors: tuple[int, ...] = ()  # beside those that follow from the rest, see `failures`
    sends: str | None = None  # the media type, where no format is negotiated
    etag: bool = False  # reads: with an ETag; changes: If-Match is honoured
    idempotent: bool = False  # Idempotency-Key is honoured
    streams: bool = False  # the result is a list of books, in any format that writes those
    imports: bool = False  # the body is a list of books, in any format that reads those
    cost: Cost | None = None
    link: str | None = None  # its name in the service document, if not the last part of the path
    any_host: bool = False  # answered whatever the Host header says
    form: Form | None = None
    page_only: bool = False  # HTML is its only format; clients of data do not know it
    has_page: bool = True  # HTML is one of its formats
    deprecation: Deprecation | None = None

    @property
    def roots(self) -> tuple[str, ...]:
        """The root elements that a body may have."""
        return tuple(self.body) or ((self.resource,) if self.resource else ())

    def failures(self, method: str, path: str) -> list[int]:
        """Every status of a problem that this may end in, in order."""
        reads = method in ("GET", "HEAD")
        has_body = bool(self.body or self.imports)
        possible = {
            **dict.fromkeys((400, 401, 403, 414, 429, 500, 503), True),
            404: "<" in path,
            406: self.resource is not None,
            413: has_body,
            415: has_body,
            422: has_body or self.idempotent,
            409: self.idempotent,
            412: self.etag and not reads,
            428: self.etag and not reads and method != "POST",
            507: not reads or self.cost is Cost.EXPORT,
        }
        return sorted({*self.errors, *(status for status, may in possible.items() if may)})


def endpoint(
    access: Access,
    resource: str | None = None,
    body: Schema | Body | None = None,
    status: int | tuple[int, ...] = 200,
    **options: Any,
) -> Callable[[View], View]:
    """Declare a view; see `Endpoint`. `body`: a schema is that of the resource's root element."""
    if isinstance(body, Schema):
        body = {resource or "": body}
    statuses = (status,) if isinstance(status, int) else status
    declared = Endpoint(access, resource, body or {}, status=statuses, **options)

    def declare(view: View) -> View:
        if declared.deprecation is not None:
            view = _announced(view, declared.deprecation)
        view.declaration = declared  # type: ignore[attr-defined]
        return view

    return declare


def _announced(view: View, deprecation: Deprecation) -> View:
    """The view, whose responses say that it is deprecated. (No other request pays for this.)"""

    @functools.wraps(view)
    def deprecated(*args: Any, **kwargs: Any) -> Any:
        @after_this_request
        def announce(response: Response) -> Response:
            for header in deprecation.headers():
                response.headers.add(*header)
            return response

        return view(*args, **kwargs)

    return deprecated


def declaration_of(view: View) -> Endpoint | None:
    """A view's declaration."""
    return getattr(view, "declaration", None)


def routes(app: Flask) -> list[tuple[str, list[str], Endpoint]]:
    """(path, methods without HEAD and OPTIONS, declaration) of every route, in the order of their
    paths.
    """
    found = [
        (
            rule.rule,
            sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"}),
            declaration_of(app.view_functions[rule.endpoint]),
        )
        for rule in app.url_map.iter_rules()
    ]
    declared = [(path, methods, known) for path, methods, known in found if known is not None]
    return sorted(declared, key=lambda route: route[:2])


def requests_costing(app: Flask, cost: Cost) -> frozenset[tuple[str, str]]:
    """(method, path) of every endpoint with this cost whose path has no variables."""
    return frozenset(
        (method, path)
        for path, methods, declared in routes(app)
        for method in (*methods, *(["HEAD"] if "GET" in methods else []))
        if declared.cost is cost
    )


def linked(app: Flask) -> dict[str, str]:
    """{name: path} of what the service document links to: every path without variables, two parts
    at most.
    """
    paths = {}
    for path, _, declared in routes(app):
        if "<" in path or path == "/" or declared.page_only:
            continue
        if len(path.strip("/").split("/")) <= 2:
            paths[declared.link or path.rpartition("/")[2]] = path
    return paths


def check(app: Flask) -> None:
    """Raise RuntimeError for a view without a declaration, or with a wrong one; it names the
    view.
    """
    missing = [name for name, view in app.view_functions.items() if not declaration_of(view)]
    if missing:
        raise RuntimeError(f"views without @endpoint(…): {', '.join(missing)}")
    for name, view in app.view_functions.items():
        fault = _fault(declaration_of(view))  # type: ignore[arg-type]
        if fault:
            raise RuntimeError(f"wrong @endpoint(…) of {name}: {fault}")


def _fault(declared: Endpoint) -> str | None:
    """What is wrong with a declaration."""
    statuses = (*declared.status, *declared.errors)
    twice = [status for status in statuses if statuses.count(status) > 1]
    unknown = [
        name for name in (declared.resource, *declared.body) if name and name not in DOCUMENTS
    ]
    schemas = [declared.query or Schema(), *declared.body.values()]
    if declared.access not in list(Access):
        return f"{declared.access!r} is no access"
    if unknown:
        return f"there is no schema named {unknown[0]}"
    if twice:
        return f"the status {twice[0]} is named twice"
    if not all(isinstance(schema, Schema) for schema in schemas):
        return "body and query are instances of marshmallow schemas"
    return None
