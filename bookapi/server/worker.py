"""One process that serves the application by waitress until SIGTERM, and then finishes what is in
progress.

waitress is used by its documented function and public attributes only: what it refuses by itself
(no HTTP, headers or a body over its limits) is answered in its own words.
"""

import gc
import select
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from ..http.load import LOAD, Load
from ..http.spool import SPOOL, Spool
from ..http.strict import without_length
from . import limits
from .sharing import Share, open_counts
from .supervisor import DRAIN_SECONDS

MAX_UNSENT = 1024 * 1024  # bytes of answers that a client has not read; then its connection ends
LINGER_SECONDS = 3  # for idle connections; longer than NGINX keeps its own (keepalive_timeout 2s)
# Bytes of a request line and headers; waitress takes time in the square of the blanks in them.
MAX_HEADERS = 16 * 1024
CONNECTIONS = 1500


def adjustments(config: dict[str, Any], threads: int) -> dict[str, Any]:
    """The settings of waitress.
    https://docs.pylonsproject.org/projects/waitress/en/stable/arguments.html
    """
    return {
        "threads": threads,
        "ident": None,  # no Server header
        "server_name": "localhost",
        "clear_untrusted_proxy_headers": False,  # http/proxy.py does
        "connection_limit": CONNECTIONS,
        "channel_timeout": 30,
        "cleanup_interval": 5,
        "asyncore_use_poll": True,
        "max_request_header_size": MAX_HEADERS,
        # Flask refuses what is too large for its address. waitress counts the framing of chunks,
        # too, and refuses a body of exactly its limit.
        "max_request_body_size": config["MAX_IMPORT_BYTES"] * 17 // 16 + 1,
        # A thread must not wait while a file is being sent in front of its answer.
        "outbuf_high_watermark": config["EXPORT_SPOOL_BYTES"] + 2 * MAX_UNSENT,
        "send_bytes": 64 * 1024,  # an answer's headers and body in one packet
    }


class Worker:
    """Serves on a listening socket. `stop` may be called from a signal handler."""

    def __init__(
        self,
        app: Flask,
        listening: socket.socket,
        threads: int,
        workers: int = 1,
        share: Share | None = None,
    ):
        temporary = app.config["MAX_IMPORT_BYTES"] + app.config["EXPORT_SPOOL_BYTES"]
        for warning in limits.warnings(CONNECTIONS, temporary):
            app.logger.warning(warning)
        self._map: dict[int, Any] = {}
        self._listening, self._draining = listening, False
        self._share = share or Share(open_counts(1), 0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "send_bytes", DeprecationWarning)
            self._server = create_server(
                closing_when(lambda: self._draining, app),
                map=self._map,
                sockets=[listening],
                **adjustments(app.config, threads),
            )
        app.extensions[SPOOL] = Spool(app.config["EXPORT_SPOOL_BYTES"] // workers)
        app.extensions[LOAD] = Load(threads, self._server.task_dispatcher.queue)

    def stop(self, *_: Any) -> None:
        """Begin to drain."""
        self._draining = True
        self._server.pull_trigger()

    def run(self, sample: Callable[[], Any] = int) -> None:
        """Serve until `stop`, then drain; `sample` is called about once a second."""
        gc.collect()
        gc.freeze()  # what is there now stays; looking through it again and again takes time
        sampled = 0.0
        while not self._draining:
            self._server.accepting, seconds = self._share.turn(len(self._server.active_channels))
            self._turn(seconds)
            if time.monotonic() > sampled + 1:
                sampled = time.monotonic()
                sample()
        self._drain()

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _drain(self) -> None:
        """Answer all who have connected, for at most DRAIN_SECONDS; each connection ends with its
        answer.
        """
        server, begun = self._server, time.monotonic()
        self._share.leave()
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        while poll.poll(0):  # the kernel has accepted these; closing the socket would reset them
            server.handle_accept()
        wasyncore.dispatcher.close(server)
        while server.active_channels and time.monotonic() - begun < DRAIN_SECONDS:
            self._turn(0.1)
            if time.monotonic() - begun > LINGER_SECONDS:
                for channel in list(server.active_channels.values()):
                    if not (channel.requests or channel.request or channel.total_outbufs_len):
                        channel.will_close = True
        server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map)


def closing_when(draining: Callable[[], bool], app: Callable[..., Any]) -> Callable[..., Any]:
    """The application, whose answers end their connections while `draining`, and where the client
    sends further requests although more than MAX_UNSENT bytes of earlier answers are unread.
    """

    def called(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        channel = environ["waitress.client_disconnected"].__self__
        last = draining() or channel.total_outbufs_len > MAX_UNSENT
        if last and environ["REQUEST_METHOD"] != "HEAD":
            return without_length(app, environ, start_response)
        return app(environ, start_response)  # type: ignore[no-any-return]

    return called
