"""waitress with the contract's refusals: problems instead of plain text, and in the contract's order.

waitress reads a whole body before the application is entered, so a body that is too large has to be swallowed
here for the application to refuse the request as it would have: as 401, 403 or 415 where those come first. The body of
an import may be large, and is kept in a file; but only for who brings a cookie that this service signed.
"""
import copy
import functools
from http import HTTPStatus
from io import BytesIO
from urllib.parse import quote

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import Error, build_http_date

from .. import formats, guard
from ..logs import new_request_id
from ..negotiation import best, import_addresses
from ..problems import document

MAX_REQUEST_LINE = 8 * 1024
MAX_HEADERS = 64 * 1024
SWALLOWED = 64 * 1024 * 1024  # of a body too large; beyond it the connection is cut after the answer
FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port")
IDLE_SECONDS = 120
CONNECTIONS = 1000
SENT_TOGETHER = 64 * 1024  # an answer's headers and body in one packet; with waitress's default of 1 they are two
UNSENT_BYTES = 1024 * 1024  # of one answer in memory before its writer waits for the client


class _UriTooLong(Error):
    code, reason = 414, "URI Too Long"


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


class _Refusal(ErrorTask):
    """What waitress itself refuses, as a problem in the format the client asked for, as far as it was understood."""

    def execute(self) -> None:
        error, headers = self.request.error, self.request.headers
        documents = tuple(formats.having("dumps"))
        chosen = best(headers.get("ACCEPT", ""), documents) or documents[0]
        body = chosen.problem(document(error.code, _DETAILS.get(error.code, "this is no valid HTTP request"), "/"))
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [*guard.HEADERS, ("Content-Type", chosen.problem_type),
                                  ("Cache-Control", "no-store"), (guard.REQUEST_ID, new_request_id())]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


_DETAILS = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than this service takes",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"the request line may have at most {MAX_REQUEST_LINE} bytes",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"the headers may have at most {MAX_HEADERS} bytes",
    HTTPStatus.NOT_IMPLEMENTED: "that transfer coding is not known here",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the service failed; the request id finds the reason in its log",
}


class _Task(WSGITask):
    """A request being answered. waitress takes its time over headers, and ends a kept-alive connection behind an answer
    that has no body at all: both are mended here for the answers that are whole, which nearly all are."""

    def build_response_header(self) -> bytes:
        if self.channel.server.draining or "close" in self._connection():
            self.set_close_on_finish()
        if not self._is_whole():
            return super().build_response_header()
        lines = [f"HTTP/1.1 {self.status}", *map("%s: %s".__mod__, self.response_headers),
                 f"Date: {_date(int(self.start_time))}\r\n\r\n"]
        return "\r\n".join(lines).encode("latin-1")

    def _is_whole(self) -> bool:
        """An answer of known length on a connection that stays; nothing of it is left for waitress to decide."""
        told = any(name == "Content-Length" for name, _ in self.response_headers)
        return self.version == "1.1" and not self.close_on_finish and (told == self.has_body or self._is_head())

    def finish(self) -> None:
        """The end of an answer; one to HEAD has no body, not even the mark that ends one in chunks."""
        if self._is_head() and not self.wrote_header:
            self.write(b"")
        self.chunked_response = self.chunked_response and not self._is_head()
        super().finish()

    def _is_head(self) -> bool:
        return self.request.command == "HEAD"

    def _connection(self) -> list[str]:
        """What the client says of the connection (RFC 9110, section 7.6.1)."""
        given = self.request.headers.get("CONNECTION", "")
        return [option.strip().lower() for option in given.split(",")] if given else []

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


class _Channel(HTTPChannel):
    parser_class, task_class, error_task_class = _Parser, _Task, _Refusal

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


def create(app: Flask, listening, map: dict, threads: int) -> BaseWSGIServer:
    """A waitress server on a listening socket; while `draining` it closes each connection with its answer."""
    proxy = app.config["TRUSTED_PROXY"]
    trusted = {"trusted_proxy": proxy, "trusted_proxy_count": 1,
               "trusted_proxy_headers": set(FORWARDED)}
    server = create_server(
        app, map=map, sockets=[listening], threads=threads, ident=None, clear_untrusted_proxy_headers=True,
        max_request_header_size=MAX_HEADERS, max_request_body_size=app.config["MAX_BODY_BYTES"] + SWALLOWED,
        outbuf_high_watermark=UNSENT_BYTES, connection_limit=CONNECTIONS, channel_timeout=IDLE_SECONDS,
        asyncore_use_poll=True, **(trusted if proxy else {}))
    server.adj.send_bytes = SENT_TOGETHER
    _limit_bodies(server.adj, app)
    server.channel_class = _Channel
    server.draining = False
    return server


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
    return app.session_interface.is_ours(app, headers.get("COOKIE", ""))
