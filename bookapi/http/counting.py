"""Counts requests for GET /metrics, and writes the access log.

Labels have a bounded number of values: routes as they are declared, never paths; known methods.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response

from .. import metrics
from ..logs import REQUEST_ID
from .conditional import is_not_modified
from .request import Request

ROUTE = "bookapi.route"  # in the environ, once a response is made
USER = "bookapi.user"  # in the environ, once the client is known
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_requests = functools.cache(metrics.REQUESTS.labels)
_seconds = functools.cache(metrics.SECONDS.labels)


def count(request: Request, response: Response) -> None:
    """Count the request by its response."""
    environ = request.environ
    route = environ[ROUTE] = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in _METHODS else "other"
    status = response.status_code
    if status == 200 and is_not_modified(environ, response.headers.get("ETag")):
        status = 304  # as it is sent
    _requests(method, route, str(status)).inc()
    if request.begun is not None:
        _seconds(route).observe(time.perf_counter() - request.begun)


class AccessLog:
    """The WSGI application, with a line in the log for each request; the query is not in it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], logger: logging.Logger):
        self._app, self._logger = app, logger

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        begun = time.perf_counter()
        sent: dict[str, str] = {}
        path = environ["PATH_INFO"]

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            sent.update(headers, status=status)
            return start_response(status, headers, *more)

        chunks = self._app(environ, start)
        length = sum(map(len, chunks)) if isinstance(chunks, list) else sent.get("Content-Length")
        fields = {
            "method": environ["REQUEST_METHOD"],
            "path": path.encode("latin-1").decode("utf-8", "replace"),
            "status": int(sent["status"][:3]),
            "bytes": None if length is None else int(length),
            "milliseconds": round((time.perf_counter() - begun) * 1000, 1),
            "request_id": sent.get(REQUEST_ID),
            "user": environ.get(USER),
        }
        self._logger.info("access", extra={"event": fields})
        return chunks


def init_app(app: Flask) -> None:
    """Log all requests where ACCESS_LOG says so."""
    if app.config["ACCESS_LOG"]:
        app.wsgi_app = AccessLog(app.wsgi_app, app.logger)  # type: ignore[method-assign]
