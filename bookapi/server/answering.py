"""How answers leave: waitress's tasks, with what it refuses itself told as problems."""

import functools
import random
from http import HTTPStatus

from waitress.task import ErrorTask, Task, WSGITask
from waitress.utilities import Error, build_http_date

from .. import formats
from ..http import security
from ..http.negotiation import best
from ..http.problems import document
from ..logs import REQUEST_ID, new_request_id_for
from .load import RETRY_AFTER
from .parsing import MAX_HEADERS, MAX_REQUEST_LINE, Busy


class TooSlow(Error):
    code, reason = 408, "Request Timeout"


class _Answer(Task):
    """An answer on its way out. waitress takes its time over headers: those of an answer that is whole, as nearly all
    are, are written here, and together with its body."""

    def build_response_header(self) -> bytes:
        if not self._is_whole():
            return super().build_response_header()
        lines = [
            f"HTTP/1.1 {self.status}",
            *map("%s: %s".__mod__, self.response_headers),
            f"Date: {_date(int(self.start_time))}\r\n\r\n",
        ]
        return "\r\n".join(lines).encode("latin-1")

    def _is_whole(self) -> bool:
        """An answer of known length on a connection that stays; nothing of it is left for waitress to decide."""
        told = any(name == "Content-Length" for name, _ in self.response_headers)
        return (
            self.version == "1.1"
            and not self.close_on_finish
            and (told == self.has_body or is_head(self))
        )

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


class Refusal(_Answer, ErrorTask):
    """What waitress itself refuses, as a problem in the format the client asked for, as far as it was understood."""

    def execute(self) -> None:
        error, headers = self.request.error, self.request.headers
        chosen = best(headers.get("ACCEPT", ""), _documents()) or _documents()[0]
        body = _told(chosen, error.code)
        given = headers.get("X_REQUEST_ID")
        # A new id is needed by nobody as a secret; the system's own randomness would let a thread go first.
        new_id = f"{random.getrandbits(128):032x}"  # nosec B311
        request_id = new_request_id_for({"HTTP_X_REQUEST_ID": given}) if given else new_id
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [
            *security.HEADERS,
            ("Content-Type", chosen.problem_type),
            ("Content-Length", str(len(body))),
            ("Vary", "Accept"),
            ("Cache-Control", "no-store"),
            (REQUEST_ID, request_id),
        ]
        if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.response_headers.append(("Retry-After", str(RETRY_AFTER)))
        if not self._may_stay():
            self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if is_head(self) else body)

    def _may_stay(self) -> bool:
        """Whether the connection is kept: a new one would cost a busy service more than the next refusal does. Who has
        sent more requests behind this one has to begin anew, so that a refusal costs a client something, too."""
        return (
            isinstance(self.request.error, Busy)
            and len(self.channel.requests) == 1
            and not _must_close(self)
        )


@functools.cache
def _documents() -> tuple[formats.Format, ...]:
    return tuple(formats.having("dumps"))


@functools.cache
def _told(chosen: formats.Format, status: int) -> bytes:
    """The body of a refusal."""
    return chosen.problem(
        document(status, _DETAILS.get(status, "this is no valid HTTP request"), "/")
    )


_DETAILS = {
    HTTPStatus.REQUEST_TIMEOUT: "the request took too long to arrive",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than this service takes",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"the request line may have at most {MAX_REQUEST_LINE} bytes",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: f"the headers may have at most {MAX_HEADERS} bytes",
    HTTPStatus.NOT_IMPLEMENTED: "that transfer coding is not known here",
    HTTPStatus.INTERNAL_SERVER_ERROR: "the service failed; the request id finds the reason in its log",
    HTTPStatus.SERVICE_UNAVAILABLE: "the service is busy; try again in a moment",
}


def is_head(task: Task) -> bool:
    return getattr(task.request, "command", None) == "HEAD"


def _must_close(task: Task) -> bool:
    """Whether this answer is the last on its connection: by our wish, or the client's (RFC 9110, section 7.6.1)."""
    given = task.request.headers.get("CONNECTION", "")
    return (
        task.channel.server.draining
        or bool(given)
        and "close" in [option.strip().lower() for option in given.split(",")]
    )


class Answering(_Answer, WSGITask):
    """A request being answered. waitress ends a kept-alive connection behind an answer that has no body at all, or
    leaves it out of step: that is mended here."""

    def build_response_header(self) -> bytes:
        if _must_close(self):
            self.set_close_on_finish()
        return super().build_response_header()

    def finish(self) -> None:
        """The end of an answer; one to HEAD has no body, not even the mark that ends one in chunks."""
        if is_head(self) and not self.wrote_header:
            self.write(b"")
        self.chunked_response = self.chunked_response and not is_head(self)
        super().finish()
