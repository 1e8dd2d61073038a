"""Addresses: the converter for ids, absolute links, and what happens to a request that matches no
route.
"""

from urllib.parse import quote

from flask import Flask, Response, request
from flask.globals import request_ctx
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter

from .security import host

LARGEST_ID = 2**63 - 1


class Id(BaseConverter):
    """A positive integer of ASCII digits that the database can hold, written in one way only."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > LARGEST_ID:
            raise NotFound
        return number


def base_url(path: str) -> str:
    """The absolute address of a path of this service. (`url_for` is ten times slower, and a list
    has five links.)
    """
    return f"{request.scheme}://{host()}{quote(request.root_path + path)}"


def check_route() -> Response | None:
    """404 or 405 before anything else is looked at; a trailing slash too many is a redirect for GET
    and HEAD.
    """
    if request.routing_exception is None:
        return None
    path = request.path.removesuffix("/")
    if (
        request.method in ("GET", "HEAD")
        and path != request.path
        and not path.endswith("/")
        and isinstance(request.routing_exception, NotFound)
        and _exists(path)
    ):
        query = request.environ.get("QUERY_STRING", "")
        location = base_url(path) + (f"?{query}" if query else "")
        response = Response(status=308, headers={"Location": location})
        del response.headers["Content-Type"]
        return response
    raise request.routing_exception


def _exists(path: str) -> bool:
    """Whether there is an address with this path, whichever its methods are."""
    adapter = request_ctx.url_adapter
    try:
        adapter.match(path, method="GET")  # type: ignore[union-attr] # a request has one
    except MethodNotAllowed:
        return True
    except NotFound:
        return False
    return True


def init_app(app: Flask) -> None:
    """Teach the application ids in addresses; `//books` is none, and no redirect to one."""
    app.url_map.converters.update(id=Id)
    app.url_map.merge_slashes = False
