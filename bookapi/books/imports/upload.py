"""What POST /books/import was sent: its parameters, and its body in a file."""

import errno
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from flask import request
from marshmallow.fields import Field
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.http import parse_options_header

from ... import formats
from ...db.failures import InsufficientStorage
from ...formats import MAX_FIELDS, Format
from ...formats.html import CONTROL_FIELDS
from ...http.bodies import check_charset, stream_reader
from ...http.pages import sent_form, typed_fields
from ...http.parameters import (
    Parameter,
    Parameters,
    RepeatedParameter,
    choice,
    load_parameters,
)
from ...http.problems import Problem
from ...http.request import current_request
from ..schemas import WRITABLE
from . import profiles
from .files import SUFFIXES
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
PREFIXES = {"column.": "columns", "split.": "separators"}
MEANINGS = {
    "mode": "create: a record that is a stored book is rejected",
    "on_error": "abort: one rejected record and nothing is stored",
    "strict": "reject what would be left out or ignored",
    "dry_run": "report what would be done, store nothing",
    "empty": "whether an empty CSV cell clears a field",
    "stale": "a record of an older export than the stored book",
    "profile": "the program that the file is from; else recognised",
    "encoding": "the encoding of the file; else detected",
    "delimiter": "what separates cells; else detected",
    "sheet": "the sheet of a workbook; else the first",
}


TEXTS = tuple(name for name in MEANINGS if name not in CHOICES)


def checked(name: str, value: str) -> str:
    """The value of a parameter that is a text; raises ValueError where it is wrong."""
    if name == "profile" and value not in profiles.names():
        raise ValueError(f"must be one of {', '.join(profiles.names())}")
    if name == "encoding" and not formats.is_charset(value):
        raise ValueError("is not a known encoding")
    if name == "delimiter" and (len(value) != 1 or value in '"\r\n'):
        raise ValueError("must be one character")
    if name.startswith(tuple(PREFIXES)) and not value:
        raise ValueError("must not be empty")
    return value


class SkippedColumns(RepeatedParameter):
    max_values = MAX_FIELDS


class ImportParameters(Parameters):
    skip_column = SkippedColumns(str, None, "a column that is ignored without notice")

    error_messages = {
        "unknown": "is not a parameter here; there are "
        + ", ".join((*CHOICES, *TEXTS, "column.FIELD", "split.FIELD", "skip_column"))
    }


_TEXTS = {
    **{name: MEANINGS[name] for name in TEXTS},
    **{f"column.{name}": f"the column with {name}" for name in WRITABLE},
    **{f"split.{name}": f"what separates {name}" for name in WRITABLE},
}
_NAMED: dict[str, Field[Any]] = {
    **{name: Parameter(choice(values), None, MEANINGS[name]) for name, values in CHOICES.items()},
    **{name: Parameter(functools.partial(checked, name), None, _TEXTS[name]) for name in _TEXTS},
}
import_parameters = ImportParameters.from_dict(_NAMED)()


def options(args: MultiDict[str, str]) -> Options:
    """How the import is to go; 400 for parameters that are unknown, given twice or wrong."""
    values = load_parameters(import_parameters, args)
    # marshmallow puts the value of `column.title` at ["column"]["title"].
    given: dict[str, Any] = {
        into: tuple(
            (name, text) for name, text in values[prefix.rstrip(".")].items() if text is not None
        )
        for prefix, into in PREFIXES.items()
    }
    given |= {name: values[name] for name in (*CHOICES, *TEXTS) if name in args}
    return Options(**given, skipped=values["skip_column"] or ())


def arguments() -> MultiDict[str, str]:
    """The parameters of this import: of the address, and what the form of a page sends beside its
    file.
    """
    if sent_form(current_request()) is None:
        return request.args
    ours = {name: text for name, text in typed_fields().items() if name not in CONTROL_FIELDS}
    return MultiDict([*request.args.items(multi=True), *ours.items()])


class Body:
    """The body of this request in a file until it is closed; 415, 413 or 400 where it can't
    be imported.
    """

    def __init__(self) -> None:
        self.reader, self.charset = stream_reader()
        stream, length = request.stream, request.content_length
        if request.mimetype == "multipart/form-data":
            upload = _part()
            media_type, parameters = parse_options_header(upload.content_type)
            self.reader = _reader_of(media_type, upload.filename or "")
            self.charset = parameters.get("charset")
            stream, length = upload.stream, None
        check_charset(self.reader, self.charset)
        self.file = _received(cast(BinaryIO, stream), length)

    def close(self) -> None:
        """Let go of the file."""
        self.file.close()

    def covered(self, chosen: Options) -> Iterator[bytes]:
        """What an Idempotency-Key stands for: the options, then the body."""
        yield repr((chosen, self.reader and self.reader.name)).encode()
        self.file.seek(0)
        yield from iter(functools.partial(self.file.read, PIECE), b"")


def _part() -> FileStorage:
    parts = [*request.files.items(multi=True)]
    is_only = not request.form or sent_form(current_request()) is not None
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
