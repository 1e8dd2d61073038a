"""Whether the files of a SQLite database are still those that were opened.

SQLite itself looks at its files as little as it can: it goes on with a file that was deleted, cut
or overwritten, and what it then acknowledges is gone after a restart. The log (`-wal`) and its
index (`-shm`) are looked at, too; their layout is that of https://sqlite.org/walformat.html.
"""

import contextlib
import mmap
import os
import pwd
import threading
from pathlib import Path
from typing import NamedTuple

HEADER = b"SQLite format 3\0"  # how each database file begins
_INDEX_BYTES = 136  # of the `-shm`: its header, twice, and how far the log was copied to the file
_STATE = 48  # bytes of one of the two headers: each commit changes them
_SALTS, _BACKFILLED, _ATTEMPTED = slice(32, 40), slice(96, 100), slice(128, 132)

Identity = tuple[int, int]


def identity(path: str | Path) -> Identity:
    """(device, inode) of a file."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


class _Look(NamedTuple):
    """When the file was written to last, and what the index of the log said just before about the
    copying from log to file: the log's salts, how many of its frames were copied, how many were to
    be."""

    written: tuple[int, int]
    log_index: tuple[bytes, bytes, bytes]


class FileGuard:
    """The files of one database, as this process opened them first."""

    def __init__(self, path: Path):
        self._path = path
        self._opening, self._looking = threading.Lock(), threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._file: Identity | None = None
        self._log: Identity | None = None
        self._index: tuple[Identity, int] | None = None  # with a descriptor that is never closed
        self._descriptor: int | None = None
        self._mapped: mmap.mmap | None = None  # the index's beginning
        self._last: _Look | None = None
        self._spoilt: str | None = None

    def note_opened(self) -> None:
        """After a connection was opened: from here on these are the files."""
        with self._opening:
            if self._file is None:
                # Closing any descriptor of it drops the locks of the whole process (POSIX): these
                # stay open.
                self._descriptor = os.open(self._path, os.O_RDONLY)
                self._file = identity(self._path)
            # (An empty file has no log yet.)
            if self._log is None and os.path.exists(f"{self._path}-wal"):
                index = f"{self._path}-shm"
                self._index = identity(index), os.open(index, os.O_RDONLY)
                self._last = self._look()
                self._log = identity(f"{self._path}-wal")

    def forget(self) -> None:
        """After all connections were closed: the log may be deleted, and the file be another
        one."""
        descriptors = (self._descriptor, self._index and self._index[1])
        if self._mapped is not None:
            self._mapped.close()
        self._clear()
        for descriptor in descriptors:
            if descriptor is not None:
                os.close(descriptor)

    def state(self) -> bytes | None:
        """What stays the same until something is committed, by whichever process; None where that
        is not known. Costs no call of the system, so that a thread that asks keeps its turn.
        """
        mapped = self._mapped or self._map()
        try:
            return None if mapped is None else mapped[:_STATE]
        except ValueError:  # closed meanwhile
            return None

    def _map(self) -> mmap.mmap | None:
        with self._opening:
            if self._mapped is None and self._index is not None:
                with contextlib.suppress(ValueError):  # the index is not written yet
                    self._mapped = mmap.mmap(self._index[1], _STATE, prot=mmap.PROT_READ)
            return self._mapped

    def fault(self) -> str | None:
        """Why nothing may be written, as a message for the operator; None where all is as it
        was."""
        try:
            found = os.stat(self._path)
        except OSError:
            return f"the database file is gone: {self._path}"
        if self._file is None:
            return None
        if (found.st_dev, found.st_ino) != self._file:
            return "the database file was replaced while serving; restart the service"
        try:
            with self._looking:  # each look is compared with the one before it
                self._spoilt = self._spoilt or self._content_fault()
        except OSError as error:
            return f"{self._path} cannot be read: {error.strerror}"
        return self._spoilt or self._log_fault()

    def _content_fault(self) -> str | None:
        if self._log is None or self._descriptor is None or self._last is None:
            return None
        if os.pread(self._descriptor, len(HEADER), 0) != HEADER:
            return (
                f"{self._path} was cut or overwritten while serving; stop the service, then: "
                "bookapi restore FILE"
            )
        last, self._last = self._last, self._look()
        salts, copied, to_copy = self._read_index()
        # Only a checkpoint writes to the file. Before its first page it says in the index how many
        # frames it will copy, after the last one how many it has: so the index is read before one
        # look and after the next. (A checkpoint between two looks hides what something else wrote
        # between them.)
        is_written = last.written != self._last.written
        if is_written and copied == to_copy and last.log_index == (salts, copied, to_copy):
            return (
                f"something else wrote to {self._path} while serving; restart the service and run: "
                "bookapi check"
            )
        return None

    def _look(self) -> _Look:
        index = self._read_index()
        found = os.stat(self._path)
        return _Look((found.st_size, found.st_mtime_ns), index)

    def _read_index(self) -> tuple[bytes, bytes, bytes]:
        if self._index is None:
            return b"", b"", b""
        index = os.pread(self._index[1], _INDEX_BYTES, 0)
        return index[_SALTS], index[_BACKFILLED], index[_ATTEMPTED]

    def _log_fault(self) -> str | None:
        for ending, known in (("-wal", self._log), ("-shm", self._index and self._index[0])):
            try:
                is_known = known is None or identity(f"{self._path}{ending}") == known
            except OSError:
                is_known = False
            if not is_known:
                what = f"{self._path}{ending} was deleted or replaced while serving"
                return f"{what}; restart the service"
        return None

    def access_fault(self) -> str | None:
        """Why this process may not write to the file, with its owner and mode; None where it
        may."""
        files = [Path(f"{self._path}{ending}") for ending in ("", "-wal", "-shm")]
        for path in (*files, self._path.parent):
            # os.path.exists is False where a folder above may not be entered; Path.exists raises.
            if os.path.exists(path) and not os.access(path, os.W_OK, effective_ids=True):
                found = path.stat()
                return (
                    f"{path} may not be written: it belongs to {_owner(found.st_uid)}, mode "
                    f"{found.st_mode & 0o7777:04o}, and this process runs as {_owner(os.geteuid())}"
                )
        return None


def _owner(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
