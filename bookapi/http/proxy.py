"""What a trusted proxy says about its client, by the X-Forwarded headers.

They are believed from the peers of TRUSTED_PROXY alone, and removed from every other request. In a
list the last value counts: it is the one that the trusted proxy itself added. A value that is no
address, scheme, port or path is ignored; the host is checked with every other
(`security.check_host`). The header of PROXY_USER_HEADER, which names who signed in at the proxy, is
believed from the same peers.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from .security import DEFAULT_PORTS

USER = "bookapi.proxy_user"  # in the environ: who signed in at the trusted proxy
UNIX = "unix"  # in TRUSTED_PROXY: the peer of a unix socket
_UNIX_PEERS = ("", "localhost")  # its REMOTE_ADDR, by server
_ABOUT = ("FOR", "PROTO", "HOST", "PORT", "PREFIX")
_HEADERS = {f"HTTP_X_FORWARDED_{name}": name for name in _ABOUT} | {"HTTP_FORWARDED": ""}
_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")
_FOR = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?|([0-9A-Fa-f:.]+)")
_PORT = re.compile(r":[0-9]+$")

Environ = dict[str, Any]


class ProxyMiddleware:
    """The application as seen by the clients of the `trusted` proxies (addresses, networks or
    `UNIX`). `user_header`: where they name who signed in.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        trusted: list[str],
        user_header: str | None = None,
    ):
        self._app, self._unix = app, UNIX in trusted
        self._user_key = f"HTTP_{user_header}".upper().replace("-", "_") if user_header else ""
        self._keys = (*_HEADERS, self._user_key)
        self._networks = [ipaddress.ip_network(each) for each in trusted if each != UNIX]

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not environ.keys().isdisjoint(self._keys):
            given = {
                name: environ.pop(key).rpartition(",")[2].strip()
                for key, name in _HEADERS.items()
                if key in environ
            }
            user = environ.pop(self._user_key, "").strip()
            if self._trusts(environ.get("REMOTE_ADDR", "")):
                _apply(environ, given)
                if user:
                    environ[USER] = user
        return self._app(environ, start_response)

    def _trusts(self, peer: str) -> bool:
        if peer in _UNIX_PEERS:
            return self._unix
        address = _address(peer)
        return address is not None and any(address in network for network in self._networks)


def _apply(environ: Environ, given: dict[str, str]) -> None:
    client = _FOR.fullmatch(given.get("FOR", "").strip('"'))
    address = client and _address(client[1] or client[2] or client[3])
    if address:
        environ["REMOTE_ADDR"] = str(address)
    scheme = given.get("PROTO", "").lower()
    if scheme in DEFAULT_PORTS:
        environ["wsgi.url_scheme"] = scheme
    if given.get("HOST"):
        environ["HTTP_HOST"] = given["HOST"]
    host, port = environ.get("HTTP_HOST", ""), given.get("PORT", "")
    if re.fullmatch("[0-9]{1,5}", port):
        environ["SERVER_PORT"] = port
        default = DEFAULT_PORTS[environ["wsgi.url_scheme"]]
        if host and f":{port}" != default and not _PORT.search(host):
            environ["HTTP_HOST"] = f"{host}:{port}"
    if _PREFIX.fullmatch(given.get("PREFIX", "")):
        environ["SCRIPT_NAME"] = given["PREFIX"].rstrip("/")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; one of IPv4 in IPv6 (of a socket that takes both) as the IPv4 that it is."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def init_app(app: Flask) -> None:
    """Put it before everything else."""
    config = app.config
    app.wsgi_app = ProxyMiddleware(  # type: ignore[method-assign]
        app.wsgi_app, config["TRUSTED_PROXY"], config["PROXY_USER_HEADER"]
    )
