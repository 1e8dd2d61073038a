"""JSON (RFC 8259): written by orjson, read by the standard library, which can tell what orjson hides.

orjson reads a repeated key without a word and refuses a lone surrogate as malformed, where the contract
wants the first refused and the second told as an invalid field.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from . import MAX_DEPTH, MAX_FIELDS, MAX_RECORD, Invalid, Malformed

name = "json"
order = 10
media_types = ("application/json",)
aliases = ("application/problem+json",)
patch_types = ("application/merge-patch+json",)
problem_type = "application/problem+json"

CHUNK = 64 * 1024
MAX_MEMBERS = 100  # beside `books`
MAX_INTEGER = 30  # digits; far beyond 2**63, far below where int() grows slow


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
        data = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise Malformed(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
    if text.count("{") + text.count("[") > MAX_DEPTH and _too_deep(text):
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict:
    if len(pairs) > MAX_FIELDS:
        raise Malformed(f"an object has more than {MAX_FIELDS} members")
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
    return int(digits) if len(digits) <= MAX_INTEGER else Decimal(digits)


_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _too_deep(text: str) -> bool:
    """Whether a text that is JSON is nested too deep. Each pass takes off the innermost brackets, all at once: walking
    through half a million small lists would take a second."""
    left = _STRING.sub("", text).encode("utf-8", "replace").translate(_AS_SQUARE, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        left = left.replace(b"[]", b"")
    return bool(left)


# -- reading a stream of books ------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t\n\r]*")
_SCAN = json.JSONDecoder(
    parse_int=str, parse_float=str
).raw_decode  # finds where a value ends, and judges nothing else


def read(
    stream: BinaryIO, encoding: str | None = None
) -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    """(line where it begins, record) for each of ``{"books": […]}`` or of a bare list; a Malformed in a record's place
    where it is no object, or one that `loads` would refuse. JSON is UTF-8, whatever encoding is named.

    Raises Malformed for what is no JSON, Invalid for other JSON. The other members of a list answer are passed over.
    """
    text = _Text(stream)
    if text.peek() == "[":
        yield from _items(text)
    elif text.peek() == "{":
        yield from _books(text)
    else:
        text.value()
        raise Invalid([{"pointer": "", "detail": _MEANT}])
    if text.peek():
        raise text.malformed("more behind the end")


_MEANT = 'must be {"books": […]} or a list of books'


def _books(text: "_Text") -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    met: set[str] = set()
    for _ in text.between("{", "}"):
        name = _name(text)
        if name in met:
            raise Malformed(f"the key {name[:100]!r} stands twice in one object")
        if len(met) > MAX_MEMBERS:
            raise Malformed(f"has more than {MAX_MEMBERS} members beside `books`")
        met.add(name)
        text.take(":")
        if name != "books":
            parse(text.value()[1])
        elif text.peek() == "[":
            yield from _items(text)
        else:
            raise Invalid([{"pointer": "/books", "detail": "must be a list"}])
    if "books" not in met:
        raise Invalid([{"pointer": "", "detail": _MEANT}])


def _name(text: "_Text") -> str:
    if text.peek() != '"':
        raise text.malformed("a name in double quotes is missing")
    return parse(text.value()[1])


def _items(text: "_Text") -> Iterator[tuple[int, dict[str, Any] | Malformed]]:
    for _ in text.between("[", "]"):
        line, value = text.value()
        yield line, as_record(value)


def as_record(text: str) -> dict[str, Any] | Malformed:
    """The record that a text of its own is; a Malformed in its place where it is none."""
    try:
        data = parse(text)
    except Malformed as error:
        return error
    return data if isinstance(data, dict) else Malformed("is no object")


class _Text:
    """JSON that comes in pieces: what of it is there and was not read yet."""

    def __init__(self, stream: BinaryIO):
        self._stream, self._decode = stream, codecs.getincrementaldecoder("utf-8")().decode
        self._text, self._at, self._is_all = "", 0, False
        self._line, self._column = 1, 0  # of the first character that is there
        if self.peek() == "\ufeff":
            raise Malformed("JSON begins without a byte order mark")

    def _more(self) -> None:
        """Read on; as much again as is there, so that a long value is looked at a few times and not at each piece."""
        data = self._stream.read(max(CHUNK, len(self._text) - self._at))
        self._line, self._column = self._place(self._at)
        self._is_all = not data
        try:
            self._text, self._at = self._text[self._at :] + self._decode(data, self._is_all), 0
        except UnicodeDecodeError as error:
            raise Malformed(f"not valid UTF-8 ({error.reason}) behind line {self._line}") from None

    def _place(self, at: int) -> tuple[int, int]:
        """The line of a character, and how many stand before it in that line."""
        newlines = self._text.count("\n", 0, at)
        before = at - self._text.rfind("\n", 0, at) - 1 if newlines else self._column + at
        return self._line + newlines, before

    def malformed(self, detail: str, at: int | None = None) -> Malformed:
        """What is wrong, and where: at the next character, if nothing else is said."""
        line, before = self._place(self._at if at is None else at)
        return Malformed(f"not JSON: {detail} at line {line}, column {before + 1}")

    def peek(self) -> str:
        """The next character that is no white space; nothing at the end."""
        self._at = _SPACE.match(self._text, self._at).end()
        while self._at == len(self._text) and not self._is_all:
            self._more()
            self._at = _SPACE.match(self._text).end()
        return self._text[self._at : self._at + 1]

    def take(self, expected: str) -> str:
        """Step over the next character, which must be one of these."""
        found = self.peek()
        if not found or found not in expected:
            raise self.malformed(f"Expecting {' or '.join(map(repr, expected))}")
        self._at += 1
        return found

    def between(self, opening: str, closing: str) -> Iterator[None]:
        """Once for each item of a list or object, which is to be read then."""
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        yield
        while self.take("," + closing) == ",":
            yield

    def value(self) -> tuple[int, str]:
        """The next value's line and text."""
        self.peek()
        while True:
            try:
                end = _SCAN(self._text, self._at)[1]
            except json.JSONDecodeError as error:
                end = None
                if self._is_all:
                    raise self.malformed(error.msg, error.pos) from None
            except RecursionError:
                raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
            if end is not None and (
                end < len(self._text) or self._is_all
            ):  # else a number might go on
                line, found = self._place(self._at)[0], self._text[self._at : end]
                self._at = end
                return line, found
            if len(self._text) - self._at > MAX_RECORD:
                raise Malformed(
                    f"a value has more than {MAX_RECORD} characters, or is no JSON, from line "
                    f"{self._place(self._at)[0]} on"
                )
            self._more()
