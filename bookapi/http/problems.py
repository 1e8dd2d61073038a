"""Every failure in one shape: RFC 9457, as JSON or as XML (contract, section 7).

Anything may raise a `Problem`, an HTTPException of werkzeug's, or a marshmallow ValidationError; what is
none of these is a crash, told as a bare 500 and kept for the log.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, request
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from .. import formats
from ..text import printable
from .negotiation import chosen_format

MAX_ERRORS = 100
MAX_TOLD = 300  # characters of anything that the client sent

_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not know that method; the Allow header lists those it knows",
    413: "the body is larger than this service takes",
    500: "the service failed; the request id finds the reason in its log",
}


class Problem(HTTPException):
    """A failure with its status and detail; `members` go into the problem beside them, `headers` into the answer."""

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, **members: Any
    ):
        super().__init__(detail)
        self.code, self.headers, self.members = status, headers or {}, members

    def get_headers(self, environ=None, scope=None):
        return [*super().get_headers(environ, scope), *self.headers.items()]


def bad_parameters(errors: list[tuple[str, str]]) -> Problem:
    """400 for (parameter, detail) pairs of the query string."""
    return Problem(
        400,
        "; ".join(f"{_told(name)} {detail}" for name, detail in errors[:3]),
        errors=[{"parameter": name, "detail": detail} for name, detail in errors],
    )


def invalid(errors: list[dict]) -> Problem:
    """422 for a list of {field or pointer, detail}."""
    return Problem(422, "what was sent is not valid; each error says what to mend", errors=errors)


def from_validation(error: ValidationError) -> Iterator[dict]:
    """A marshmallow error as {field, detail}; what lies deeper than a field has a JSON pointer (RFC 6901) too."""
    for field, messages in error.normalized_messages().items():
        if field == SCHEMA and isinstance(messages, list):
            yield from ({"pointer": "", "detail": message} for message in messages)
            continue
        for path, message in _leaves(messages):
            deeper = {"pointer": pointer(field, *path)} if path else {}
            yield {"field": field, **deeper, "detail": message}


def pointer(*steps: str) -> str:
    """The JSON pointer (RFC 6901) of what lies at the end of these steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _leaves(messages: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(messages, dict):
        for step, inner in messages.items():
            yield from _leaves(inner, path if step == SCHEMA else (*path, str(step)))
    else:
        yield from ((path, message) for message in messages)


class Sanitized(dict):
    """A member of a problem that is safe and bounded already, and is told whole."""


def _told(value: Any) -> Any:
    """Anything that will be told to the client, safe for every format and of bounded length."""
    if isinstance(value, Sanitized):
        return value
    if isinstance(value, str):
        value = printable(value)
        return value if len(value) <= MAX_TOLD else value[:MAX_TOLD] + "…"
    if isinstance(value, dict):
        return {key: _told(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_told(inner) for inner in value[:MAX_ERRORS]]
    return value


def document(status: int, detail: str, instance: str, members: dict | None = None) -> dict:
    """The problem as data. `type` is about:blank: the status says it all (RFC 9457, section 4.2.1)."""
    return _told(
        {
            "type": "about:blank",
            "title": HTTP_STATUS_CODES.get(status, "Unknown Error"),
            "status": status,
            "detail": detail,
            "instance": instance,
            **(members or {}),
        }
    )


def respond(error: HTTPException) -> Response:
    """The answer to a failure, with the protocol headers it brings (Allow, Retry-After, WWW-Authenticate)."""
    status = error.code or 500
    own_words = getattr(error, "members", None) is not None
    detail = error.description if own_words or status not in _DETAILS else _DETAILS[status]
    chosen = chosen_format()
    if not chosen.problem:  # a format of books alone
        chosen = formats.having("problem")[0]
    data = document(status, detail or "", quote(request.path), getattr(error, "members", None))
    response = current_app.response_class(
        chosen.problem(data), status, mimetype=chosen.problem_type
    )
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def crash(error: Exception) -> Response:
    """A 500 that tells nothing of the inside; the log has the whole."""
    current_app.log_exception((type(error), error, error.__traceback__))
    return respond(Problem(500, _DETAILS[500]))


def init_app(app: Flask) -> None:
    """Give every failure of the application the one shape."""
    app.register_error_handler(HTTPException, respond)
    app.register_error_handler(Exception, crash)
    app.register_error_handler(
        ValidationError, lambda error: respond(invalid(list(from_validation(error))))
    )
    app.register_error_handler(formats.Invalid, lambda error: respond(invalid(error.errors)))
