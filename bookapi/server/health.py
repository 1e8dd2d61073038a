"""``bookapi health``: whether a service on this machine can serve, as an exit status, for
containers without curl. Loads nothing of the application.

A service writes the address where it listens into a file of its instance folder, so that `health`
needs no options.
"""

import http.client
import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import click

from .listening import address

ADDRESS_FILE = "address"


def write_address(instance_path: str, listening: socket.socket) -> None:
    """Tell `health` where this service listens. An instance may be read-only: then its operator
    names the address."""
    with suppress(OSError):
        Path(instance_path, ADDRESS_FILE).write_text(address(listening))


def _read_address() -> str:
    folder = os.environ.get("BOOKAPI_INSTANCE_PATH")
    if not folder:
        from flask import Flask

        folder = Flask("bookapi").instance_path
    with suppress(OSError, UnicodeDecodeError):
        return Path(folder, ADDRESS_FILE).read_text()
    return ""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command("health")
@click.option("--host", help="Default: that of this instance's service, else 127.0.0.1.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Default: that of this instance's service, else 8000.",
)
@click.option("--unix-socket", help="Ask there instead of on a port.")
@click.option("--timeout", default=4.0, show_default=True, help="Seconds.")
def health(host: str | None, port: int | None, unix_socket: str | None, timeout: float) -> None:
    """Exit with 0 if the service answers /readyz with 200, else with 1."""
    known = "" if host or port or unix_socket else _read_address()
    unix_socket = unix_socket or known.partition("unix:")[2]
    if known and not unix_socket:
        host, port = urlsplit(known).hostname, urlsplit(known).port
    if host in ("0.0.0.0", "::"):  # noqa: S104 (all addresses: this machine's, too)
        host = None
    connection = (
        _UnixConnection(unix_socket, timeout)
        if unix_socket
        else http.client.HTTPConnection(host or "127.0.0.1", port or 8000, timeout=timeout)
    )
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"the service does not answer: {error}") from None
    finally:
        connection.close()
    if status != 200:
        raise click.ClickException(f"the service is not ready: /readyz answers {status}")
    click.echo("ready")
