"""What every request passes on its way in, and the headers that every answer carries on its way out."""

import ipaddress
import re
from urllib.parse import urlsplit

from flask import Flask, request

from .problems import Problem

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE | re.ASCII)

REQUEST_ID = "X-Request-ID"
HEADERS = (  # of every answer
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
# Of every answer by HTTPS: for a year no browser asks this host, or one below it, by anything else (RFC 6797).
HTTPS_HEADERS = (*HEADERS, ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))


def check_host() -> None:
    """400 for a Host that is none: links are built from it. Flask itself holds it against TRUSTED_HOSTS."""
    given = request.environ.get("HTTP_HOST")
    if given is None and request.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise Problem(400, "the request has no Host header")  # RFC 9112, section 3.2
    found = _HOST.fullmatch(request.environ["SERVER_NAME"] if given is None else given)
    if (
        not found
        or not 1 <= int(found[2] or 1) <= 65535
        or found[1][0] == "["
        and not _is_ipv6(found[1][1:-1])
    ):
        raise Problem(400, "the Host header names no host")


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


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


def init_app(app: Flask) -> None:
    """Guard every request of the application."""
    app.config["TRUSTED_HOSTS"] = app.config["TRUSTED_HOSTS"] or None
    app.before_request_funcs.setdefault(None, []).insert(
        0, check_host
    )  # before anything builds a link from it
    app.before_request(refuse_cross_site)
