"""What POST /books/import was sent: its parameters, and its body in a file."""

import errno
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.http import parse_options_header

from ... import formats
from ...db import InsufficientStorage
from ...formats import Format
from ...formats.html import CONTROL_FIELDS
from ...http.bodies import stream_reader
from ...http.pages import sent_form, typed_fields
from ...http.problems import Problem, bad_parameters
from . import profiles
from .files import SUFFIXES
from .mapping import check_fields
from .service import Options

IN_MEMORY = 1024 * 1024  # bytes of a body, before it goes to a file
PIECE = 64 * 1024
_TRUTH = {"true": True, "false": False}
CHOICES: dict[str, dict[str, Any]] = {
    "mode": {"upsert": "upsert", "create": "create"},
    "on_error": {"abort": "abort", "skip": "skip"},
    "strict": _TRUTH,
    "dry_run": _TRUTH,
    "empty": {"keep": "keep", "clear": "clear"},
    "stale": {"reject": "reject", "overwrite": "overwrite"},
}
TEXTS = ("profile", "encoding", "delimiter", "sheet")
PREFIXES = {"column.": "columns", "split.": "separators"}


def options(args: MultiDict[str, str]) -> Options:
    """How the import is to go; 400 for parameters that are unknown, given twice or wrong."""
    wrong: list[tuple[str, str]] = []
    given: dict[str, Any] = {"columns": (), "separators": ()}
    for name, values in args.lists():
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        if name == "skip_column":
            given["skipped"] = tuple(values)
        elif name == "format":
            continue
        elif len(values) > 1:
            wrong.append((name, "is given more than once"))
        elif prefix:
            try:
                check_fields([name.removeprefix(prefix)])
            except ValueError as error:
                wrong.append((name, str(error)))
            given[PREFIXES[prefix]] += ((name.removeprefix(prefix), values[0]),)
        elif name in CHOICES:
            given[name] = CHOICES[name].get(values[0])
            if values[0] not in CHOICES[name]:
                wrong.append((name, f"must be {' or '.join(CHOICES[name])}"))
        elif name in TEXTS:
            given[name] = values[0]
            if detail := wrong_text(name, values[0]):
                wrong.append((name, detail))
        else:
            known = ", ".join((*CHOICES, *TEXTS, "column.FIELD", "split.FIELD", "skip_column"))
            wrong.append((name, f"unknown parameter; there is {known}"))
    if wrong:
        raise bad_parameters(wrong)
    return Options(**given)


def arguments() -> MultiDict[str, str]:
    """The parameters of this import: of the address, and what the form of a page sends beside its
    file.
    """
    if sent_form() is None:
        return request.args
    ours = {name: text for name, text in typed_fields().items() if name not in CONTROL_FIELDS}
    return MultiDict([*request.args.items(multi=True), *ours.items()])


def wrong_text(name: str, value: str) -> str | None:
    """What is wrong with the value of a parameter, None for nothing."""
    if name == "profile" and value not in profiles.names():
        return f"must be {', '.join(profiles.names())}"
    if name == "encoding" and not formats.is_charset(value):
        return "is not a known encoding"
    if name == "delimiter" and (len(value) != 1 or value in '"\r\n'):
        return "must be one character"
    return None


class Body:
    """The body of this request in a file until the end of a `with`; 415, 413 or 400 where it can't
    be imported.
    """

    def __init__(self) -> None:
        self.reader, self.charset = stream_reader()
        upload = _part() if request.mimetype == "multipart/form-data" else None
        if upload:
            media_type, parameters = parse_options_header(upload.content_type)
            self.reader = _reader_of(media_type, upload.filename or "")
            self.charset = parameters.get("charset")
            self.file = _received(cast(BinaryIO, upload.stream), None)
        else:
            self.file = _received(cast(BinaryIO, request.stream), request.content_length)

    def __enter__(self) -> "Body":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.file.close()

    def covered(self, chosen: Options) -> Iterator[bytes]:
        """What an Idempotency-Key stands for: the options, then the body."""
        yield repr((chosen, self.reader and self.reader.name)).encode()
        self.file.seek(0)
        yield from iter(functools.partial(self.file.read, PIECE), b"")


def _part() -> FileStorage:
    parts = [*request.files.items(multi=True)]
    is_only = not request.form or sent_form() is not None
    if len(parts) != 1 or not is_only or parts[0][0] != "file":
        raise Problem(400, "multipart/form-data must have one part, the file, named file")
    return parts[0][1]


def _reader_of(media_type: str, filename: str) -> Format | None:
    """The format of a part by its type, else by its name, else None."""
    for known in formats.having("read", "table"):
        if media_type in (*known.media_types, *known.read_types):
            return known
    suffix = PurePath(filename.lower().removesuffix(".gz")).suffix
    return formats.by_name(SUFFIXES.get(suffix, ""))


def _received(stream: BinaryIO, length: int | None) -> BinaryIO:
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 # closed by Body
    try:
        shutil.copyfileobj(stream, file, PIECE)
        if length not in (None, file.tell()):
            raise Problem(400, "the body did not arrive whole")
    except BaseException as error:
        file.close()
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InsufficientStorage() from None
        raise
    return cast(BinaryIO, file)
