"""The documents over HTTP: /openapi.json, /docs, /schemas. Open to anyone, also when the catalogue
is not: nothing here is about its contents.
"""

import functools
from html import escape
from importlib.resources import files

from flask import Blueprint, current_app
from werkzeug.exceptions import NotFound

from ...http.cache import ALWAYS, DataResponse
from ...http.conditional import digest_etag
from ...http.endpoints import Access, endpoint
from ...http.problems import TYPE_PREFIX, TYPES
from . import CONTRACT, Contract

blueprint = Blueprint("contract", __name__)

HTML, JAVASCRIPT = "text/html", "text/javascript"
# Swagger UI shows pictures that are within its style sheet as data: addresses.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": JAVASCRIPT,
    "favicon-32x32.png": "image/png",
}
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="{docs}/swagger-ui.css">
<link rel="icon" href="{docs}/favicon-32x32.png"></head>
<body>{body}</body></html>
"""
# A file of its own: the policy allows no script within a page. Addresses are relative to /docs.
START = b"""SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
  tryItOutEnabled: true, displayRequestDuration: true, docExpansion: "list"
});
"""


def _fixed(body: bytes, media_type: str) -> DataResponse:
    """What stays as it is until the service is restarted."""
    headers = {"Content-Type": media_type, "ETag": _etag(body), "Content-Length": str(len(body))}
    if media_type.startswith("text/"):
        headers |= {
            "Content-Type": f"{media_type}; charset=utf-8",
            "Content-Security-Policy": POLICY,
        }
    response = DataResponse([body], 200, headers)
    response.body, response.policy = body, ALWAYS
    return response


_etag = functools.lru_cache(maxsize=32)(digest_etag)


def _contract() -> Contract:
    made: Contract = current_app.extensions[CONTRACT]
    return made


@blueprint.get("/openapi.json")
@endpoint(Access.ANYONE, sends="application/json", etag=True, link="openapi")
def openapi() -> DataResponse:
    """The OpenAPI document."""
    return _fixed(_contract().openapi, "application/json")


@blueprint.get("/schemas/bookapi.xsd")
@endpoint(Access.ANYONE, sends="application/xml", etag=True, link="schema")
def xsd() -> DataResponse:
    """The XSD of all documents but problems."""
    return _fixed(_contract().xsd, "application/xml")


@blueprint.get("/schemas/book.json")
@endpoint(Access.ANYONE, sends="application/schema+json", etag=True, link="book_schema")
def book() -> DataResponse:
    """The JSON Schema of a book."""
    return _fixed(_contract().book, "application/schema+json")


@blueprint.get("/docs")
@endpoint(Access.ANYONE, sends=HTML, etag=True)
def docs() -> DataResponse:
    """Every endpoint, to read about and to try."""
    scripts = "".join(
        f'<script src="docs/{name}"></script>' for name in ("swagger-ui-bundle.js", "start.js")
    )
    body = f'<div id="swagger-ui"></div>{scripts}'
    return _fixed(PAGE.format(title="bookapi", docs="docs", body=body).encode(), HTML)


@blueprint.get("/docs/<name>")
@endpoint(Access.ANYONE, sends=JAVASCRIPT, etag=True)
def asset(name: str) -> DataResponse:
    """A file of the page at /docs."""
    if name == "start.js":
        return _fixed(START, JAVASCRIPT)
    if name not in ASSETS:
        raise NotFound
    return _fixed(_swagger_ui(name), ASSETS[name])


@functools.cache
def _swagger_ui(name: str) -> bytes:
    return (files("flask_swagger_ui") / "dist" / name).read_bytes()


@blueprint.get("/docs/problems")
@endpoint(Access.ANYONE, sends=HTML, etag=True)
def problems() -> DataResponse:
    """The types of problems."""
    rows = "".join(f'<li><a href="problems/{name}">{name}</a></li>' for name in TYPES)
    body = f"<main><h1>Problem types</h1><ul>{rows}</ul></main>"
    return _fixed(PAGE.format(title="Problem types", docs=".", body=body).encode(), HTML)


@blueprint.get("/docs/problems/<name>")
@endpoint(Access.ANYONE, sends=HTML, etag=True)
def problem(name: str) -> DataResponse:
    """A type of problems: its status, and what to do."""
    if name not in TYPES:
        raise NotFound
    status, meaning = TYPES[name]
    said = f"<p>Status {status}. {escape(meaning)}</p>"
    body = (
        f'<main><h1>{TYPE_PREFIX}{name}</h1>{said}<p><a href="../problems">all types</a></p></main>'
    )
    return _fixed(PAGE.format(title=name, docs="..", body=body).encode(), HTML)
