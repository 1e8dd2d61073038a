"""bookapi: a book catalogue service for small teams."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .http.negotiation import Service

__version__ = "0.1.0"


def create_app(settings: Mapping[str, Any] | None = None) -> "Service":
    """The application. `settings` (names without BOOKAPI_) are stronger than the environment.

    The database is not touched. The parts are imported here, so that `bookapi serve` begins without
    them.
    """
    from . import auth, books, config, db, logs, site
    from .auth import permissions
    from .http import (
        cache,
        idempotency,
        load,
        lru,
        negotiation,
        pagination,
        problems,
        proxy,
        security,
        strict,
    )

    app = negotiation.Service(
        __name__, instance_path=config.instance_path(settings), static_folder=None
    )
    config.init_app(app, settings)
    app.config["VERSION"] = __version__
    for part in (
        logs,
        lru,
        db,
        negotiation,
        security,
        problems,
        pagination,
        auth,
        idempotency,
        books,
        site,
        cache,
        load,
        proxy,
        strict,
    ):
        part.init_app(app)
    permissions.check(app)
    return app
