"""The log: one line an event on standard error, as text or as JSON. A line says which request it
belongs to.
"""

import logging
import random
import re
import sys
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, has_request_context, request
from flask.logging import default_handler

REQUEST_ID = "X-Request-ID"  # the header
_KEY = "bookapi.request_id"  # in the environment of a request, for this module alone
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


_bits = random.Random().getrandbits  # noqa: S311 # no secret; asks the system for its seed alone


def new_request_id_for(environ: Mapping[str, Any]) -> str:
    """The id for the request with this WSGI environment: the client's, if it is sane, else a new
    one.
    """
    given: str | None = environ.get("HTTP_X_REQUEST_ID")
    return given if given and _SANE_ID.fullmatch(given) else f"{_bits(128):032x}"


def request_id() -> str:
    """The id of this request."""
    environ = request.environ
    if _KEY not in environ:
        environ[_KEY] = new_request_id_for(environ)
    found: str = environ[_KEY]
    return found


def escaped(text: str, allowed: str = "") -> str:
    """The text with invisible characters, except `allowed` ones, written as in Python."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in allowed
        else character.encode("unicode_escape").decode()
        for character in text
    )


LAYOUT = "\n\t"  # the invisible characters of a traceback


class TextFormatter(logging.Formatter):
    """One event a line. Invisible characters are escaped: what a client sends must not forge a line
    or control a terminal.
    """

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields of an event by name, in order."""
        about = {}
        if has_request_context():
            about = {"request_id": request_id(), "method": request.method, "path": request.path}
        fields = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            **about,
            "message": record.getMessage(),
            **getattr(record, "event", {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return fields

    def format(self, record: logging.LogRecord) -> str:
        """The line: values, those of an audit event with their names."""
        fields, named = self.fields(record), getattr(record, "event", {})
        exception = fields.pop("exception", None)
        line = " ".join(
            f'{name}="{_quoted(str(value))}"' if name in named else escaped(value)
            for name, value in fields.items()
            if value not in (None, "")
        )
        return f"{line}\n{escaped(exception, LAYOUT)}" if exception else line


def _quoted(value: str) -> str:
    return escaped(value.replace("\\", "\\\\").replace('"', '\\"'))


class JsonFormatter(TextFormatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = {
            name: escaped(value, LAYOUT) if isinstance(value, str) else value
            for name, value in self.fields(record).items()
        }
        return orjson.dumps(fields).decode()


def init_app(app: Flask) -> None:
    """Have the application log in the form of the setting LOG_FORMAT."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if app.config["LOG_FORMAT"] == "json" else TextFormatter())
    app.logger.removeHandler(default_handler)
    app.logger.handlers[:] = [handler]
    app.logger.setLevel(logging.INFO)
    app.logger.propagate = False
    # waitress logs each request that waits for a thread: 16 % of the time of a busy server.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
