"""Refuses requests that waitress serves although two receivers could read them in two ways.

Everything here is seen from the WSGI environ. The answer has no length, so that waitress ends the
connection after it: what follows on the connection may be part of the refused request.
"""

import io
import re
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from flask import Flask

from .problems import Problem
from .request import Request

MAX_TARGET = 8 * 1024  # bytes of path and query
_REFUSED = "bookapi.refused"  # in the environ: (status, detail)
_TARGET = re.compile(r"(?:/|https?://|\*\Z)[^\x00-\x1f\x7f]*", re.IGNORECASE)  # RFC 9112, 3.2


class StrictMiddleware:
    """The WSGI application for unambiguous requests only."""

    def __init__(self, app: Callable[..., Iterable[bytes]]):
        self._app = app

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        environ["PATH_INFO"] = environ.get("PATH_INFO") or "/"
        query = environ.get("QUERY_STRING", "")
        if not query.isascii():  # bytes that are not percent-encoded may be no UTF-8
            environ["QUERY_STRING"] = quote(query, safe=string.punctuation, encoding="latin-1")
        target = environ.get("REQUEST_URI", "/")  # of waitress
        if "HTTP_TRANSFER_ENCODING" in environ:  # waitress removes it only where it decodes it
            refused = (400, "the Transfer-Encoding is not one of HTTP/1.1")
        elif len(target) > MAX_TARGET:
            refused = (414, f"the address may have at most {MAX_TARGET} bytes")
        elif not _TARGET.fullmatch(target):
            refused = (400, "the request line has no valid address")
        elif not _is_stored(environ):
            refused = (507, "there is no room for temporary files")
        else:
            return self._app(environ, start_response)
        environ[_REFUSED] = refused
        environ["HTTP_COOKIE"] = ""  # so that it is not answered from the cache

        return without_length(self._app, environ, start_response)


def _is_stored(environ: dict[str, Any]) -> bool:
    """Whether the body is there. Its end may not have been written yet, and the disk be full; then
    the file is closed here: waitress loses track of a connection when closing a file fails.
    """
    body = environ["wsgi.input"]
    if not isinstance(body, io.BufferedRandom):
        return True
    try:
        body.flush()
    except OSError:
        body.raw.close()
        environ["wsgi.input"] = io.BytesIO()
        return False
    return True


def without_length(
    app: Callable[..., Iterable[bytes]], environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The application's answer without Content-Length: waitress ends the connection after it.

    (A WSGI application may not ask for that by `Connection: close`.) A file keeps its length.
    """

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        kept = [pair for pair in headers if pair[0].lower() != "content-length"]
        return start_response(status, kept, *more)

    chunks = app(environ, start)
    is_file = isinstance(chunks, environ.get("wsgi.file_wrapper", ()))
    return chunks if is_file else _passed_on(chunks)


def _passed_on(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same, so that waitress cannot count them."""
    try:
        yield from chunks
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


def refuse(request: Request) -> None:
    """Fail with the problem that the middleware found, before anything else is looked at."""
    if _REFUSED in request.environ:
        status, detail = request.environ[_REFUSED]
        raise Problem(status, detail)


def init_app(app: Flask) -> None:
    """Put it before the application."""
    app.wsgi_app = StrictMiddleware(app.wsgi_app)  # type: ignore[method-assign]
