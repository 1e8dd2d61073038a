"""Which format goes out and which comes in (RFC 9110, section 12; contract, section 3).

The way out is chosen before any work, so that a 406 costs nothing and changes nothing. Views return plain
data; `Service.make_response` has the chosen format write it. No view and nothing here names a format.
"""

import functools
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote

from flask import Flask, Response, current_app, g, request, stream_with_context
from werkzeug.exceptions import BadRequest, NotAcceptable, UnsupportedMediaType
from werkzeug.http import parse_accept_header, parse_options_header
from werkzeug.utils import get_content_type

from .. import formats


class Stream:
    """What a view returns to have its records written one by one, in constant memory.

    The first record is fetched here, in the view: what fails before it is an answer like any other failure.
    `fields` names what each record has, in order.
    """

    def __init__(self, records: Iterator[dict], fields: tuple[str, ...]):
        self._records, self.fields = records, fields
        self._first = next(records, None)

    def __iter__(self) -> Iterator[dict]:
        if self._first is not None:
            yield self._first
            yield from self._records

    def close(self) -> None:
        """End the reading that was begun."""
        self._records.close()


class Books(dict):
    """A document with `books` in it, as a view returns it; `fields` names what each of them has, in order."""

    root = "catalogue"

    def __init__(self, document: dict, fields: tuple[str, ...]):
        super().__init__(document)
        self.fields = fields


def represents(
    root: str,
    streams: bool = False,
    also: str | None = None,
    imports: bool = False,
    hashes: bool = False,
):
    """Mark a view: `root` names what it takes and gives (the XML root element), `also` what else it takes; `streams`:
    it gives books, in any format; `imports`: it takes books, in any format; `hashes`: it hashes passwords."""

    def mark(view):
        view.root, view.streams, view.roots = root, streams, (root, also) if also else (root,)
        view.imports, view.hashes = imports, hashes
        return view

    return mark


def addresses_marked(app: Flask, mark: str) -> frozenset[tuple[str, str]]:
    """(method, path) of each address whose view has this mark, such as `imports`, and which is always the same."""
    return frozenset(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods
        if getattr(app.view_functions[rule.endpoint], mark, False) and method != "OPTIONS"
    )


class Service(Flask):
    """A Flask whose views return data, and whose answers are in the format the client chose."""

    def wsgi_app(self, environ, start_response):
        """Host names are the same in either case (RFC 3986, section 3.2.2); what is trusted and linked is lower."""
        if "HTTP_HOST" in environ:
            environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()
        if not environ.get(
            "QUERY_STRING", ""
        ).isascii():  # bytes that nobody percent-encoded, and may be no UTF-8
            environ["QUERY_STRING"] = quote(
                environ["QUERY_STRING"], safe=string.punctuation, encoding="latin-1"
            )
        return super().wsgi_app(environ, start_response)

    def ensure_sync(self, func):
        """As it is: no function of this service is a coroutine, and Flask would look at eight of them a request."""
        return func

    def make_default_options_response(self) -> Response:
        """To OPTIONS: Allow, and nothing that would have a type."""
        response = super().make_default_options_response()
        del response.headers["Content-Type"]
        return response

    def make_response(self, rv: Any) -> Response:
        data, *rest = rv if isinstance(rv, tuple) else (rv,)
        if not isinstance(data, (dict, Stream)):
            return super().make_response(rv)
        view, chosen = _view(), chosen_format()
        status, headers = (*rest, 200, {})[:2] if len(rest) != 1 else (rest[0], {})
        written = _written(chosen, data, getattr(data, "root", view.root))
        is_whole = isinstance(written, bytes)
        request.environ[RESPONSE_INFO] = ResponseInfo(
            getattr(view, "cacheable", False),
            written if is_whole else None,
            g.get("lasts_with"),
            g.get("fleeting", False),
        )
        kind = Whole if is_whole else self.response_class
        return kind(
            written,
            status,
            [("Content-Type", _content_type(chosen.media_types[0])), *headers.items()],
        )


@functools.cache
def _content_type(media_type: str) -> str:
    return get_content_type(media_type, "utf-8")


class Whole(Response):
    """An answer that is there as a whole, its headers right from the start: nothing is left for werkzeug to mend."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[str, str]]):
        super().__init__(None, status, [*headers, ("Content-Length", str(len(body)))])
        self.response = [body]

    def __call__(self, environ, start_response):
        start_response(self.status, list(self.headers))
        return self.response if environ["REQUEST_METHOD"] != "HEAD" else []


RESPONSE_INFO, NEGOTIATED = (
    "bookapi.made",
    "bookapi.negotiated",
)  # in the environment of a request, for who stands before Flask


class ResponseInfo(NamedTuple):
    """What is known of an answer when it is made: whether caches may keep it, its body (None: a stream), the id,
    version and last change of the book that it is about alone, and whether it may be another one at once."""

    cacheable: bool
    body: bytes | None
    lasts_with: tuple[int, int, str] | None
    fleeting: bool


def _written(chosen: formats.Format, data: dict | Stream, root: str) -> bytes | Iterable[bytes]:
    if isinstance(data, Stream):
        if request.method != "HEAD":
            return stream_with_context(chosen.write(data, data.fields))
        data.close()
        return iter(())  # not b"", whose length would be told
    if chosen.dumps:
        return chosen.dumps(data, root)
    return b"".join(chosen.write(data["books"], data.fields))


def _view():
    return current_app.view_functions[request.endpoint]


# -- out --------------------------------------------------------------------------------------------------------


class _NothingAcceptable(NotAcceptable):
    def __init__(self, offered: tuple[formats.Format, ...]):
        there_is = ", ".join(f"{module.name} ({module.media_types[0]})" for module in offered)
        super().__init__(f"there is no such format here; there is {there_is}")
        self.members = {"available": [module.media_types[0] for module in offered]}


@functools.cache
def _offered(streams: bool) -> tuple[formats.Format, ...]:
    return tuple(
        module
        for module in formats.all_formats()
        if module.dumps or streams and module.write
    )


def choose() -> None:
    """Choose the way out for a request that has a route; 406 where nothing offered is acceptable."""
    view = _view()
    if request.method == "OPTIONS" or not hasattr(view, "root"):
        return
    offered = _offered(view.streams)
    names = request.args.getlist("format") if request.environ.get("QUERY_STRING") else []
    if len(names) > 1:
        error = BadRequest("the parameter format is given more than once")
        error.members = {"errors": [{"parameter": "format", "detail": "is given more than once"}]}
        raise error
    if names:
        chosen = next((module for module in offered if module.name == names[0]), None)
    else:
        chosen = best(request.environ.get("HTTP_ACCEPT", ""), offered)
    if chosen is None:
        raise _NothingAcceptable(offered)
    _take(chosen)


def chosen_format() -> formats.Format:
    """The format of this answer; before or without a choice the best the client would take, else the first."""
    if "format" not in g:
        documents = _offered(False)
        named = formats.by_name(request.args.get("format", ""))
        _take(
            named
            if named in documents
            else best(request.headers.get("Accept", ""), documents) or documents[0]
        )
    return g.format


def _take(chosen: formats.Format) -> None:
    g.format, request.environ[NEGOTIATED] = chosen, True


@functools.lru_cache(maxsize=128)
def best(accept: str, offered: tuple[formats.Format, ...]) -> formats.Format | None:
    """The format that an Accept header prefers among those offered; ties go to the first; None: none of them."""
    if not accept.strip():
        return offered[0]
    ranges = [(_bare(value), quality) for value, quality in parse_accept_header(accept)]
    weighed = [(_quality(module, ranges), module) for module in offered]
    quality, chosen = max(weighed, key=lambda pair: pair[0])  # max takes the first of equals
    return chosen if quality > 0 else None


def _bare(media_range: str) -> str:
    return media_range.partition(";")[0].strip().lower()


def _quality(module: formats.Format, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that takes this format in (RFC 9110, section 12.5.1)."""
    families = {media_type.partition("/")[0] + "/*" for media_type in module.media_types}
    for wanted in ({*module.media_types, *module.aliases}, families, {"*/*"}):
        qualities = [quality for media_range, quality in ranges if media_range in wanted]
        if qualities:
            return max(qualities)
    return 0.0


# -- in ---------------------------------------------------------------------------------------------------------


class _NotReadable(UnsupportedMediaType):
    """A 415 that tells in its headers what can be read (RFC 9110, section 15.5.16)."""

    def __init__(self, description: str):
        super().__init__(description)
        self.members = {"available": list(_readable())}

    def get_headers(self, environ=None, scope=None):
        told = ", ".join(_readable())
        also = {"POST": [("Accept-Post", told)], "PATCH": [("Accept-Patch", told)]}
        return [
            *super().get_headers(environ, scope),
            ("Accept", told),
            *also.get(request.method, []),
        ]


def _readable() -> dict[str, formats.Format]:
    """The media types that a body may have here, with the format that reads each."""
    return _readers(
        "imports" if getattr(_view(), "imports", False) else "loads", request.method == "PATCH"
    )


@functools.cache
def _readers(function: str, patching: bool) -> dict[str, formats.Format]:
    return {
        media_type: module
        for module in formats.having(function)
        for media_type in (
            *module.media_types,
            *(module.patch_types if patching else ()),
            *(module.read_types if function == "imports" else ()),
        )
    }


def body() -> Any:
    """The request's body as data, read by its Content-Type; 415, 413, 400 or 422 where it cannot be."""
    return deferred_body()()


def deferred_body() -> Callable[[], Any]:
    """`body`, but for what is a 422: that is raised when the data is asked for, behind the book's own 404 and 410."""
    reader, charset = _reader()
    try:
        data = reader.loads(request.get_data(), _view().roots, charset)
    except formats.Malformed as error:
        raise BadRequest(str(error)) from None
    except formats.Invalid as error:
        return functools.partial(_raise, error)
    return lambda: data


def _reader() -> tuple[formats.Format, str | None]:
    """The format that reads this request's body, and the charset it is said to have; 415 where there is none."""
    if request.headers.get("Content-Encoding"):
        raise _NotReadable("a body with a Content-Encoding is not read; send it as it is")
    media_type, parameters = parse_options_header(request.headers.get("Content-Type"))
    reader = _readable().get(media_type.lower())
    if reader is None:
        raise _NotReadable(
            "the body has no Content-Type, or one that is not read here"
            if media_type
            else "the body needs a Content-Type"
        )
    return reader, parameters.get("charset")


def stream_reader() -> tuple[formats.Format, str | None]:
    """The format of this request's body, which may be as large as an import, and the charset that it names; 415 for a kind
    that is not read here."""
    reader, charset = _reader()
    request.max_content_length = current_app.config["MAX_IMPORT_BYTES"]
    if charset and not reader.loads and not formats.is_charset(charset):
        raise _NotReadable("the charset is not known here; send UTF-8")
    return reader, charset


def _raise(error: Exception) -> None:
    raise error


def raise_routing_failure() -> None:
    """No route, or a method that the route does not know: told before anything else is looked at."""
    if request.routing_exception is not None:
        raise request.routing_exception


def init_app(app: Flask) -> None:
    """Negotiate every request of the application."""
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_BODY_BYTES"]
    app.url_map.merge_slashes = (
        False  # `//books` is no address; it would be told in a redirect, which no answer is
    )
    app.before_request(raise_routing_failure)
    app.before_request(choose)
