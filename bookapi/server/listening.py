"""The listening socket: opened or handed over, and shut so that nobody is let in to be dropped."""

import ctypes
import os
import socket
import stat
import struct
import sys

HANDED_OVER = "_BOOKAPI_WORKER"  # in a worker's environment: file numbers of the socket and of the pipe to be ready on
BACKLOG = 1024
_SO_ATTACH_FILTER = 26  # <asm-generic/socket.h>; Python does not name it
# For each segment that reaches the listening socket: load its flags, keep SYN and ACK, drop it if only SYN is set.
_NO_NEWCOMERS = (
    (0x30, 0, 0, 13),
    (0x54, 0, 0, 0x12),
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def listen(host: str, port: int, unix_socket: str | None) -> socket.socket:
    """The listening socket: the one handed over by a supervisor, else a new one. An OSError names the address."""
    if HANDED_OVER in os.environ:
        return socket.socket(fileno=int(os.environ[HANDED_OVER].split(",")[0]))
    where = unix_socket or f"{host}:{port}"
    try:
        if unix_socket:
            return _listen_unix(unix_socket)
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise OSError(error.errno, error.strerror, where) from None


def _listen_unix(path: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with probe:
        if (
            os.path.exists(path)
            and stat.S_ISSOCK(os.stat(path).st_mode)
            and probe.connect_ex(path) != 0
        ):
            os.unlink(path)  # left behind by a process that is gone
    listening.bind(path)
    os.chmod(path, 0o660)  # nosec B103 # the proxy in front is of the same group
    listening.listen(BACKLOG)
    return listening


def shut(listening: socket.socket) -> None:
    """From here on the kernel accepts no new connection on a TCP socket, in any process that holds it.

    Closing alone would reset whom the kernel let in since the last `accept`. With the filter (socket(7)), who asks
    now is neither let in nor refused until the socket is closed, and one whose handshake is under way gets in.
    """
    if not sys.platform.startswith("linux") or listening.family == socket.AF_UNIX:
        return
    steps = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *step) for step in _NO_NEWCOMERS)
    )
    program = struct.pack("HL", len(_NO_NEWCOMERS), ctypes.addressof(steps))
    try:
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        pass  # a system without filters: only the rare newcomer of this very moment is at stake
