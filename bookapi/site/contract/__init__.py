"""What clients can rely on, as documents for machines and people, made once from the declarations
of the endpoints: OpenAPI, the XSD, a JSON Schema, /docs.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from flask import Flask

from ...books.schemas import book_schema
from ...http.endpoints import declaration_of, routes
from .json_schema import object_schema
from .openapi import is_described, openapi
from .xsd import xsd

CONTRACT = "bookapi.contract"  # in the application's extensions


class Contract(NamedTuple):
    """The documents, as they are sent."""

    openapi: bytes
    xsd: bytes
    book: bytes  # JSON Schema


def publish(app: Flask) -> None:
    """Make the documents of an application whose views are all there."""
    views = tuple(
        (path, method, name, app.view_functions[name])
        for path, methods, name in _named_routes(app)
        for method in methods
    )
    app.extensions[CONTRACT] = _made(views, app.config["COOKIE_NAME"])


def _named_routes(app: Flask) -> list[tuple[str, list[str], str]]:
    names = {}
    for rule in app.url_map.iter_rules():
        for method in rule.methods or ():
            names[rule.rule, method] = rule.endpoint
    return [(path, methods, names[path, methods[0]]) for path, methods, _ in routes(app)]


@lru_cache(maxsize=1)  # applications of one process have the same views
def _made(views: tuple[tuple[str, str, str, Callable[..., Any]], ...], cookie: str) -> Contract:
    names = [name for _, _, name, _ in views]
    declared = []
    for path, method, name, view in views:
        known = declaration_of(view)
        operation = name.replace(".", "_")
        if names.count(name) > 1:
            operation += "_" + path.rpartition("/")[2]
        if known is not None and is_described(known):
            declared.append((path, method, operation, known, view.__doc__ or name))
    bodies = [body for *_, known, _ in declared for body in known.body.items() if body[0]]
    book = object_schema(
        book_schema, False, lambda schema, sent: object_schema(schema, sent, lambda *_: {})
    )
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Book"}
    return Contract(
        orjson.dumps(openapi(declared, cookie), option=orjson.OPT_NON_STR_KEYS),
        xsd(bodies),
        orjson.dumps({**head, **book}),
    )
