"""ETags and conditional requests (RFC 9110, section 13; contract, section 5), and what caches may do."""
import hashlib
from collections.abc import Callable

from flask import Flask, Response, current_app, request
from werkzeug.datastructures import ETags

from . import formats
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


def condition(response: Response) -> Response:
    """Give an answer of the catalogue its tag and cache rules; make it a 304 where the client has it already."""
    view = current_app.view_functions.get(request.endpoint)
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or getattr(view, "access", "") != "reader":
        return response
    private = "" if current_app.config["PUBLIC_READ"] else "private, "
    response.headers["Cache-Control"] = private + "no-cache"
    if not response.is_streamed:
        if "ETag" not in response.headers:
            digest = hashlib.blake2b(response.get_data(), digest_size=DIGEST_BYTES).hexdigest()
            response.headers["ETag"] = f'"{digest}"'
        if "If-None-Match" in request.headers:
            response.make_conditional(request)
    return response


def init_app(app: Flask) -> None:
    """Tag every answer of the application that a cache may keep."""
    app.after_request(condition)
