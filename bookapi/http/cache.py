"""What stands before Flask: answers that are remembered, 304 for who has the answer already, and what every answer
carries on its way out (contract, sections 5 and 8)."""

from typing import NamedTuple

from flask import Flask, current_app, request

from ..db import State
from ..logs import REQUEST_ID, new_request_id_for
from . import lru, security
from .conditional import has_already, tag_of
from .negotiation import NEGOTIATED, RESPONSE_INFO, ResponseInfo

Headers = list[tuple[str, str]]

_MARK = "bookapi.mark"  # in the environment of a request: the state that its answer holds for
_MAX_KEY = 4096
_NOT_ON_304 = ("Content-Type", "Content-Length")  # RFC 9110, section 15.4.5: what is about a body


class _Answer(NamedTuple):
    """A whole answer, but for what each request has of its own."""

    headers: Headers
    tag: str
    body: bytes
    lasts_with: tuple[int, int, str] | None


class CacheMiddleware:
    """The WSGI application around Flask.

    A remembered answer is given while the catalogue is in the state it was made in (`State.now`, read before the
    answer was made). It is found by all that it depends on: where it was asked and what for, never by who asked. Who
    brings a cookie or a credential is always answered anew.
    """

    def __init__(self, app: Flask):
        self._inner, self._memory, self._state = app.wsgi_app, lru.of(app), State(app)
        self._public = app.config["PUBLIC_READ"]
        self._remembers = self._public and self._memory.room > 0

    def __call__(self, environ, start_response):
        key = self._key(environ)
        entry = None if key is None else self._memory.get(key)
        if entry is None:
            return self._made(environ, start_response, key)
        mark = environ[_MARK] = self._state.now()
        if mark is None or not (entry.mark == mark or self._lasts(key, entry, mark)):
            return self._made(environ, start_response, key)
        return _given(entry.value, environ, start_response, new_request_id_for(environ))

    def _key(self, environ) -> tuple | None:
        """What an answer depends on; None for a request that is always answered anew."""
        if (
            not self._remembers
            or environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            or "HTTP_COOKIE" in environ
            or "HTTP_AUTHORIZATION" in environ
            or "HTTP_HOST" not in environ
        ):
            return None
        key = (
            environ.get("PATH_INFO", ""),
            environ.get("QUERY_STRING", ""),
            environ.get("HTTP_ACCEPT", ""),
            environ["HTTP_HOST"],
            environ["wsgi.url_scheme"],
            environ.get("SCRIPT_NAME", ""),
        )
        return key if len(key[0]) + len(key[1]) + len(key[2]) <= _MAX_KEY else None

    def _lasts(self, key: tuple, entry: lru.Entry, mark: int) -> bool:
        """Whether an answer of another state still holds, being one book's that has not changed since."""
        answer = entry.value
        if answer.lasts_with is None or not self._state.has_version(*answer.lasts_with):
            return False
        self._memory.put(key, mark, answer, entry.size - lru.OVERHEAD)
        return True

    def note_state(self) -> None:
        """Before a view that reads what everyone may: the state that its answer will hold for."""
        environ, view = request.environ, current_app.view_functions.get(request.endpoint)
        if hasattr(view, "cacheable") and _MARK not in environ and self._key(environ) is not None:
            environ[_MARK] = self._state.now()

    def _made(self, environ, start_response, key: tuple | None):
        """What Flask answers."""
        begun: list = []
        request_id = environ[REQUEST_ID] = new_request_id_for(environ)
        chunks = self._inner(environ, lambda *given: begun.append(given))
        status, headers, *more = begun[-1]
        made: ResponseInfo | None = environ.get(RESPONSE_INFO)
        if made is None or not made.cacheable or not status.startswith("200"):
            start_response(status, _finished(headers, environ, "no-store", request_id), *more)
            return chunks
        headers = _finished(headers, environ, "no-cache" if self._public else "private, no-cache")
        tag = next((value for name, value in headers if name == "ETag"), "")
        if made.body is None and not has_already(environ, tag):  # a stream
            start_response(status, [*headers, (security.REQUEST_ID, request_id)], *more)
            return chunks
        if hasattr(chunks, "close"):
            chunks.close()
        if not tag:
            tag = tag_of(made.body)
            headers.append(("ETag", tag))
        answer = _Answer(headers, tag, made.body or b"", made.lasts_with)
        if made.body is not None and key is not None and not made.fleeting:
            self._remember(key, environ.get(_MARK), answer)
        return _given(answer, environ, start_response, request_id)

    def _remember(self, key: tuple, mark: int | None, answer: _Answer) -> None:
        if mark is not None and ("Cache-Control", "no-cache") in answer.headers:
            # As it was made a body may lie in a room eight times its size.
            kept = answer._replace(body=bytes(memoryview(answer.body)))
            self._memory.put(key, mark, kept, _size(key, kept))


def _finished(headers: Headers, environ, caching: str, request_id: str | None = None) -> Headers:
    """The headers with those that every answer has; a view that knows better about caching has said so already."""
    made = [
        *headers,
        *(security.HTTPS_HEADERS if environ["wsgi.url_scheme"] == "https" else security.HEADERS),
    ]
    names = [name for name, _ in headers]
    if "Cache-Control" not in names:
        made.append(("Cache-Control", caching))
    if environ.get(NEGOTIATED):
        if "Vary" in names:  # by cookie, where Flask looked at one
            made[names.index("Vary")] = ("Vary", f"Accept, {headers[names.index('Vary')][1]}")
        else:
            made.append(("Vary", "Accept"))
    if request_id:
        made.append((security.REQUEST_ID, request_id))
    return made


def _size(key: tuple, answer: _Answer) -> int:
    headers = sum(len(name) + len(value) + 200 for name, value in answer.headers)
    return len(answer.body) + 2 * sum(map(len, key)) + headers


def _given(answer: _Answer, environ, start_response, request_id: str) -> list[bytes]:
    own = (security.REQUEST_ID, request_id)
    if has_already(environ, answer.tag):
        start_response(
            "304 NOT MODIFIED",
            [*[pair for pair in answer.headers if pair[0] not in _NOT_ON_304], own],
        )
        return []
    start_response("200 OK", [*answer.headers, own])
    return [answer.body] if environ["REQUEST_METHOD"] == "GET" else []


def init_app(app: Flask) -> None:
    """Put the door before the application."""
    app.wsgi_app = door = CacheMiddleware(app)
    app.before_request(door.note_state)
