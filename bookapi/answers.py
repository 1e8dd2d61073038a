"""ETags and conditional requests (RFC 9110, section 13; contract, section 5), and answers that are remembered."""
import hashlib
from collections.abc import Callable
from typing import NamedTuple

from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import ETags
from werkzeug.http import parse_etags

from . import formats, guard, memory
from .db import State
from .logs import request_id_of
from .negotiation import chosen_format
from .problems import Problem

DIGEST_BYTES = 16


def book_tag(record: dict, format_name: str | None = None) -> str:
    """The strong tag of a book's version in a format (default: the one of this answer), without its quotes."""
    return f"{record['id']}-{record['version']}-{format_name or chosen_format().name}"


def tagged(record: dict, status: int = 200, **headers: str) -> tuple[dict, int, dict]:
    """A book as an answer, with its tag."""
    return record, status, {"ETag": f'"{book_tag(record)}"', **headers}


def precondition() -> Callable[[dict | None], None]:
    """What this request demands of the book before it changes it: a check that takes {id, version} or None.

    The check raises 412 where If-Match or If-None-Match does not hold; 428 is raised here and now.
    """
    if_match, if_none_match = request.if_match, request.if_none_match

    def check(record: dict | None) -> None:
        if "If-Match" in request.headers and not (record and _any_tag(record, if_match)):
            raise Problem(412, "the book is not (or no longer) the one that If-Match names; read it again")
        if "If-None-Match" in request.headers and record and _any_tag(record, if_none_match):
            raise Problem(412, "the book is there already, and If-None-Match says that it must not be")
        if record and current_app.config["REQUIRE_IF_MATCH"] and "If-Match" not in request.headers:
            raise Problem(428, "send If-Match with the ETag of the book as you read it")
    return check


def _any_tag(record: dict, tags: ETags) -> bool:
    """Whether one of the tags names this version, in whichever format it was read."""
    return tags.star_tag or any(tags.contains(book_tag(record, module.name)) for module in formats.all_formats())


def cacheable(view):
    """Mark a view whose answer is the same for everyone: caches may keep it, and so may we."""
    view.cacheable = True
    return view


def lasting(record: dict) -> dict:
    """The record; the answer is this book's alone and is good for as long as its version is."""
    g.lasts_with = (record["id"], record["version"])
    return record


def stream_tag(*parts: object) -> str:
    """The tag of a stream, which is not there yet to be digested: of all that its bytes follow from."""
    return _digest(repr((*parts, chosen_format().name, current_app.config["VERSION"])).encode())


def _digest(data: bytes) -> str:
    return f'"{hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()}"'


def condition(response: Response) -> Response:
    """Give an answer of the catalogue its tag and cache rules; `Conditional` does the rest."""
    view = current_app.view_functions.get(request.endpoint)
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or not hasattr(view, "cacheable"):
        return response
    private = "" if current_app.config["PUBLIC_READ"] else "private, "
    response.headers.setdefault("Cache-Control", private + "no-cache")
    if "ETag" not in response.headers and not response.is_streamed:
        response.headers["ETag"] = _digest(response.get_data())
    to_keep = not response.is_streamed and "no-store" not in response.headers["Cache-Control"]
    request.environ[_MADE] = _Made(to_keep and request.method == "GET", g.get("lasts_with"))
    return response


# -- before Flask -------------------------------------------------------------------------------------------------

_MADE = "bookapi.made"  # in the environment of a request: that its answer is conditional, and whether it may be kept
_LONGEST_KEY = 4096
# Of the headers of an answer those that a 304 has as well (RFC 9110, section 15.4.5), and what every answer has.
_NOT_ON_304 = ("content-type", "content-length")


class _Made(NamedTuple):
    to_keep: bool
    lasts_with: tuple[int, int] | None


class _Answer(NamedTuple):
    """A whole answer, but for what each request has of its own."""
    headers: list[tuple[str, str]]
    tag: str
    body: bytes
    lasts_with: tuple[int, int] | None


class Conditional:
    """What stands before Flask: answers that are remembered, and 304 for who has the answer already.

    A remembered answer is given while the catalogue is in the state it was made in (`State.seq`, read before the
    answer was made). It is found by all that it depends on: where it was asked and what for, never by who asked. Who
    brings a cookie or a credential is always answered anew.
    """

    def __init__(self, app: Flask):
        self._app, self._inner = app, app.wsgi_app
        self._memory, self._state = memory.of(app), State(app)
        self._remembers = app.config["PUBLIC_READ"] and self._memory.room > 0

    def __call__(self, environ, start_response):
        key = self._key(environ)
        if key is None:
            return self._made(environ, start_response, None, None)
        seq = self._state.seq()
        entry = self._memory.get(key)
        if entry is None or seq is None or not (entry.seq == seq or self._lasts(key, entry, seq)):
            return self._made(environ, start_response, key, seq)
        return _given(entry.value, environ, start_response)

    def _key(self, environ) -> tuple | None:
        """What an answer depends on; None for a request that is always answered anew."""
        if not self._remembers or environ["REQUEST_METHOD"] not in ("GET", "HEAD") or "HTTP_COOKIE" in environ \
                or "HTTP_AUTHORIZATION" in environ or "HTTP_HOST" not in environ:
            return None
        key = (environ["wsgi.url_scheme"], environ["HTTP_HOST"], environ["SCRIPT_NAME"], environ["PATH_INFO"],
               environ["QUERY_STRING"], environ.get("HTTP_ACCEPT"))
        return key if len(key[3]) + len(key[4]) + len(key[5] or "") <= _LONGEST_KEY else None

    def _lasts(self, key: tuple, entry: memory.Entry, seq: int) -> bool:
        """Whether an answer of another state still holds, being one book's that has not changed since."""
        answer = entry.value
        if answer.lasts_with is None or not self._state.has_version(*answer.lasts_with):
            return False
        self._memory.put(key, seq, answer, entry.size - memory.OVERHEAD)
        return True

    def _made(self, environ, start_response, key: tuple | None, seq: int | None):
        begun: list = []
        chunks = self._inner(environ, lambda *given: begun.append(given))
        made: _Made | None = environ.get(_MADE)
        if made is None:
            start_response(*begun[-1])
            return chunks
        headers = [(name, value) for name, value in begun[-1][1] if name != guard.REQUEST_ID]
        tag = next((value for name, value in headers if name == "ETag"), "")
        if not made.to_keep or (key is None and "HTTP_IF_NONE_MATCH" not in environ):
            if tag and _has_already(environ, tag):
                close = getattr(chunks, "close", None)
                if close:
                    close()
                return _given(_Answer(headers, tag, b"", None), environ, start_response)
            start_response(*begun[-1])
            return chunks
        answer = _Answer(headers, tag, b"".join(chunks), made.lasts_with)
        if hasattr(chunks, "close"):
            chunks.close()
        if key is not None and seq is not None:
            size = len(answer.body) + 2 * sum(len(part or "") for part in key) + len(str(headers))
            self._memory.put(key, seq, answer, size)
        return _given(answer, environ, start_response)


def _given(answer: _Answer, environ, start_response) -> list[bytes]:
    own = (guard.REQUEST_ID, request_id_of(environ))
    if _has_already(environ, answer.tag):
        kept = [(name, value) for name, value in answer.headers if name.lower() not in _NOT_ON_304]
        start_response("304 NOT MODIFIED", [*kept, own])
        return []
    start_response("200 OK", [*answer.headers, own])
    return [answer.body] if environ["REQUEST_METHOD"] == "GET" else []


def _has_already(environ, tag: str) -> bool:
    """Whether If-None-Match names this tag; compared weakly, since a proxy that compresses weakens it."""
    given = environ.get("HTTP_IF_NONE_MATCH")
    return given is not None and (given == tag or parse_etags(given).contains_weak(tag.strip('"')))


def init_app(app: Flask) -> None:
    """Tag every answer of the application that a cache may keep, and remember it."""
    app.after_request(condition)
    app.wsgi_app = Conditional(app)
