"""Addresses: the converter for ids, absolute links, and what happens to a request that matches no
route.
"""

from urllib.parse import quote

from flask import Flask, Response
from flask.globals import request_ctx
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, MapAdapter

from ..schemas import MAX_INTEGER
from .endpoints import Endpoint, declaration_of
from .negotiation import wants_page
from .request import Request, current_request
from .security import host_of

LARGEST_ID = MAX_INTEGER


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
    request = current_request()
    return f"{request.scheme}://{host_of(request.environ)}{quote(request.root_path + path)}"


def check_route(request: Request) -> Response | None:
    """404 or 405 before anything else is looked at; a trailing slash too many is a redirect for GET
    and HEAD.
    """
    if request.routing_exception is None:
        if (
            request.declared
            and request.declared.page_only
            and request.method != "OPTIONS"
            and not wants_page()
        ):
            # 405 where a client of data may do something else (the form to sign in)
            others = allowed_methods()
            raise NotFound if others == {"OPTIONS"} else MethodNotAllowed(sorted(others))
        return None
    if isinstance(request.routing_exception, MethodNotAllowed):
        raise MethodNotAllowed(sorted(allowed_methods()))
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


def allowed_methods() -> set[str]:
    """The methods of this address, for Allow. Pages that no data stands behind are for browsers:
    to other clients there is no such GET.
    """
    methods = set(_adapter().allowed_methods())
    if "GET" in methods and not wants_page():
        declared = declared_here("GET")
        if declared is not None and declared.page_only:
            methods -= {"GET", "HEAD"}
    return methods


def declared_here(method: str) -> Endpoint | None:
    """The declaration of the endpoint for another method of this address, which it allows."""
    name, _ = _adapter().match(method=method)
    return declaration_of(request_ctx.app.view_functions[name])


def _adapter() -> MapAdapter:
    adapter: MapAdapter = request_ctx.url_adapter  # type: ignore[assignment] # a request has one
    return adapter


def _exists(path: str) -> bool:
    """Whether there is an address with this path, whichever its methods are."""
    try:
        _adapter().match(path, method="GET")
    except MethodNotAllowed:
        return True
    except NotFound:
        return False
    return True


def init_app(app: Flask) -> None:
    """Teach the application ids in addresses; `//books` is none, and no redirect to one."""
    app.url_map.converters.update(id=Id)
    app.url_map.merge_slashes = False
