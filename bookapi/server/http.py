"""waitress with the contract's refusals: problems instead of plain text, and in the contract's order.

waitress reads a whole body before the application is entered, so a body that is too large has to be swallowed
here for the application to refuse the request as it would have: as 401, 403 or 415 where those come first. The body of
an import may be large, and is kept in a file; but only for who brings a cookie that this service signed.

Who may not wait for a thread (`load`), or keeps the service waiting (`pace`), is answered by the main loop itself.
"""
import copy
import functools
import random
import socket
from http import HTTPStatus
from io import BytesIO
from types import ModuleType
from urllib.parse import quote

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, TcpWSGIServer, UnixWSGIServer
from waitress.task import ErrorTask, Task, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import Error, build_http_date

from .. import formats, guard
from ..logs import new_request_id_for
from ..negotiation import best, import_addresses
from ..problems import document
from .load import RETRY_AFTER, Load
from .pace import Pace

MAX_REQUEST_LINE = 8 * 1024
MAX_HEADERS = 64 * 1024
SWALLOWED = 64 * 1024 * 1024  # of a body too large; beyond it the connection is cut after the answer
FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
IDLE_SECONDS = 120
CONNECTIONS = 1000
SENT_TOGETHER = 64 * 1024  # an answer's headers and body in one packet; with waitress's default of 1 they are two
UNSENT_BYTES = 1024 * 1024  # of one answer in memory before its writer waits for the client
LOOK_SECONDS = 1  # between two looks at clients that may be too slow
PROBES = ("/healthz", "/readyz")  # never refused: a service that is busy must not be taken for a dead one


class _UriTooLong(Error):
    code, reason = 414, "URI Too Long"


class _TooSlow(Error):
    code, reason = 408, "Request Timeout"


class _Busy(Error):
    code, reason = 503, "Service Unavailable"


class _Body(OverflowableBuffer):
    """A request's body; of one that is longer than `keep` bytes only the length."""

    def __init__(self, overflow: int, keep: int):
        super().__init__(overflow)
        self.keep, self.dropped = keep, 0

    def append(self, data: bytes) -> None:
        if not self.dropped and len(self) + len(data) <= self.keep:
            super().append(data)
            return
        self.dropped = len(self) + len(data)
        self.close()
        self.buf, self.strbuf = None, b""

    def __len__(self) -> int:
        return self.dropped or super().__len__()

    def getfile(self):
        return BytesIO() if self.dropped else super().getfile()


_ASCII = bytes(range(128)).decode()


class _Parser(HTTPRequestParser):
    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if not self.headers_finished and not self.completed and len(self.header_plus) > MAX_REQUEST_LINE \
                and b"\n" not in self.header_plus[:MAX_REQUEST_LINE + 2]:
            self.error, self.completed = _UriTooLong(""), True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        line, end, rest = header_plus.partition(b"\r\n")
        if not line.isascii():  # curl and people's own scripts send what they were given; everyone means the same by it
            header_plus = quote(line, safe=_ASCII).encode() + end + rest
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            # Two lengths: the way to smuggle a request past a proxy (RFC 9112, section 6.1).
            raise ParsingError("both Transfer-Encoding and Content-Length")
        if len(self.first_line) > MAX_REQUEST_LINE:
            self.error, self.body_rcv = _UriTooLong(""), None
        elif self.body_rcv is not None:
            self.adj = self.adj.bookapi_of_address.get((self.command, self.path), self.adj)
            keep = self.adj.bookapi_max_body_of(self.headers)
            self.body_rcv.buf = _Body(self.adj.inbuf_overflow, keep)


class _Answer(Task):
    """An answer on its way out. waitress takes its time over headers: those of an answer that is whole, as nearly all
    are, are written here, and together with its body."""

    def build_response_header(self) -> bytes:
        if not self._is_whole():
            return super().build_response_header()
        lines = [f"HTTP/1.1 {self.status}", *map("%s: %s".__mod__, self.response_headers),
                 f"Date: {_date(int(self.start_time))}\r\n\r\n"]
        return "\r\n".join(lines).encode("latin-1")

    def _is_whole(self) -> bool:
        """An answer of known length on a connection that stays; nothing of it is left for waitress to decide."""
        told = any(name == "Content-Length" for name, _ in self.response_headers)
        return self.version == "1.1" and not self.close_on_finish and (told == self.has_body or _is_head(self))

    def write(self, data: bytes) -> None:
        """Headers and body in one piece where the first piece is all there is to come."""
        if self.wrote_header or not data or len(data) != self.content_length or not self.has_body:
            super().write(data)
            return
        self.channel.write_soon(self.build_response_header() + data)
        self.wrote_header, self.content_bytes_written = True, len(data)


@functools.lru_cache(maxsize=2)
def _date(second: int) -> str:
    return build_http_date(second)


class _Refusal(_Answer, ErrorTask):
    """What waitress itself refuses, as a problem in the format the client asked for, as far as it was understood."""

    def execute(self) -> None:
        error, headers = self.request.error, self.request.headers
        chosen = best(headers.get("ACCEPT", ""), _documents()) or _documents()[0]
        body = _told(chosen, error.code)
        given = headers.get("X_REQUEST_ID")
        # A new id is needed by nobody as a secret; the system's own randomness would let a thread go first.
        request_id = new_request_id_for({"HTTP_X_REQUEST_ID": given}) if given else f"{random.getrandbits(128):032x}"
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            *guard.HEADERS, ("Content-Type", chosen.problem_type), ("Content-Length", str(len(body))),
            ("Vary", "Accept"), ("Cache-Control", "no-store"), (guard.REQUEST_ID, request_id)]
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.response_headers.append(("Retry-After", str(RETRY_AFTER)))
        if not self._may_stay():
            self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if _is_head(self) else body)

    def _may_stay(self) -> bool:
        """Whether the connection is kept: a new one would cost a busy service more than the next refusal does. Who has
        sent more requests behind this one has to begin anew, so that a refusal costs a client something, too."""
        return isinstance(self.request.error, _Busy) and len(self.channel.requests) == 1 and not _must_close(self)


@functools.cache
def _documents() -> tuple[ModuleType, ...]:
    return tuple(formats.having("dumps"))


@functools.cache
def _told(chosen: ModuleType, status: int) -> bytes:
    """The body of a refusal."""
    return chosen.problem(document(status, _DETAILS.get(status, "this is no valid HTTP request"), "/"))


_DETAILS = {
    HTTPStatus.REQUEST_TIMEOUT: "the request took too long to arrive",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than this service takes",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"the request line may have at most {MAX_REQUEST_LINE} bytes",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"the headers may have at most {MAX_HEADERS} bytes",
    HTTPStatus.NOT_IMPLEMENTED: "that transfer coding is not known here",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the service failed; the request id finds the reason in its log",
    HTTPStatus.SERVICE_UNAVAILABLE: "the service is busy; try again in a moment",
}


def _is_head(task: Task) -> bool:
    return getattr(task.request, "command", None) == "HEAD"


def _must_close(task: Task) -> bool:
    """Whether this answer is the last on its connection: by our wish, or the client's (RFC 9110, section 7.6.1)."""
    given = task.request.headers.get("CONNECTION", "")
    return task.channel.server.draining or bool(given) and "close" in [
        option.strip().lower() for option in given.split(",")]


class _Task(_Answer, WSGITask):
    """A request being answered. waitress ends a kept-alive connection behind an answer that has no body at all, or
    leaves it out of step: that is mended here."""

    def build_response_header(self) -> bytes:
        if _must_close(self):
            self.set_close_on_finish()
        return super().build_response_header()

    def finish(self) -> None:
        """The end of an answer; one to HEAD has no body, not even the mark that ends one in chunks."""
        if _is_head(self) and not self.wrote_header:
            self.write(b"")
        self.chunked_response = self.chunked_response and not _is_head(self)
        super().finish()


class _Channel(HTTPChannel):
    parser_class, task_class, error_task_class = _Parser, _Task, _Refusal
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
        request.error = error or request.error or _Busy("")
        task = _Refusal(self, request)
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
            self.turn_away(_TooSlow(""))

    def _keeps_us_waiting(self, request: _Parser) -> bool:
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

    def add_task(self, channel: _Channel) -> None:
        """Let the first request of a channel wait for a thread, or have the channel turn it away."""
        if self.load.admit(always=_is_probe(channel)):
            super().add_task(channel)
        else:
            channel.turned_away = True

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
            found = [channel for channel in dispatcher.queue if not _is_probe(channel)][:-number - 1:-1]
            for channel in found:
                dispatcher.queue.remove(channel)
        return found

    def maintenance(self, now: float) -> None:
        """What is done every LOOK_SECONDS."""
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            channel.look()


def _is_probe(channel: _Channel) -> bool:
    return getattr(channel.requests[0], "path", None) in PROBES


class _TcpServer(_Server, TcpWSGIServer):
    pass


class _UnixServer(_Server, UnixWSGIServer):
    pass


def create(app: Flask, listening: socket.socket, map: dict, threads: int) -> _Server:
    """A waitress server on a listening socket."""
    adjustments = Adjustments(sockets=[listening], **_settings(app))
    adjustments.send_bytes = SENT_TOGETHER
    _limit_bodies(adjustments, app)
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(threads)
    kind = _UnixServer if listening.family == socket.AF_UNIX else _TcpServer
    server = kind(app, map, _sock=listening, dispatcher=dispatcher, adj=adjustments, bind_socket=False,
                  sockinfo=(listening.family, listening.type, listening.proto, listening.getsockname()))
    server.load = Load(threads, app.logger.warning)
    return server


def _settings(app: Flask) -> dict:
    """What waitress is told."""
    proxy = app.config["TRUSTED_PROXY"]
    trusted = {"trusted_proxy": proxy, "trusted_proxy_count": 1,
               "trusted_proxy_headers": set(FORWARDED)}
    return {
        "ident": None, "clear_untrusted_proxy_headers": True,
        "max_request_header_size": MAX_HEADERS, "max_request_body_size": app.config["MAX_BODY_BYTES"] + SWALLOWED,
        "outbuf_high_watermark": UNSENT_BYTES, "connection_limit": CONNECTIONS, "channel_timeout": IDLE_SECONDS,
        "cleanup_interval": LOOK_SECONDS, "asyncore_use_poll": True, **(trusted if proxy else {})}


def _limit_bodies(adjustments: Adjustments, app: Flask) -> None:
    """Give waitress's settings the limits of a body, and those of an address that takes a larger one."""
    usual, most = app.config["MAX_BODY_BYTES"], app.config["MAX_IMPORT_BYTES"]
    imports = copy.copy(adjustments)
    imports.max_request_body_size = most + SWALLOWED
    imports.bookapi_max_body_of = lambda headers: most if _is_known(app, headers) else min(usual, most)
    adjustments.bookapi_max_body_of = lambda headers: usual
    adjustments.bookapi_of_address = dict.fromkeys(import_addresses(app), imports)


def _is_known(app: Flask, headers: dict[str, str]) -> bool:
    """Whether a request may come from somebody who is signed in, as far as can be told without the database."""
    return app.session_interface.is_known(app, headers)
