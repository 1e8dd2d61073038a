"""Exports are written to a temporary file and sent from there.

So an export shows one state of the catalogue, and a slow reader holds neither a transaction nor a
thread: a file is sent by the server's main loop (`wsgi.file_wrapper`). Nothing may wrap the body on
its way there. The server closes the file, which gives its bytes back.
"""

import contextlib
import io
import tempfile
import threading
from collections.abc import Generator, Iterable, Sequence
from typing import IO, Any

from flask import Flask, current_app, request

from .. import metrics
from .conditional import is_not_modified
from .negotiation import chosen_format
from .problems import Problem

SPOOL = "bookapi.spool"  # in the application's extensions
IN_MEMORY = 256 * 1024  # bytes


class Spool:
    """The temporary files of a process, which have at most `max_bytes` together."""

    def __init__(self, max_bytes: int):
        self._free, self._lock = max_bytes, threading.Lock()

    def take(self, size: int) -> None:
        """Take so many bytes; 503 if they are not free."""
        with self._lock:
            if size > self._free:
                metrics.REFUSED.labels("spool").inc()
                raise Problem(
                    503,
                    "too many exports are being sent; try again later",
                    {"Retry-After": "10"},
                )
            self._free -= size

    def give_back(self, size: int) -> None:
        """The opposite of `take`."""
        with self._lock:
            self._free += size

    def write(self, chunks: Iterable[bytes]) -> "SpooledFile":
        """A file of these chunks, at its beginning; 503 or 507 where there is no room for it."""
        file = SpooledFile(self)
        try:
            for chunk in chunks:
                file.add(chunk)
            file.seek(0)
        except BaseException as error:
            file.close()
            if isinstance(error, OSError):
                raise Problem(507, "there is no room for temporary files") from None
            raise
        return file


class SpooledFile(io.RawIOBase):
    """A temporary file without a name, in memory while it is small; `size` in bytes."""

    def __init__(self, spool: Spool):
        self._spool, self.size = spool, 0
        self._file: IO[bytes] = io.BytesIO()

    def add(self, chunk: bytes) -> None:
        """Write a chunk at the end."""
        self._spool.take(len(chunk))
        self.size += len(chunk)
        if self.size > IN_MEMORY and isinstance(self._file, io.BytesIO):
            begun, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115
            self._file.write(begun.getbuffer())
        self._file.write(chunk)

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place in the file."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Yes."""
        return True

    def close(self) -> None:
        """Remove the file."""
        size, self.size = self.size, 0
        self._spool.give_back(size)
        with contextlib.suppress(OSError):  # of a full disk: what is not written is not needed
            self._file.close()
        super().close()


def write_books(
    records: Generator[dict[str, Any]], fields: Sequence[str], etag: str
) -> SpooledFile | None:
    """The books in a file, in the format that the client chose; None where no body is wanted.

    `fields` names what each record has, in order.
    """
    with contextlib.closing(records):
        if request.method == "HEAD" or is_not_modified(request.environ, etag):
            return None
        spool: Spool = current_app.extensions[SPOOL]
        return spool.write(chosen_format().write(records, fields))


def init_app(app: Flask) -> None:
    """Give the application its spool; a server with several processes divides it."""
    app.extensions[SPOOL] = Spool(app.config["EXPORT_SPOOL_BYTES"])
