"""The log: one line an event on standard error, as text or as JSON. A line says which request it
belongs to.
"""

import logging
import re
import sys
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from flask import Flask, has_request_context, request
from flask.logging import default_handler

REQUEST_ID = "X-Request-ID"  # the header
_KEY = "bookapi.request_id"  # in the environment of a request, for this module alone
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def new_request_id() -> str:
    """An id that no other request has."""
    return uuid.uuid4().hex


def new_request_id_for(environ: Mapping[str, Any]) -> str:
    """The id for the request with this WSGI environment: the client's, if it is sane, else a new
    one.
    """
    given: str | None = environ.get("HTTP_X_REQUEST_ID")
    return given if given and _SANE_ID.fullmatch(given) else new_request_id()


def request_id() -> str:
    """The id of this request."""
    if _KEY not in request.environ:
        request.environ[_KEY] = new_request_id_for(request.environ)
    found: str = request.environ[_KEY]
    return found


def _escaped(text: str, but: str = "") -> str:
    """The text with every character that cannot be seen written as in Python, `but` for these."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in but
        else character.encode("unicode_escape").decode()
        for character in text
    )


class _Line(logging.Formatter):
    """One event. What cannot be seen is escaped: what a client sends must not forge a line or talk
    to a terminal.
    """

    def fields(self, record: logging.LogRecord) -> dict[str, str]:
        where = {}
        if has_request_context():
            where = {"request_id": request_id(), "method": request.method, "path": request.path}
        told = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            **where,
            "message": record.getMessage(),
            **getattr(record, "event", {}),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return told

    def format(self, record: logging.LogRecord) -> str:
        told, named = self.fields(record), getattr(record, "event", {})
        exception = told.pop("exception", None)
        line = " ".join(
            f'{name}="{_quoted(value)}"' if name in named else _escaped(value)
            for name, value in told.items()
            if value
        )
        return f"{line}\n{_escaped(exception, but=_LAYOUT)}" if exception else line


_LAYOUT = "\n\t"  # of a traceback


def _quoted(value: str) -> str:
    return _escaped(value.replace("\\", "\\\\").replace('"', '\\"'))


class _Json(_Line):
    def format(self, record: logging.LogRecord) -> str:
        told = {name: _escaped(value, but=_LAYOUT) for name, value in self.fields(record).items()}
        return orjson.dumps(told).decode()


def init_app(app: Flask) -> None:
    """Have the application log in the form that the setting says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if app.config["LOG_FORMAT"] == "json" else _Line())
    app.logger.removeHandler(default_handler)
    app.logger.handlers[:] = [handler]
    app.logger.setLevel(logging.INFO)
    app.logger.propagate = False
    # waitress logs a line for each request that has to wait its turn: 16 % of the time of a busy
    # server.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
