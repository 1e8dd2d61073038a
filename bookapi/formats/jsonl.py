"""JSON Lines of books: one JSON object a line."""

import codecs
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from . import CHUNK, MAX_RECORD, BorrowedText, Format, Malformed, Record
from .json import as_record


def write(records: Iterable[dict[str, Any]], fields: Sequence[str] = ()) -> Iterator[bytes]:
    """A line a record, in chunks of about 64 KiB."""
    parts, size, limit = [], 0, 4096
    for record in records:
        parts.append(orjson.dumps(record) + b"\n")
        size += len(parts[-1])
        if size >= limit:
            yield b"".join(parts)
            parts, size, limit = [], 0, CHUNK
    yield b"".join(parts)


def read(stream: BinaryIO, encoding: str | None = None) -> Iterator[Record]:
    """(line, record) of each line that is not blank; a Malformed in a record's place where the line
    is wrong. Raises Malformed for UTF-16 that cannot be decoded.
    """
    encoding = encoding or "utf-8"
    lines: Iterator[bytes] = iter(lambda: stream.readline(MAX_RECORD + 1), b"")
    if codecs.lookup(encoding).name.startswith("utf-16"):
        text, encoding = BorrowedText(stream, encoding, newline="\n"), "utf-8"
        lines = (line.encode() for line in iter(functools.partial(text.readline, MAX_RECORD), ""))
    number, is_rest = 1, False
    try:
        for line in lines:
            has_end = line.endswith(b"\n")
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if line.strip() and not is_rest:
                yield number, _record(line, encoding)
            is_rest, number = not has_end, number + has_end
    except UnicodeError as error:
        raise Malformed(f"not UTF-16 ({error}) after line {number}; name its encoding") from None


def _record(line: bytes, encoding: str) -> dict[str, Any] | Malformed:
    if len(line) > MAX_RECORD:
        return Malformed(f"has more than {MAX_RECORD} bytes")
    try:
        return as_record(line.decode(encoding))
    except UnicodeError as error:
        return Malformed(f"not {encoding} ({getattr(error, 'reason', error)}); name its encoding")


FORMAT = Format(
    name="jsonl",
    order=50,
    media_types=("application/x-ndjson", "application/jsonl"),
    write=write,
    read=read,
)
