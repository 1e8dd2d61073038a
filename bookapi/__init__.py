"""bookapi: a book catalogue service for small teams."""

from collections.abc import Mapping
from typing import Any

from . import auth, books, config, db, logs, site
from .app import BookApi
from .http import (
    cache,
    conditional,
    endpoints,
    idempotency,
    negotiation,
    problems,
    routing,
    security,
)

__version__ = "0.1.0"

# The first checks of a request, in the order of docs/api.md, Order of checks; those of `auth`
# follow.
CHECKS = (
    security.check_host,
    routing.check_route,
    negotiation.choose,
    security.refuse_cross_site,
)
PARTS = (logs, db, problems, routing, security, conditional, auth, idempotency, books, site, cache)


def create_app(settings: Mapping[str, Any] | None = None) -> BookApi:
    """The application. `settings` (names without BOOKAPI_) override the environment. The database
    is not touched.
    """
    app = BookApi(__name__, instance_path=config.instance_path(settings), static_folder=None)
    config.init_app(app, settings)
    app.config["VERSION"] = __version__
    for check in CHECKS:
        app.before_request(check)
    for part in PARTS:
        part.init_app(app)
    endpoints.check(app)
    return app
