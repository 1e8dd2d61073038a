"""Tells systemd how the service is (Type=notify).

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as `READY=1` to the socket that systemd names; nothing without one."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if name[:1] not in ("/", "@"):
        return
    with (
        contextlib.suppress(OSError),  # systemd is restarting, or does not listen any more
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.settimeout(1)
        sender.sendto(state.encode(), name.replace("@", "\0", 1) if name[0] == "@" else name)
