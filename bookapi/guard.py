"""What every request passes on its way in, and what every answer carries on its way out."""
from urllib.parse import urlsplit

from flask import Flask, Response, request

from .logs import request_id
from .problems import Problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def refuse_cross_site() -> None:
    """403 for a change that a browser sends from another site.

    Sec-Fetch-Site is judged where there is one, else Origin; clients that send neither are no browsers.
    """
    if request.method in SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        foreign = site not in ("same-origin", "none")
    else:
        foreign = origin is not None and origin != _own_origin()
    if foreign:
        raise Problem(403, "a change from a page of another site is refused")


def _own_origin() -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(request.host_url))


def finish(response: Response) -> Response:
    """The headers of every answer. A view that knows better about caching has said so already."""
    response.headers.extend(HEADERS)
    response.headers["X-Request-ID"] = request_id()
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def init_app(app: Flask) -> None:
    """Guard every request of the application."""
    app.before_request(refuse_cross_site)
    app.after_request(finish)
