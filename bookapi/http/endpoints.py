"""Each endpoint is declared once, beside its view: who may use it, what it takes and what it gives.

    @blueprint.get("")
    @endpoint(Access.READER, "catalogue", streams=True)
    def read_list(): ...

Authorization, content negotiation, the service document at `/` and `bookapi routes` read the
declaration. An application with a view that has none does not start (default deny).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

from flask import Flask
from flask.globals import request_ctx

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


class Endpoint(NamedTuple):
    """A declaration. `resource`: the XML root of the result (None: no negotiated format)."""

    access: Access
    resource: str | None = None
    body: tuple[str, ...] = ()  # root elements that a request body may have
    streams: bool = False  # the result is a list of books, in any format that writes those
    imports: bool = False  # the body is a list of books, in any format that reads those
    cost: Cost | None = None
    link: str | None = None  # its name in the service document, if not the last part of the path
    any_host: bool = False  # answered whatever the Host header says
    form: Form | None = None
    page_only: bool = False  # HTML is its only format; clients of data do not know it
    has_page: bool = True  # HTML is one of its formats


def endpoint(
    access: Access, resource: str | None = None, body: tuple[str, ...] = (), **options: Any
) -> Callable[[View], View]:
    """Declare a view; see `Endpoint`. `body`: default is the resource."""
    declared = Endpoint(access, resource, body or ((resource,) if resource else ()), **options)

    def declare(view: View) -> View:
        view.declaration = declared  # type: ignore[attr-defined]
        return view

    return declare


def declaration_of(view: View) -> Endpoint | None:
    """The declaration of a view function."""
    return getattr(view, "declaration", None)


def current_endpoint() -> Endpoint | None:
    """The declaration of the view that this request is for; None where no route matched."""
    matched = (
        request_ctx.request.endpoint
    )  # `request` and `current_app` are slower: each is a proxy
    return None if matched is None else declaration_of(request_ctx.app.view_functions[matched])


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
    """Raise RuntimeError for a view without a declaration."""
    missing = [name for name, view in app.view_functions.items() if not declaration_of(view)]
    if missing:
        raise RuntimeError(f"views without @endpoint(…): {', '.join(missing)}")
