"""Request bodies, read by their Content-Type. docs/api.md, Formats."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from flask import current_app
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_options_header

from .. import formats
from .endpoints import Endpoint
from .negotiation import chosen_format
from .parameters import refuse_unknown_parameters
from .problems import Problem
from .request import current_request


def read_body() -> Any:
    """The request's body as plain data; 415, 413 or 400 where it can't be read, 422 for what no
    resource can be.
    """
    return deferred_body()()


def deferred_body() -> Callable[[], Any]:
    """A function that gives the data of `read_body`, or raises its 422: for after the 404 of the
    resource. 415, 413 and 400 are raised at once.
    """
    reader, charset = _reader()
    body = current_request().get_data()
    refuse_unknown_parameters(current_request(), body_was_read=True)
    try:
        data = reader.loads(body, _declared().roots, charset)
    except formats.Malformed as error:
        raise BadRequest(str(error)) from None
    except formats.Invalid as error:
        invalid = error

        def fail() -> Any:
            raise invalid

        return fail
    return lambda: data


def load_body() -> Any:
    """The request's body as values, checked by the schema that the endpoint declares; 415, 413,
    400 or 422 where it is wrong.
    """
    return deferred_load()()


def deferred_load() -> Callable[[], Any]:
    """`load_body` in two steps, as `deferred_body` for `read_body`."""
    read, schema = deferred_body(), next(iter(_declared().body.values()))
    return lambda: schema.load(read())


# RFC 5789, section 3.1, and the Linked Data Platform 1.0, section 7.1.
ACCEPT_HEADERS = {"POST": "Accept-Post", "PATCH": "Accept-Patch"}
WRAPPERS = ("application/gzip", "application/x-gzip", "multipart/form-data")  # of an import's file


def stream_reader() -> tuple[formats.Format | None, str | None]:
    """The format of the body of an import (None: a wrapper, whose content shows it), and the
    charset of its media type; 415 where no format reads it."""
    request = current_request()
    request.max_content_length = current_app.config["MAX_IMPORT_BYTES"]
    if request.mimetype in WRAPPERS and not request.headers.get("Content-Encoding"):
        return None, None
    return _reader()


def check_charset(reader: formats.Format | None, charset: str | None) -> None:
    """415 for a charset in which this format of an import is not read."""
    # A format of documents has its own rule for charsets.
    is_document = reader is not None and reader.can("loads")
    if charset and not is_document and not formats.is_charset(charset):
        raise _unsupported("unknown charset; send UTF-8")


def _declared() -> Endpoint:
    declared = current_request().declared
    assert declared is not None  # noqa: S101 # a body is read by a view alone
    return declared


def _reader() -> tuple[formats.Format, str | None]:
    """The format that reads this request's body, and the charset of its media type; 415 where there
    is none.
    """
    request = current_request()
    if request.headers.get("Content-Encoding"):
        raise _unsupported("a body with a Content-Encoding is not supported; send it as it is")
    media_type, parameters = parse_options_header(request.headers.get("Content-Type"))
    reader = _readable().get(media_type.lower())
    if reader is None:
        raise _unsupported(
            "unsupported Content-Type" if media_type else "the body needs a Content-Type"
        )
    return reader, parameters.get("charset")


def _unsupported(detail: str) -> Problem:
    """415, with the media types that can be read (RFC 9110, section 15.5.16)."""
    available = [*_readable(), *_wrappers(_declared())]
    headers = {"Accept": ", ".join(available)}
    method = current_request().method
    if method in ACCEPT_HEADERS:
        headers[ACCEPT_HEADERS[method]] = headers["Accept"]
    return Problem(415, detail, headers, available=available)


def accept_headers(endpoints: Mapping[str, Endpoint | None]) -> dict[str, str]:
    """The headers that say which media types the bodies of these methods may have."""
    return {
        ACCEPT_HEADERS[method]: ", ".join(
            [*readers(declared.imports, method == "PATCH"), *_wrappers(declared)]
        )
        for method, declared in endpoints.items()
        if method in ACCEPT_HEADERS and declared and (declared.body or declared.imports)
    }


def _wrappers(declared: Endpoint) -> tuple[str, ...]:
    return tuple(name for name in WRAPPERS if "x-" not in name) if declared.imports else ()


def _readable() -> dict[str, formats.Format]:
    declared = _declared()
    form = declared.form
    is_read = form is not None and (form.only or chosen_format().is_page)
    is_patch = current_request().method == "PATCH"
    data = {} if form and form.only else readers(declared.imports, is_patch)
    return {**data, **_form_readers()} if is_read and not declared.imports else data


@functools.cache
def readers(imports: bool, is_patch: bool) -> dict[str, formats.Format]:
    """{media type: the format that reads it}."""
    return {
        media_type: module
        for module in formats.having(*(("read", "table") if imports else ("loads",)))
        if not module.is_page
        for media_type in (
            *module.media_types,
            *(module.patch_types if is_patch else ()),
            *(module.read_types if imports else ()),
        )
    }


@functools.cache
def _form_readers() -> dict[str, formats.Format]:
    """The same for the forms of pages."""
    return {
        media_type: module for module in formats.having("loads") for media_type in module.form_types
    }
