"""JSON Lines of books: one JSON object a line, UTF-8."""
import codecs
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from . import Malformed
from .json import CHUNK, parse

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


def read(stream: BinaryIO, encoding: str = "utf-8") -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    """(line, record) a line that is not blank; a Malformed in a record's place where the line is wrong."""
    for number, line in enumerate(stream, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, _record(line, encoding)


def _record(line: bytes, encoding: str) -> dict[str, Any] | Malformed:
    try:
        data = parse(line.decode(encoding))
    except UnicodeError as error:
        return Malformed(f"not {encoding} ({getattr(error, 'reason', error)}); name the encoding it has")
    except Malformed as error:
        return error
    return data if isinstance(data, dict) else Malformed("is no object")
