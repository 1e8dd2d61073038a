"""How requests are read: waitress's parser, strict where two receivers might read one message in different ways, and
with limits.

waitress reads a whole body before the application is entered, so a body that is too large has to be swallowed
here for the application to refuse the request as it would have: as 401, 403 or 415 where those come first. The body of
an import may be large, and is kept in a file; but only for who brings a cookie or a token that this service made.
"""

import copy
import re
import weakref
from io import BytesIO
from urllib.parse import quote

from flask import Flask
from waitress import parser, receiver, rfc7230
from waitress.adjustments import Adjustments
from waitress.buffers import OverflowableBuffer
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, Error

from ..http.endpoints import Cost, requests_costing

MAX_REQUEST_LINE = 8 * 1024
MAX_HEADERS = 64 * 1024
MAX_LARGE = 8  # imports that are being received, in one process
SWALLOWED = (
    64 * 1024 * 1024
)  # of a body too large; beyond it the connection is cut after the answer


class Busy(Error):
    code, reason = 503, "Service Unavailable"


class UriTooLong(Error):
    code, reason = 414, "URI Too Long"


_LARGE: weakref.WeakSet = weakref.WeakSet()  # bodies that may be large and lie somewhere


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

    def close(self) -> None:
        _LARGE.discard(self)
        super().close()

    def getfile(self):
        return BytesIO() if self.dropped else super().getfile()


_ASCII = bytes(range(128)).decode()
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_TARGET = re.compile(r"/|https?://|\*\Z", re.IGNORECASE)  # RFC 9112, section 3.2
_ENCODED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
# As waitress has them, but that its `$` takes a LF before the end, too; and a size that others cannot count is none.
receiver.ONLY_HEXDIG_RE = re.compile(rb"[0-9A-Fa-f]{1,15}\Z")
receiver.CHUNK_EXT_RE = re.compile(rfc7230.CHUNK_EXT.encode("latin-1") + rb"\Z")
# Its own takes the square of the time for a value that begins with blanks; it strips them itself.
parser.HEADER_FIELD_RE = re.compile(
    rb"(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+):(?P<value>[\t\x20-\x7e\x80-\xff]*)\Z"
)


class Parser(HTTPRequestParser):
    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if (
            not self.headers_finished
            and not self.completed
            and len(self.header_plus) > MAX_REQUEST_LINE
            and b"\n" not in self.header_plus[: MAX_REQUEST_LINE + 2]
        ):
            self.error, self.completed = UriTooLong(""), True
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        line, end, rest = header_plus.partition(b"\r\n")
        if _CONTROL.search(line):
            raise ParsingError(
                "a control character in the request line"
            )  # urlsplit would leave it out
        if (
            not line.isascii()
        ):  # curl and people's own scripts send what they were given; everyone means the same by it
            line = quote(line, safe=_ASCII).encode()
        try:
            super().parse_header(line + end + rest)
        except ValueError as error:  # an address that is none, a length of 5,000 digits
            raise ParsingError(str(error)) from None
        if not _TARGET.match(self.request_uri):
            raise ParsingError("the request line has no address")
        self.path = self.path or "/"
        if _ENCODED.search(end + rest):
            self._check_encoding()
        self._limit()

    def _limit(self) -> None:
        if len(self.first_line) > MAX_REQUEST_LINE:
            self.error, self.body_rcv = UriTooLong(""), None
        elif self.body_rcv is not None:
            self.adj = self.adj.bookapi_of_address.get((self.command, self.path), self.adj)
            self._take_body(self.adj.bookapi_max_body_of(self.headers), self.adj.bookapi_usual_body)

    def _take_body(self, keep: int, usual: int) -> None:
        """Keep the body; large ones, which lie on the disk, only so many at a time."""
        large = keep > usual and (self.chunked or self.content_length > usual)
        if large and len(_LARGE) >= MAX_LARGE:
            self.error, self.body_rcv = Busy(""), None
            return
        self.body_rcv.buf = _Body(self.adj.inbuf_overflow, keep if large else min(keep, usual))
        if large:
            _LARGE.add(self.body_rcv.buf)

    def _check_encoding(self) -> None:
        """Whoever reads these in another way finds the request's end elsewhere, and there the beginning of one that was
        smuggled past him (RFC 9112, section 6.1)."""
        if self.version != "1.1" or not self.chunked or "CONTENT_LENGTH" in self.headers:
            raise ParsingError("a Transfer-Encoding that may be read in more than one way")
        self.body_rcv = _Chunks(self.body_rcv.buf)


class _Chunks(receiver.ChunkedReceiver):
    """A body in chunks; what stands around them may be no longer than headers."""

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if max(len(self.control_line), len(self.trailer)) > MAX_HEADERS:
            self.error = BadRequest("too much around the chunks")
        return consumed


def limit_bodies(adjustments: Adjustments, app: Flask) -> None:
    """Give waitress's settings the limits of a body, and those of an address that takes a larger one."""
    usual, most = app.config["MAX_BODY_BYTES"], app.config["MAX_IMPORT_BYTES"]
    imports = copy.copy(adjustments)
    imports.max_request_body_size = most + SWALLOWED
    adjustments.bookapi_usual_body = imports.bookapi_usual_body = usual
    imports.bookapi_max_body_of = lambda headers: (
        most if _is_known(app, headers) else min(usual, most)
    )
    adjustments.bookapi_max_body_of = lambda headers: usual
    adjustments.bookapi_of_address = dict.fromkeys(requests_costing(app, Cost.IMPORT), imports)


def _is_known(app: Flask, headers: dict[str, str]) -> bool:
    """Whether a request may come from somebody who is signed in, as far as can be told without the database."""
    return app.session_interface.is_known(app, headers)
