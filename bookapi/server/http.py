"""waitress as this service has it: who waits for which thread, and who is answered by the main loop itself.

That are those who may not wait for a thread (`load`), and those who keep the service waiting (`pace`). Addresses that
hash passwords have threads of their own, so that a storm of sign-ins leaves the others to everybody else.
"""

import os
import socket

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.server import BaseWSGIServer, TcpWSGIServer, UnixWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import Error

from ..http.endpoints import Cost, requests_costing
from . import proxy
from .answering import Answering, Refusal, TooSlow
from .load import Load
from .pace import Pace
from .parsing import MAX_HEADERS, SWALLOWED, Busy, Parser, limit_bodies

IDLE_SECONDS = 120
CONNECTIONS = 1000
SENT_TOGETHER = (
    64 * 1024
)  # an answer's headers and body in one packet; with waitress's default of 1 they are two
UNSENT_BYTES = 1024 * 1024  # of one answer in memory before its writer waits for the client
LOOK_SECONDS = 1  # between two looks at clients that may be too slow
PROBES = (
    "/healthz",
    "/readyz",
)  # never refused: a service that is busy must not be taken for a dead one
MAX_HASHING = 4  # threads; a hash keeps a processor to itself
MAX_IN_LINE = 100  # for them: some seconds


class _Channel(HTTPChannel):
    parser_class, task_class, error_task_class = Parser, Answering, Refusal
    hashing = False  # its first request waits for a thread that hashes
    turned_away = False  # its first request may not wait for a thread
    sent = 0  # bytes

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self._pace = Pace()

    def received(self, data: bytes) -> bool:
        """waitress asks for a thread while it holds a lock that answering needs: who gets none is answered after it."""
        done = super().received(data)
        if self.turned_away:
            self.turn_away()
        return done

    def service(self) -> None:
        """In a thread: answer the first request, and see to the next that had come with it."""
        if not self.hashing:
            self.server.load.take()
        super().service()
        if self.turned_away:
            self._refuse()
            self.server.pull_trigger()

    def turn_away(self, error: Error | None = None) -> None:
        """In the main loop: refuse the first request, and send that, for the loop's next turn may take its time."""
        self._refuse(error)
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some)

    def _refuse(self, error: Error | None = None) -> None:
        """Answer the first request without a thread; as 503 unless it is to be refused for what it is.

        It is waitress's `service` without what wakes the main loop: each call of the system lets a thread go first.
        """
        self.turned_away, request = False, self.requests[0]
        request.error = error or request.error or Busy("")
        task = Refusal(self, request)
        try:
            task.service()
        except ClientDisconnected:
            task.close_on_finish = True
        with self.requests_lock:
            self.close_when_flushed = task.close_on_finish
            for each in self.requests:
                each.close()
            self.requests = []

    def send(self, data: bytes, do_close: bool = True) -> int:
        count = super().send(data, do_close)
        self.sent += count
        return count

    def look(self) -> None:
        """Give a client up that has us wait: for its headers, for its body, or until it takes its answer."""
        if self.total_outbufs_len:
            if self._pace.too_slow("answer", self.sent):
                self.handle_close()  # what is left could not be sent, not even that it is the end
        elif self.requests or self.request is None:
            self._pace.rest()
        elif self._keeps_us_waiting(self.request):
            self.requests, self.request = [self.request], None
            self.turn_away(TooSlow(""))

    def _keeps_us_waiting(self, request: Parser) -> bool:
        if not request.headers_finished:
            return self._pace.late_with_header((request, "header"))
        return self._pace.too_slow(request, request.body_bytes_received)

    def send_continue(self) -> None:
        """100 where a body is still to come. waitress says it to a whole request, too, and then forgets that one."""
        if self.request.completed or self.request.error:
            self.request.expect_continue = False
        else:
            super().send_continue()

    def handle_close(self) -> None:
        """The end of a connection; what it had sent of a request does not lie in a file until somebody tidies up."""
        super().handle_close()
        unfinished, self.request = self.request, None
        if unfinished is not None:
            unfinished.close()

    def idle(self) -> bool:
        """Nothing received, nothing under way, nothing left to send."""
        return not (self.requests or self.request or self.total_outbufs_len)


class _Server(BaseWSGIServer):
    """What both kinds of waitress's server do here. While `draining` it closes each connection with its answer."""

    channel_class, draining = _Channel, False
    load: Load
    hashers: ThreadedTaskDispatcher
    hashing: frozenset[tuple[str, str]]  # (method, path)

    def add_task(self, channel: _Channel) -> None:
        """Let the first request of a channel wait for a thread, or have the channel turn it away."""
        channel.hashing = _address(channel) in self.hashing
        if channel.hashing and len(self.hashers.queue) < MAX_IN_LINE:
            self.hashers.add_task(channel)
        elif not channel.hashing and self.load.admit(always=_is_probe(channel)):
            super().add_task(channel)
        else:
            channel.turned_away = True

    def stop_threads(self) -> None:
        """Have all threads end, the requests that wait for one be given up."""
        for dispatcher in (self.task_dispatcher, self.hashers):
            dispatcher.shutdown()

    def readable(self) -> bool:
        """What is done in each turn of the loop, besides."""
        for channel in self._surplus():
            self.load.drop()
            channel.turn_away()
        return super().readable()

    def _surplus(self) -> list[_Channel]:
        """Channels taken out of the queue again, the last that came first."""
        number, dispatcher = self.load.surplus(), self.task_dispatcher
        if not number:
            return []
        with dispatcher.lock:
            found = [channel for channel in dispatcher.queue if not _is_probe(channel)][
                : -number - 1 : -1
            ]
            for channel in found:
                dispatcher.queue.remove(channel)
        return found

    def maintenance(self, now: float) -> None:
        """What is done every LOOK_SECONDS."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            channel.look()


def _address(channel: _Channel) -> tuple[str | None, str | None]:
    """(method, path) of the first request, as far as it was understood."""
    request = channel.requests[0]
    return getattr(request, "command", None), getattr(request, "path", None)


def _is_probe(channel: _Channel) -> bool:
    return _address(channel)[1] in PROBES


class _TcpServer(_Server, TcpWSGIServer):
    pass


class _UnixServer(_Server, UnixWSGIServer):
    pass


def create(app: Flask, listening: socket.socket, map: dict, threads: int) -> _Server:
    """A waitress server on a listening socket."""
    adjustments = Adjustments(sockets=[listening], **_settings(app))
    adjustments.send_bytes = SENT_TOGETHER
    limit_bodies(adjustments, app)
    kind = _UnixServer if listening.family == socket.AF_UNIX else _TcpServer
    server = kind(
        proxy.behind(app),
        map,
        _sock=listening,
        dispatcher=_threads(threads),
        adj=adjustments,
        bind_socket=False,
        sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()),
    )
    server.load = Load(threads, app.logger.warning)
    server.hashers = _threads(min(MAX_HASHING, (os.cpu_count() or 1) // 2 + 1))
    server.hashing = requests_costing(app, Cost.HASHING)
    return server


def _threads(number: int) -> ThreadedTaskDispatcher:
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(number)
    return dispatcher


def _settings(app: Flask) -> dict:
    """What waitress is told."""
    return {
        "ident": None,
        "server_name": "localhost",
        "clear_untrusted_proxy_headers": False,
        "max_request_header_size": MAX_HEADERS,
        "max_request_body_size": app.config["MAX_BODY_BYTES"] + SWALLOWED,
        "outbuf_high_watermark": UNSENT_BYTES,
        "connection_limit": CONNECTIONS,
        "channel_timeout": IDLE_SECONDS,
        "cleanup_interval": LOOK_SECONDS,
        "asyncore_use_poll": True,
    }
