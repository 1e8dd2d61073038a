"""The application: its parts, and the order in which they see a request."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, current_app

from . import __version__, auth, books, config, db, logs, pages, site
from .app import BookApi
from .auth import permissions
from .http import (
    cache,
    cors,
    counting,
    endpoints,
    idempotency,
    load,
    negotiation,
    parameters,
    problems,
    proxy,
    routing,
    security,
    spool,
    strict,
)
from .http.request import Request, current_request
from .http.security import SAFE_METHODS
from .pages import forms

# What a request passes before its view, in the order of docs/api.md, Order of checks.
CHECKS: tuple[Callable[[Request], Response | None], ...] = (
    strict.refuse,
    security.check_host,
    routing.check_route,
    negotiation.choose,
    security.refuse_cross_site,
    permissions.authorize,
    parameters.refuse_unknown_parameters,
    forms.check,
    load.take_slot,
)
_OF_CHANGES = (security.refuse_cross_site, forms.check)
CHECKS_OF_READS = tuple(check for check in CHECKS if check not in _OF_CHANGES)
PARTS = (
    logs,
    db,
    problems,
    routing,
    security,
    auth,
    idempotency,
    books,
    site,
    pages,
    cache,
    spool,
)
MIDDLEWARES = (load, cors, counting, proxy, strict)  # the last is the outermost


def check_request() -> Response | None:
    """Run the checks; the response of one that has one is sent in place of the view's."""
    request = current_request()
    request.begun = time.perf_counter()
    if request.endpoint is not None:
        request.declared = endpoints.declaration_of(current_app.view_functions[request.endpoint])
    for check in CHECKS if request.method not in SAFE_METHODS else CHECKS_OF_READS:
        if (response := check(request)) is not None:
            return response
    return None


def finish_response(response: Response) -> Response:
    """Count a response, and add the headers that the view did not set."""
    request = current_request()
    counting.count(request, response)
    cache.add_headers(request, response)
    security.add_headers(request, response)
    return response


def create_app(settings: Mapping[str, Any] | None = None) -> BookApi:
    """The application. `settings` (names without BOOKAPI_) override the environment. The database
    is not touched.
    """
    app = BookApi("bookapi", instance_path=config.instance_path(settings), static_folder=None)
    config.init_app(app, settings)
    app.config["VERSION"] = __version__
    app.before_request(check_request)
    app.after_request(finish_response)
    for part in (*PARTS, *MIDDLEWARES):
        part.init_app(app)
    endpoints.check(app)
    site.publish(app)
    return app
