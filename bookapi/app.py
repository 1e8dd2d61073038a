"""The Flask application: a view's data becomes a response in the format that the client chose."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import flask
from flask import Flask, Response
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter
from werkzeug.utils import get_content_type
from werkzeug.wsgi import wrap_file

from . import formats
from .db import db
from .http import pages, problems
from .http.bodies import accept_headers
from .http.cache import DataResponse
from .http.conditional import digest_etag
from .http.negotiation import chosen_format
from .http.request import Request, current_request
from .http.results import Result
from .http.routing import allowed_methods, declared_here
from .http.security import SAFE_METHODS
from .http.spool import SpooledFile


class NoSessions(SessionInterface):
    """Flask's signed session cookie is not used, and no response varies by it."""

    def open_session(self, app: Flask, request: flask.Request) -> SessionMixin | None:
        """None: Flask gives the request an empty session that cannot be changed."""
        return None


class BookApi(Flask):
    """A Flask whose views return data: a dict, (dict, status, headers) or a `Result`; and whose
    failures are problems.
    """

    request_class, session_interface = Request, NoSessions()

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        """Flask's own without the host, on which no address depends, and for HTTP alone: `Upgrade`
        is ignored (RFC 9110, section 7.8).
        """
        if request is None:
            return super().create_url_adapter(None)
        scheme, method, path = request.scheme, request.method, request.path
        return self.url_map.bind("", request.root_path, None, scheme, method, path)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: none here is a coroutine, which Flask would check eight times for
        each request.
        """
        return func

    def preprocess_request(self) -> Any:
        """As Flask does it; again where a read loses its connection to the database."""
        return _again(super().preprocess_request)

    def dispatch_request(self) -> Any:
        """As Flask does it; again where a read loses its connection to the database."""
        return _again(super().dispatch_request)

    def make_default_options_response(self) -> Response:
        """For OPTIONS: Allow, which bodies may be sent, and no content."""
        response = super().make_default_options_response()
        del response.headers["Content-Type"]
        allowed = sorted(allowed_methods())
        response.headers["Allow"] = ", ".join(allowed)
        response.headers.update(accept_headers({each: declared_here(each) for each in allowed}))
        return response

    def make_response(self, rv: Any) -> Response:
        """The response for what a view or an error handler returned."""
        if isinstance(rv, HTTPException):
            return _problem_response(rv)
        request = current_request()
        if request.method == "POST" and (redirect := pages.redirect_after(request, rv)) is not None:
            return redirect
        if isinstance(rv, dict):
            rv = Result(rv)
        elif isinstance(rv, tuple) and isinstance(rv[0], dict):
            rv = Result(*rv)
        if isinstance(rv, Result):
            return _data_response(request, rv)
        response = super().make_response(rv)
        if response.status_code == 204:
            del response.headers["Content-Type"]
        return response


def _again(function: Callable[[], Any]) -> Any:
    return db.retry(function) if current_request().method in SAFE_METHODS else function()


@functools.cache
def _about(chosen: formats.Format) -> tuple[str, bool]:
    """Its Content-Type, and whether it writes any document."""
    return get_content_type(chosen.media_types[0], "utf-8"), chosen.can("dumps")


def _data_response(request: Request, result: Result) -> Response:
    chosen = request.format or chosen_format()
    content_type, writes_all = _about(chosen)
    headers = {"Content-Type": content_type, **result.headers}
    etag, body, policy = result.etag, None, result.cache
    if chosen.is_page:  # has more in it than its data
        etag, policy = None, pages.page_policy(policy)
        headers |= pages.page_headers()
    passthrough = isinstance(result.data, SpooledFile)
    chunks: Iterable[bytes] = iter(())  # [] would have a length
    if isinstance(result.data, SpooledFile):
        chunks = wrap_file(request.environ, result.data)  # type: ignore[arg-type]
        headers["Content-Length"] = str(result.data.size)
    elif result.data is not None:
        if writes_all:
            resource = result.resource or (request.declared and request.declared.resource)
            body = chosen.dumps(result.data, resource or "")
        else:  # a format of books alone
            body = b"".join(chosen.write(result.data["books"], result.fields))
        chunks = [body]
        headers["Content-Length"] = str(len(body))
        if etag is None and policy.public:
            etag = digest_etag(body)
    if etag:
        headers["ETag"] = etag
    response = DataResponse(chunks, result.status, headers, direct_passthrough=passthrough)
    response.body, response.policy = body, policy
    return response


def _problem_response(error: HTTPException) -> Response:
    """The problem document, with the headers that the failure brings (Allow, Retry-After,
    WWW-Authenticate).
    """
    chosen = chosen_format()
    if not chosen.can("problem"):
        chosen = formats.having("problem")[0]
    if chosen.is_page and (redirect := pages.sign_in_redirect(error)) is not None:
        return redirect
    document = problems.describe(error)
    body: bytes = (
        chosen.dumps({"problem": document}, pages.problem_page(error))
        if chosen.is_page
        else chosen.problem(document)
    )
    response = Response(body, error.code or 500, content_type=chosen.problem_type)
    if chosen.is_page:
        response.headers.update(pages.page_headers())
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response
