"""JSON Lines of books: one JSON object a line, UTF-8."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from . import MAX_RECORD, Malformed
from .json import CHUNK, as_record

name = "jsonl"
order = 50
media_types = ("application/x-ndjson", "application/jsonl")
aliases = ()


def write(records: Iterable[dict], fields: Sequence[str] = ()) -> Iterator[bytes]:
    """A line a record, in chunks of about 64 KiB."""
    parts, size, limit = [], 0, 4096
    for record in records:
        parts.append(orjson.dumps(record) + b"\n")
        size += len(parts[-1])
        if size >= limit:
            yield b"".join(parts)
            parts, size, limit = [], 0, CHUNK
    yield b"".join(parts)


def read(
    stream: BinaryIO, encoding: str = "utf-8"
) -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    """(line, record) a line that is not blank; a Malformed in a record's place where the line is wrong."""
    for number, line in enumerate(_lines(stream), 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, _record(line, encoding)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines; of one that is too long a part that tells so."""
    while line := stream.readline(MAX_RECORD + 1):
        yield line
        rest = line
        while len(line) > MAX_RECORD and rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_RECORD)


def _record(line: bytes, encoding: str) -> dict[str, Any] | Malformed:
    if len(line) > MAX_RECORD:
        return Malformed(f"has more than {MAX_RECORD} bytes")
    try:
        return as_record(line.decode(encoding))
    except UnicodeError as error:
        return Malformed(
            f"not {encoding} ({getattr(error, 'reason', error)}); name the encoding it has"
        )
