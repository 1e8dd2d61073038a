"""Cross-origin resource sharing (the Fetch standard, section 3.3) for the origins of CORS_ORIGINS.

A middleware around the cache: a cached response is the same for every origin, and these headers
are added to it for the origin that asks. (Flask-CORS adds them inside Flask, so that they would be
cached, and sends `Vary: Origin` to some origins only, so that a shared cache may mix them up.)
"""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

_EXPOSED = "ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-ID"
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
)
_MAX_AGE = "600"  # seconds for which a browser does not repeat a preflight

Headers = list[tuple[str, str]]


class CorsMiddleware:
    """The WSGI application, whose responses pages of these `origins` may read, with credentials."""

    def __init__(self, app: Callable[..., Iterable[bytes]], origins: list[str]):
        self._app, self._origins = app, frozenset(origins)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN")
        added = _headers(origin, environ) if origin in self._origins else []

        def start(status: str, headers: Headers, *more: Any) -> Any:
            return start_response(status, [*_varying(headers), *added], *more)

        return self._app(environ, start)


def _headers(origin: str, environ: dict[str, Any]) -> Headers:
    headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", _EXPOSED),
    ]
    if (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ  # a preflight
    ):
        headers += [
            ("Access-Control-Allow-Methods", _METHODS),
            ("Access-Control-Allow-Headers", _REQUEST_HEADERS),
            ("Access-Control-Max-Age", _MAX_AGE),
        ]
    return headers


def _varying(headers: Headers) -> Headers:
    """The headers with Origin in Vary, on every response: a shared cache must not give one without
    the CORS headers to an origin that needs them.
    """
    varying = [value for name, value in headers if name == "Vary"]
    others = [pair for pair in headers if pair[0] != "Vary"]
    return [*others, ("Vary", ", ".join([*varying, "Origin"]))]


def init_app(app: Flask) -> None:
    """Put it around the cache, where there are such origins."""
    origins = app.config["CORS_ORIGINS"]
    if origins:
        app.wsgi_app = CorsMiddleware(app.wsgi_app, origins)  # type: ignore[method-assign]
