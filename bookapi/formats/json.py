"""JSON (RFC 8259): written by orjson, read by the standard library, which can tell what orjson hides.

orjson reads a repeated key without a word and refuses a lone surrogate as malformed, where the contract
wants the first refused and the second told as an invalid field.
"""
import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import orjson

from . import MAX_DEPTH, Malformed

name = "json"
order = 10
media_types = ("application/json",)
aliases = ("application/problem+json",)
patch_types = ("application/merge-patch+json",)
problem_type = "application/problem+json"

CHUNK = 64 * 1024
LONGEST_INTEGER = 30  # digits; far beyond 2**63, far below where int() grows slow


def dumps(data: Any, root: str | None = None) -> bytes:
    """The document as UTF-8; JSON has no use for the root's name."""
    return orjson.dumps(data)


problem = dumps


def write(records: Iterable[dict], fields: Sequence[str] = ()) -> Iterator[bytes]:
    """``{"books": […]}`` in chunks of about 64 KiB, the first one small so that it leaves at once."""
    parts, size, limit = [b'{"books":['], 0, 4096
    separator = b""
    for record in records:
        part = separator + orjson.dumps(record)
        parts.append(part)
        size += len(part)
        separator = b","
        if size >= limit:
            yield b"".join(parts)
            parts, size, limit = [], 0, CHUNK
    parts.append(b"]}")
    yield b"".join(parts)


def loads(body: bytes, root: str | None = None, charset: str | None = None) -> Any:
    """The document's data; the root's name and the charset mean nothing to JSON.

    Raises Malformed for what RFC 8259 or the contract (section 3) does not allow.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        raise Malformed("JSON begins without a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not valid UTF-8 at byte {error.start}") from None
    return parse(text)


def parse(text: str) -> Any:
    """`loads` for text that is decoded already."""
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
    if _too_deep(data):
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise Malformed(f"the key {repeated[:100]!r} stands twice in one object")
    return members


def _constant(word: str) -> None:
    raise Malformed(f"{word} is not JSON")


def _integer(digits: str) -> int | Decimal:
    # A Decimal is neither text nor an integer to any field: refused by the schema, in words, at no cost.
    return int(digits) if len(digits) <= LONGEST_INTEGER else Decimal(digits)


def _too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level if isinstance(outer, (dict, list))
                 for inner in (outer.values() if isinstance(outer, dict) else outer)]
    return any(isinstance(outer, (dict, list)) for outer in level)
