"""Checks that every request passes, and headers that every response has."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app

from ..logs import REQUEST_ID, request_id
from .problems import Problem
from .request import Request

TRUSTED = "bookapi.trusted_hosts"  # in the application's extensions
PAGE_HEADERS = "bookapi.page_headers"  # in the application's extensions
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# Underscores are no part of a host name, but names of containers and NGINX upstreams have them.
# What has a label of more than 63 characters is no name (RFC 1035), and no redirect leads there.
_LABEL = "[a-z0-9_][a-z0-9_-]{0,62}"
_HOST = re.compile(rf"(\[[0-9a-f:.]+\]|(?:{_LABEL}\.)*{_LABEL}\.?)(?::([0-9]{{0,5}}))?", re.ASCII)

HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    (
        "Content-Security-Policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
# For a year browsers ask this host, and those below it, by HTTPS alone (RFC 6797).
HSTS = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")


# Pages load their own style and script, and covers from the hosts that COVERS names. A browser says
# the origin of a form only where it may say the referrer.
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'{covers}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def host_of(environ: Mapping[str, Any]) -> str:
    """The host that a request was sent to, by its WSGI environment, with its port if that is not
    the scheme's own: what links are built from.

    In lower case (RFC 3986, section 3.2.2). werkzeug's own has no host where the name has an
    underscore.
    """
    given: str | None = environ.get("HTTP_HOST")
    if given is None:  # HTTP/1.0
        name, port = environ["SERVER_NAME"], environ.get("SERVER_PORT")
        given = f"{f'[{name}]' if ':' in name else name}:{port}" if port else name
    given = given.lower().removesuffix(":")  # RFC 3986, section 3.2.3: the port may be empty
    return given.removesuffix(DEFAULT_PORTS.get(environ["wsgi.url_scheme"], ""))


def check_host(request: Request) -> None:
    """400 for a Host header that names no host, or one that is not in TRUSTED_HOSTS."""
    if request.declared and request.declared.any_host:
        return
    environ = request.environ
    given = environ.get("HTTP_HOST")
    if given is None and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise Problem(400, "the request has no Host header")  # RFC 9112, section 3.2
    found = _HOST.fullmatch(host_of(environ) if given is None else given.lower())
    if (
        not found
        or not 1 <= int(found[2] or 1) <= 65535
        or (found[1].startswith("[") and not _is_ipv6(found[1][1:-1]))
    ):
        raise Problem(400, "the Host header is not valid")
    trusted = current_app.extensions[TRUSTED]
    if trusted and not is_trusted(found[1], trusted):
        raise Problem(400, "this host is not served here")


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def is_trusted(name: str, trusted: list[str]) -> bool:
    """Whether a host name without its port is among these; one with a leading dot includes
    subdomains.
    """
    return any(
        name == entry.lower().lstrip(".") or entry[0] == "." and name.endswith(entry.lower())
        for entry in trusted
    )


def refuse_cross_site(request: Request) -> None:
    """403 for a change that a browser sends from another site, but for the origins of CORS_ORIGINS.
    Clients that send neither header are no browsers.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin in current_app.config["CORS_ORIGINS"]:
        return
    if site is not None:
        is_foreign = site not in ("same-origin", "none")
    else:
        is_foreign = (
            origin is not None and origin != f"{request.scheme}://{host_of(request.environ)}"
        )
    if is_foreign:
        raise Problem(403, "a change from a page of another site is refused")


def add_headers(request: Request, response: Response) -> None:
    """The headers that every response has; a view may have set its own."""
    headers = response.headers
    is_page = request.format is not None and request.format.is_page
    own = {name for name, _ in headers}
    for header in current_app.extensions[PAGE_HEADERS] if is_page else HEADERS:
        if header[0] not in own:
            headers.add(*header)
    if request.is_secure:
        headers.add(*HSTS)
    headers.add(REQUEST_ID, request_id())


def init_app(app: Flask) -> None:
    """Prepare what the checks and the headers take from the settings."""
    app.extensions[TRUSTED] = app.config["TRUSTED_HOSTS"]
    app.config["TRUSTED_HOSTS"] = None  # Flask's own check would refuse the probes, too
    covers = "".join(f" {'*' * name.startswith('.')}{name}" for name in app.config["COVERS"])
    app.extensions[PAGE_HEADERS] = tuple(
        {
            **dict(HEADERS),
            "Referrer-Policy": "same-origin",
            "Content-Security-Policy": _PAGE_POLICY.format(covers=covers),
        }.items()
    )
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_BODY_BYTES"]
