"""ETags and preconditions (RFC 9110, section 13; contract, section 5), and which answers caches may keep."""

import hashlib
from collections.abc import Callable

from flask import current_app, g, request
from werkzeug.datastructures import ETags
from werkzeug.http import parse_etags

from .. import formats
from .negotiation import chosen_format
from .problems import Problem

TAG_LENGTH = 32  # hexadecimal digits


def book_tag(record: dict, format_name: str | None = None) -> str:
    """The strong tag of a book's version in a format (default: the one of this answer), without its quotes."""
    return f"{record['id']}-{record['version']}-{format_name or chosen_format().name}"


def tagged(record: dict, status: int = 200, **headers: str) -> tuple[dict, int, dict]:
    """A book as an answer, with its tag."""
    return record, status, {"ETag": f'"{book_tag(record)}"', **headers}


def precondition(demanded: bool = True) -> Callable[[dict | None], None]:
    """What this request demands of the book before it changes it: a check that takes {id, version} or None.

    The check raises 412 where If-Match or If-None-Match does not hold, and 428 where there should be an If-Match
    (`demanded`: as the setting REQUIRE_IF_MATCH says).
    """
    if_match, if_none_match = request.if_match, request.if_none_match

    def check(record: dict | None) -> None:
        if "If-Match" in request.headers and not (record and _any_tag(record, if_match)):
            raise Problem(
                412, "the book is not (or no longer) the one that If-Match names; read it again"
            )
        if "If-None-Match" in request.headers and record and _any_tag(record, if_none_match):
            raise Problem(
                412, "the book is there already, and If-None-Match says that it must not be"
            )
        if (
            record
            and demanded
            and current_app.config["REQUIRE_IF_MATCH"]
            and "If-Match" not in request.headers
        ):
            raise Problem(428, "send If-Match with the ETag of the book as you read it")

    return check


def _any_tag(record: dict, tags: ETags) -> bool:
    """Whether one of the tags names this version, in whichever format it was read."""
    return tags.star_tag or any(
        tags.contains(book_tag(record, module.name)) for module in formats.all_formats()
    )


def cacheable(view):
    """Mark a view whose answer is the same for everyone: caches may keep it, and so may we."""
    view.cacheable = True
    return view


def lasting(record: dict) -> dict:
    """The record; the answer is this book's alone and is good for as long as its version is."""
    g.lasts_with = (record["id"], record["version"], record["updated_at"])
    return record


def fleeting() -> None:
    """This answer is right now, and not to be remembered for the next who asks."""
    g.fleeting = True


def tag_of(data: bytes) -> str:
    """The tag of these bytes."""
    return f'"{hashlib.sha256(data).hexdigest()[:TAG_LENGTH]}"'


def stream_tag(*parts: object) -> str:
    """The tag of a stream, which is not there yet to be digested: of all that its bytes follow from."""
    return tag_of(repr((*parts, chosen_format().name, current_app.config["VERSION"])).encode())


def has_already(environ: dict, tag: str) -> bool:
    """Whether a request's If-None-Match names this tag; weakly, since a proxy that compresses weakens it."""
    given = environ.get("HTTP_IF_NONE_MATCH")
    return (
        given is not None
        and bool(tag)
        and (given == tag or parse_etags(given).contains_weak(tag[1:-1]))
    )
