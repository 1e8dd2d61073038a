"""One process that serves until it is told to stop, and then loses no answer."""

import os
import socket
import time
from collections.abc import Callable

from flask import Flask
from waitress import wasyncore

from . import http

DRAIN_SECONDS = 30  # for all that is under way
LINGER_SECONDS = (
    3  # for idle connections: longer than a proxy keeps its own (NGINX: keepalive_timeout 2s)
)
TICK_SECONDS = 1
SETTLE_SECONDS = 0.25  # for those whose connection is being made when the door is shut


class Worker:
    """Serves on a listening socket. `stop` may be called from a signal handler."""

    def __init__(
        self, app: Flask, listening: socket.socket, threads: int, parent: int | None = None
    ):
        self._map: dict = {}
        self._listening = listening
        self._server = http.create(app, listening, self._map, threads)
        self.load = self._server.load
        self._stopping = False
        self._parent = parent

    def stop(self, *args) -> None:
        """Begin to drain."""
        self._stopping = True
        self._server.pull_trigger()

    def run(
        self,
        each_turn: Callable[[], None] = lambda: None,
        before_drain: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve until `stop`, or until a parent that was named is gone; then drain.

        `each_turn` runs at least once a second.
        """
        while not self._stopping and self._parent in (None, os.getppid()):
            self._turn(TICK_SECONDS)
            each_turn()
        before_drain()
        self._drain()

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)

    def _drain(self) -> None:
        """Take who has connected already, answer all, and end each connection with its answer."""
        server = self._server
        server.draining = True
        shut = time.monotonic()
        while time.monotonic() - shut < SETTLE_SECONDS:
            self._turn(0.05)
        self._accept_waiting()
        wasyncore.dispatcher.close(server)
        begun = time.monotonic()
        while server.active_channels and time.monotonic() - begun < DRAIN_SECONDS:
            if time.monotonic() - begun > LINGER_SECONDS:
                for channel in list(server.active_channels.values()):
                    if channel.idle():
                        channel.will_close = True
            self._turn(0.1)
        server.stop_threads()
        wasyncore.close_all(self._map)

    def _accept_waiting(self) -> None:
        """The kernel has accepted these connections for us; closing the door on them would reset them."""
        poll = wasyncore.select.poll()
        poll.register(self._listening, wasyncore.select.POLLIN)
        while poll.poll(0):
            self._server.handle_accept()
