"""What POST /books/import was sent: its parameters, and its body in a file."""

import errno
import functools
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from flask import request
from werkzeug.datastructures import MultiDict

from ...db import InsufficientStorage
from ...formats import Malformed
from ...http.bodies import stream_reader
from ...http.problems import Problem, bad_parameters
from . import files
from .service import Options

IN_MEMORY = 1024 * 1024  # bytes of a body, before it goes to a file
PIECE = 64 * 1024
_TRUTH = {"true": True, "false": False}
_PARAMETERS = {
    "mode": {"upsert": "upsert", "create": "create"},
    "on_error": {"abort": "abort", "skip": "skip"},
    "strict": _TRUTH,
    "dry_run": _TRUTH,
}


def options(args: MultiDict) -> Options:
    """How the import is to go; 400 for parameters that are unknown, given twice or wrong."""
    wrong = [
        (name, detail)
        for name, values in args.lists()
        if name != "format"
        if (detail := _wrong(_PARAMETERS.get(name), values))
    ]
    if wrong:
        raise bad_parameters(wrong)
    return Options(
        **{name: _PARAMETERS[name][value] for name, value in args.items() if name in _PARAMETERS}
    )


def _wrong(known: dict[str, Any] | None, values: list[str]) -> str | None:
    if known is None:
        return f"is no parameter of this address; there is {', '.join(_PARAMETERS)}"
    if len(values) > 1:
        return "is given more than once"
    return None if values[0] in known else f"must be {' or '.join(known)}"


class Body:
    """The body of this request, kept until the end of a `with` to be read as often as is needed: a unit of `db.write`
    may run more than once. 415 and 413 where it is none that can be imported."""

    def __init__(self) -> None:
        self._reader, self._charset = stream_reader()
        self._file = _received()

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._file.close()

    def covered(self, chosen: Options) -> Iterator[bytes]:
        """What an Idempotency-Key stands for: the options, then the body."""
        yield repr(chosen).encode()
        self._file.seek(0)
        yield from iter(functools.partial(self._file.read, PIECE), b"")

    def records(self) -> Iterator[tuple[int, Any]]:
        """The (line, record) pairs, from the beginning; 400 where it cannot be read on."""
        self._file.seek(0)
        try:
            yield from files.records(self._reader, self._file, self._charset)
        except Malformed as error:
            raise Problem(400, f"{error}; nothing was stored") from None


def _received() -> BinaryIO:
    stream = request.stream
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)
    try:
        shutil.copyfileobj(stream, file, PIECE)
        if request.content_length not in (None, file.tell()):
            raise Problem(400, "the body did not arrive whole")
    except BaseException as error:
        file.close()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InsufficientStorage() from None
        raise
    return file
