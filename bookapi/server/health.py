"""``bookapi health``: whether a service on this machine can serve, as an exit status, for
containers without curl. Loads nothing of the application.
"""

import http.client
import socket

import click


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@click.command("health")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--unix-socket", help="Ask there instead of on a port.")
@click.option("--timeout", default=4.0, show_default=True, help="Seconds.")
def health(host: str, port: int, unix_socket: str | None, timeout: float) -> None:
    """Exit with 0 if the service answers /readyz with 200, else with 1."""
    connection = (
        _UnixConnection(unix_socket, timeout)
        if unix_socket
        else http.client.HTTPConnection(host, port, timeout=timeout)
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
