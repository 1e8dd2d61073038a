"""Conditional requests (RFC 9110, sections 8.8 and 13): ETag, If-Match, If-None-Match and 304.

The rules are in docs/api.md, ETags and preconditions.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from flask import current_app
from werkzeug.http import parse_etags

from .. import formats
from .negotiation import chosen_format
from .problems import Problem
from .request import current_request

DIGEST_LENGTH = 32  # hexadecimal digits
# What compressing proxies append to a tag: Apache's mod_deflate and mod_brotli.
_SUFFIX = re.compile("-(?:gzip|br)$")
_NOT_DIGITS = str.maketrans("", "", "-T:.Z")


def book_etag(record: Mapping[str, Any], format_name: str | None = None) -> str:
    """The strong ETag of a book, quoted, in a format (default: the one of this response).

    A version number comes again after a restore of a backup; with the instant of the change it
    never does.
    """
    changed = record["updated_at"].translate(_NOT_DIGITS)
    return f'"{record["id"]}-{record["version"]}-{changed}-{format_name or chosen_format().name}"'


def digest_etag(data: bytes) -> str:
    """The ETag of a body: of its bytes, quoted."""
    return f'"{hashlib.sha256(data).hexdigest()[:DIGEST_LENGTH]}"'


def export_etag(*parts: object) -> str:
    """The ETag of an export, whose bytes are not there yet: of all that they are made from."""
    return digest_etag(repr((*parts, chosen_format().name, current_app.config["VERSION"])).encode())


def is_not_modified(environ: Mapping[str, Any], etag: str | None) -> bool:
    """Whether the request's If-None-Match names this ETag. Compared weakly: a proxy that compresses
    makes tags weak.
    """
    given = environ.get("HTTP_IF_NONE_MATCH")
    if given is None or not etag:
        return False
    return given == etag or given.strip() == "*" or etag[1:-1] in _opaque(given)


def _opaque(header: str) -> set[str]:
    """The tags of a header without quotes, W/ and what a proxy appended."""
    tags = parse_etags(header)
    return {_SUFFIX.sub("", tag) for tag in tags.as_set(include_weak=True) if tag}


class Preconditions:
    """What a request demands of a book before it is changed: If-Match, If-None-Match, and the
    version in the body.

    `required`: 428 without a version where the setting REQUIRE_IF_MATCH is on.
    """

    def __init__(self, version: int | None = None, required: bool = True):
        request = current_request()
        self._match = request.headers.get("If-Match")
        self._none_match = request.headers.get("If-None-Match")
        self._version = version
        self._required = required and current_app.config["REQUIRE_IF_MATCH"]

    def check(self, record: Mapping[str, Any] | None) -> None:
        """Raise 412 or 428 for a stored record (None: there is none) that does not meet them."""
        if self._match is not None and not _names(self._match, record):
            raise Problem(
                412, "the book has changed since you read it; read it again", type="stale-version"
            )
        if self._none_match is not None and _names(self._none_match, record):
            raise Problem(412, "the book exists, and If-None-Match says that it must not")
        if self._version is not None and (record is None or record["version"] != self._version):
            raise Problem(
                412,
                "version is not that of the stored book; read it again",
                type="stale-version",
            )
        if record and self._required and self._match is None and self._version is None:
            raise Problem(
                428,
                "send If-Match with the ETag of the book, or its version in the body",
                type="version-required",
            )


def _names(header: str, record: Mapping[str, Any] | None) -> bool:
    """Whether a header names the record's ETag in any format."""
    if record is None:
        return False
    if header.strip() == "*":
        return True
    given = _opaque(header)
    return any(book_etag(record, module.name)[1:-1] in given for module in formats.all_formats())
