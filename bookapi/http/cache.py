"""The response cache: exact by the catalogue's revision, and bounded in bytes.

A view returns its data with a `CachePolicy`; the response carries it, and `CacheMiddleware` reads
it there.
"""

import threading
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from cachetools import LRUCache
from flask import Flask, Response, current_app

from .. import metrics
from ..catalogue import CurrentRevision
from ..logs import REQUEST_ID, new_request_id_for
from .conditional import is_not_modified
from .counting import ROUTE
from .languages import best_language
from .proxy import USER as PROXY_USER
from .request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CACHE = "bookapi.cache"  # in the application's extensions
OVERHEAD = 512  # bytes of an entry besides its key and value
MAX_KEY = 4096  # characters; responses with longer keys are not cached
# What a response depends on, in the environ; without a host (HTTP/1.0) none is cached.
_DEPENDS = (
    "HTTP_HOST",
    "wsgi.url_scheme",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "HTTP_ACCEPT",
)
_PERSONAL = ("HTTP_COOKIE", "HTTP_AUTHORIZATION", PROXY_USER)
_Key = tuple[str | None, ...]
_ABOUT_BODY = ("Content-Type", "Content-Length")  # not on a 304 (RFC 9110, section 15.4.5)


# -- what a view says --


class CachePolicy(NamedTuple):
    """How long the response to a GET stays right. `public`: it is the same for everyone who may
    read the catalogue, and caches may keep it if they revalidate it (by its ETag). It is cached
    here while the catalogue has this `revision`, or while the `book` (id, version, updated_at) has
    not changed, or `always`.
    """

    public: bool = False
    revision: int | None = None
    book: tuple[int, int, str] | None = None
    always: bool = False
    immutable: bool = False  # at this address: caches need not ask again

    @property
    def is_cached(self) -> bool:
        return self.revision is not None or self.book is not None or self.always


NO_STORE = CachePolicy()
REVALIDATE = CachePolicy(public=True)  # others may keep it, it is not cached here
ALWAYS = CachePolicy(public=True, always=True)  # until the service is restarted


def until_catalogue_changes(revision: int | None) -> CachePolicy:
    """For data read at this revision; None: REVALIDATE."""
    return CachePolicy(public=True, revision=revision)


def until_book_changes(record: Mapping[str, Any]) -> CachePolicy:
    """For the data of one book alone."""
    return CachePolicy(public=True, book=(record["id"], record["version"], record["updated_at"]))


# -- the store --


class Entry(NamedTuple):
    """A value, the revision that it was made at (None: not known) and its size in bytes."""

    value: Any
    revision: int | None
    size: int


class RevisionCache:
    """The least recently used entries go when all together have more than `max_bytes`."""

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self._entries: LRUCache[Hashable, Entry] = LRUCache(max_bytes, getsizeof=lambda e: e.size)
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Entry | None:
        """The entry; whether its revision is still the current one is for the caller to compare."""
        try:
            with self._lock:
                return self._entries[key]
        except KeyError:
            return None

    def put(self, key: Hashable, revision: int | None, value: Any, size: int) -> None:
        """Keep a value; `size`: its bytes and those of its key."""
        entry = Entry(value, revision, size + OVERHEAD)
        if entry.size <= self.max_bytes:
            with self._lock:
                self._entries[key] = entry

    @property
    def used(self) -> int:
        """The bytes of all entries."""
        return int(self._entries.currsize)

    def __len__(self) -> int:
        return len(self._entries)


def current_cache() -> RevisionCache:
    """The application's store, which queries may use, too."""
    cache: RevisionCache = current_app.extensions[CACHE]
    return cache


# -- the responses --


class DataResponse(Response):
    """The response that a view's data became: a body of bytes, or a stream; with its policy and
    ETag.

    Sent, it is a 304 where the request's If-None-Match names the ETag.
    """

    policy = NO_STORE
    body: bytes | None = None  # None: a stream

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        headers = list(self.headers)
        if self.body is None:
            if self.status_code == 200 and is_not_modified(environ, self.headers.get("ETag")):
                self.close()
                start_response("304 NOT MODIFIED", _without_body(headers))
                return []
            return super().__call__(environ, start_response)
        if self.policy.public and self.status_code == 200:
            is_known = is_not_modified(environ, self.headers["ETag"])
            method = environ["REQUEST_METHOD"]
            sent = _send(headers, self.body, is_known, method, start_response)
        else:
            start_response(self.status, headers)
            sent = [self.body] if environ["REQUEST_METHOD"] != "HEAD" else []
        kept = SentBody(sent)
        kept.response = self
        return kept


class SentBody(list[bytes]):
    """What WSGI gets as the body of a response, with the response: how the middleware around Flask
    comes by it.
    """

    response: DataResponse


def _without_body(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0] not in _ABOUT_BODY]


def _send(
    headers: list[tuple[str, str]],
    body: bytes,
    is_known: bool,
    method: str,
    start_response: "StartResponse",
) -> list[bytes]:
    """Send a 200, or the 304 in its place where the client has the body already."""
    if is_known:
        start_response("304 NOT MODIFIED", _without_body(headers))
        return []
    start_response("200 OK", headers)
    return [body] if method == "GET" else []


# -- the middleware --


class _CachedResponse(NamedTuple):
    headers: list[tuple[str, str]]  # without the request's id
    etag: str
    body: bytes
    policy: CachePolicy
    route: str


class CacheMiddleware:
    """The WSGI application around Flask: a cached response costs nothing of Flask.

    The key of a response has all that it depends on. That is never the client: requests with a
    cookie or credentials bypass the cache. A response is used while the catalogue has the revision
    that it was made at; the revision is read for each request, so that changes by other workers
    count at once.
    """

    def __init__(self, app: Flask):
        self._app: WSGIApplication = app.wsgi_app
        self._cache = RevisionCache(app.config["ANSWER_CACHE_BYTES"])
        self._current = CurrentRevision(app)
        self._is_on = app.config["PUBLIC_READ"] and self._cache.max_bytes > 0
        app.extensions[CACHE] = self._cache

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        key = self._key(environ)
        if key is not None:
            found = self._find(key)
            if found is not None:
                headers = [*found.headers, (REQUEST_ID, new_request_id_for(environ))]
                method, is_known = environ["REQUEST_METHOD"], is_not_modified(environ, found.etag)
                metrics.count_hit(method, found.route, "304" if is_known else "200")
                return _send(headers, found.body, is_known, method, start_response)
        sent = self._app(environ, start_response)
        if key is not None and isinstance(sent, SentBody):
            self._store(key, sent.response, environ.get(ROUTE, ""))
        return sent

    def _key(self, environ: "WSGIEnvironment") -> _Key | None:
        """All that a response depends on; None for a request whose response is not cached."""
        if (
            not self._is_on
            or environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            or not environ.keys().isdisjoint(_PERSONAL)
        ):
            return None
        language = best_language(environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        return (*map(environ.get, _DEPENDS), language)

    def _find(self, key: _Key) -> _CachedResponse | None:
        entry = self._cache.get(key)
        if entry is None:
            return None
        found: _CachedResponse = entry.value
        if found.policy.always:
            return found
        revision = self._current.now()
        if revision is None:
            return None
        if entry.revision != revision:
            if found.policy.book is None or not self._current.has_version(*found.policy.book):
                return None
            self._cache.put(key, revision, found, entry.size - OVERHEAD)
        return found

    def _store(self, key: _Key, response: DataResponse, route: str) -> None:
        policy, body = response.policy, response.body
        if body is None or response.status_code != 200 or not policy.is_cached:
            return
        length = sum(len(part) for part in key if part)
        if length > MAX_KEY or key[0] is None:
            return
        headers = [(name, value) for name, value in response.headers if name != REQUEST_ID]
        kept = bytes(memoryview(body))  # the original may lie in a buffer of eight times its size
        size = len(kept) + 2 * length
        size += sum(len(name) + len(value) + 200 for name, value in headers)
        found = _CachedResponse(headers, response.headers["ETag"], kept, policy, route)
        self._cache.put(key, policy.revision, found, size)


def add_headers(request: Request, response: Response) -> None:
    """Cache-Control by the policy of the response, `no-store` for a failure; and Vary, with Accept
    on every response whose format was negotiated.
    """
    policy = response.policy if isinstance(response, DataResponse) else NO_STORE
    value = "no-store"
    if policy.public and response.status_code == 200:
        value = "no-cache" if current_app.config["PUBLIC_READ"] else "private, no-cache"
    if policy.immutable and response.status_code == 200:
        value = "public, max-age=31536000, immutable"
    response.headers.add("Cache-Control", value)
    names = request.varies if request.format is None else (*request.varies, "Accept")
    if names:
        response.headers.add("Vary", ", ".join(dict.fromkeys(names)))


def init_app(app: Flask) -> None:
    """Put the middleware around the application."""
    app.wsgi_app = CacheMiddleware(app)  # type: ignore[method-assign]
