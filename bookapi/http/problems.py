"""Every failure in one shape: problem details (RFC 9457), written by the format of the response.

Raise a `Problem`, any HTTPException of werkzeug, a marshmallow ValidationError or
`formats.Invalid`, or return a `Problem` from an error handler; `app.make_response` writes it.
Anything else that is raised is a fault of this service: a 500 without details, and a traceback in
the log.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from flask import Flask, current_app, request
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from .. import formats
from ..text import printable

MAX_ERRORS = 100
MAX_ECHOED = 300  # characters of anything that the client sent
NO_TYPE = "about:blank"  # the status says it all (RFC 9457, section 4.2.1)
TYPE_PREFIX = "urn:bookapi:problem:"


class ProblemType(NamedTuple):
    """A kind of failure where the status alone does not say what to do next."""

    status: int
    meaning: str


TYPES = {
    "validation": ProblemType(
        422, "The data is well-formed but not valid; `errors` lists every fault."
    ),
    "isbn-taken": ProblemType(409, "Another book has the ISBN; `existing` is its address."),
    "username-taken": ProblemType(
        409, "Another account has the username, or one that looks like it."
    ),
    "stale-version": ProblemType(
        412, "The book has changed since it was read: read it again and repeat the change."
    ),
    "version-required": ProblemType(
        428, "The service demands the version that was read: send If-Match."
    ),
    "key-reused": ProblemType(
        422, "The Idempotency-Key was used for another request: take a new one."
    ),
    "in-trash": ProblemType(410, "The book is in the trash; an admin can restore it."),
    "throttled": ProblemType(
        429, "Too many failed attempts: wait for as long as Retry-After says."
    ),
    "import-rejected": ProblemType(
        422, "Records of the import were rejected, so nothing was stored: see `report`."
    ),
}

_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not support the method; see the Allow header",
    413: "the body is too large",
    500: "internal error; the request id finds the cause in the log of the service",
}


class Problem(HTTPException):
    """A failure. `type` is a key of TYPES; `members` are added to the document, `headers` to the
    response.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        type: str | None = None,
        **members: Any,
    ):
        super().__init__(detail)
        self.code, self.headers, self.members = status, dict(headers or {}), members
        self.type = NO_TYPE if type is None else TYPE_PREFIX + type

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """The headers that the failure brings, such as Retry-After."""
        return list(self.headers.items())


def bad_parameters(errors: list[tuple[str, str]]) -> Problem:
    """400 for (parameter, detail) pairs of the query string."""
    return Problem(
        400,
        "; ".join(f"{_echo(name)} {detail}" for name, detail in errors[:3]),
        errors=[{"parameter": name, "detail": detail} for name, detail in errors],
    )


def invalid(errors: list[dict[str, Any]]) -> Problem:
    """422 for a list of {field or pointer, detail}."""
    return Problem(422, "validation failed; see errors", type="validation", errors=errors)


def messages_of(error: ValidationError) -> dict[str, Any]:
    """The messages of a marshmallow error by field; those of the whole under SCHEMA."""
    messages = error.messages
    return messages if isinstance(messages, dict) else {SCHEMA: messages}


def from_validation(error: ValidationError) -> Iterator[dict[str, Any]]:
    """The faults of a marshmallow error as {field, detail}; below a field with a JSON pointer (RFC
    6901) too.
    """
    for field, messages in messages_of(error).items():
        if field == SCHEMA and isinstance(messages, list):
            yield from ({"pointer": "", "detail": message} for message in messages)
            continue
        for path, message in _leaves(messages):
            deeper = {"pointer": pointer(field, *path)} if path else {}
            yield {"field": field, **deeper, "detail": message}


def pointer(*steps: str) -> str:
    """The JSON pointer (RFC 6901) with these steps."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _leaves(messages: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(messages, dict):
        for step, inner in messages.items():
            yield from _leaves(inner, path if step == SCHEMA else (*path, str(step)))
    else:
        yield from ((path, message) for message in messages)


class Sanitized(dict[str, Any]):
    """A member of a problem that is safe and bounded already."""


def _echo(value: Any) -> Any:
    """A value that may come from the client, made safe for every format and of bounded length."""
    if isinstance(value, Sanitized):
        return value
    if isinstance(value, str):
        value = printable(value)
        return value if len(value) <= MAX_ECHOED else value[:MAX_ECHOED] + "…"
    if isinstance(value, dict):
        return {key: _echo(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_echo(inner) for inner in value[:MAX_ERRORS]]
    return value


def document(
    status: int, detail: str, instance: str, type: str = NO_TYPE, **members: Any
) -> dict[str, Any]:
    """The problem document (RFC 9457, section 3); `instance` is a quoted path."""
    problem = {
        "type": type,
        "title": HTTP_STATUS_CODES.get(status, "Unknown Error"),
        "status": status,
        "detail": detail,
        "instance": instance,
        **members,
    }
    return {name: _echo(value) for name, value in problem.items()}


def describe(error: HTTPException) -> dict[str, Any]:
    """The problem document of a failure of this request."""
    status, instance = error.code or 500, quote(request.root_path + request.path)
    if isinstance(error, Problem):
        return document(status, error.description or "", instance, error.type, **error.members)
    return document(status, _DETAILS.get(status, error.description) or "", instance)


def crash(error: Exception) -> Problem:
    """500 for a fault of this service, which is logged."""
    current_app.logger.exception("%s %s failed", request.method, request.path, exc_info=error)
    return Problem(500, _DETAILS[500])


def init_app(app: Flask) -> None:
    """Make a problem of every failure that is no HTTPException."""
    app.register_error_handler(HTTPException, lambda error: error)  # or it would be a crash, too
    app.register_error_handler(Exception, crash)
    app.register_error_handler(ValidationError, lambda error: invalid([*from_validation(error)]))
    app.register_error_handler(formats.Invalid, lambda error: invalid(error.errors))
