"""The listening socket, TCP or unix."""

import os
import socket
from pathlib import Path

BACKLOG = 1024


def listen(host: str, port: int, unix_socket: str | None) -> socket.socket:
    """The listening socket: the one that systemd passed on (sd_listen_fds), else a new one. An
    OSError has the address as its filename.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=3)
    try:
        if unix_socket:
            return _listen_unix(unix_socket)
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise OSError(error.errno, error.strerror, unix_socket or f"{host}:{port}") from None


def _listen_unix(name: str) -> socket.socket:
    path = Path(name)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if path.is_socket() and probe.connect_ex(name) != 0:
            path.unlink()  # left behind by a process that is gone
    listening.bind(name)
    path.chmod(0o660)  # noqa: S103 # the proxy in front is of the same group
    listening.listen(BACKLOG)
    return listening


def address(listening: socket.socket) -> str:
    """Where a socket listens, as in `http://127.0.0.1:8000` or `unix:/run/bookapi.sock`."""
    name = listening.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"
