"""The application: its parts, and the order in which they see a request."""

from collections.abc import Mapping
from typing import Any

from . import __version__, auth, books, config, db, logs, pages, site
from .app import BookApi
from .http import (
    cache,
    conditional,
    cors,
    counting,
    endpoints,
    idempotency,
    load,
    negotiation,
    problems,
    proxy,
    routing,
    security,
    spool,
    strict,
)

# The first checks of a request, in the order of docs/api.md, Order of checks; then those of `auth`.
CHECKS = (
    counting.begin,
    strict.refuse,
    security.check_host,
    routing.check_route,
    negotiation.choose,
    security.refuse_cross_site,
)
PARTS = (
    logs,
    db,
    problems,
    routing,
    security,
    conditional,
    auth,
    idempotency,
    books,
    site,
    pages,
    cache,
    spool,
)
MIDDLEWARES = (load, cors, counting, proxy, strict)  # the last is the outermost


def create_app(settings: Mapping[str, Any] | None = None) -> BookApi:
    """The application. `settings` (names without BOOKAPI_) override the environment. The database
    is not touched.
    """
    app = BookApi("bookapi", instance_path=config.instance_path(settings), static_folder=None)
    config.init_app(app, settings)
    app.config["VERSION"] = __version__
    for check in CHECKS:
        app.before_request(check)
    for part in (*PARTS, *MIDDLEWARES):
        part.init_app(app)
    endpoints.check(app)
    site.publish(app)
    return app
