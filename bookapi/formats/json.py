"""JSON (RFC 8259): written by orjson, read by the standard library.

orjson accepts a repeated key and rejects a lone surrogate as malformed; here the first is malformed
and the second an invalid field. ijson does the same two, and loses surrogates, so a stream is split
by `_Splitter`, which keeps the text of each record for `parse`.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

import orjson

from . import (
    CHUNK,
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_RECORD,
    MAX_VALUES,
    Format,
    Invalid,
    Malformed,
    Record,
)

MAX_INTEGER = 30  # digits: far beyond 2**63, far below where int() grows slow


def dumps(data: Any, root: str = "") -> bytes:
    """The document as UTF-8; JSON does not name the root."""
    return orjson.dumps(data)


def write(records: Iterable[dict[str, Any]], fields: Sequence[str] = ()) -> Iterator[bytes]:
    """``{"books": […]}`` in chunks of about 64 KiB, a small one first."""
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


def loads(body: bytes, roots: Sequence[str] = (), charset: str | None = None) -> Any:
    """The document's data; JSON has no root, and is UTF-8. Raises Malformed."""
    if body.startswith(codecs.BOM_UTF8):
        raise Malformed("JSON begins without a byte order mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not valid UTF-8 at byte {error.start}") from None
    return parse(text)


def parse(text: str, is_record: bool = False) -> Any:
    """`loads` for text that is decoded already; `is_record`: it stands somewhere in a file."""
    try:
        data = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        place = f"its character {error.pos + 1}" if is_record else place
        raise Malformed(f"not JSON: {error.msg} at {place}") from None
    except RecursionError:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
    if text.count("{") + text.count("[") > MAX_DEPTH or text.count(",") > MAX_FIELDS:
        _check_size(data)
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_FIELDS:
        raise Malformed(f"an object has more than {MAX_FIELDS} members")
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in members if names.count(name) > 1)
        raise Malformed(f"the key {repeated[:100]!r} stands twice in one object")
    return members


def _constant(word: str) -> NoReturn:
    raise Malformed(f"{word} is not JSON")


def _integer(digits: str) -> int | Decimal:
    # A Decimal is neither text nor an integer to any field, so the schema rejects it without
    # converting it.
    return int(digits) if len(digits) <= MAX_INTEGER else Decimal(digits)


def _check_size(data: Any) -> None:
    """Raises Malformed for a document that is nested too deep or has too many values; each book of
    a list counts alone.
    """
    books = data.get("books") if isinstance(data, dict) else None
    if isinstance(books, list):
        for book in books[:MAX_VALUES]:  # more are refused by their number
            _check_values(book, 3)
        data = {name: value for name, value in data.items() if name != "books"}
    _check_values(data, 1)


def _check_values(data: Any, depth: int) -> None:
    level, count = [data], 0
    while level := [value for value in level if isinstance(value, (dict, list))]:
        if depth > MAX_DEPTH:
            raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
        below: list[Any] = []
        for value in level:
            if len(value) > MAX_FIELDS:
                raise Malformed(f"a list has more than {MAX_FIELDS} items")
            below += value.values() if isinstance(value, dict) else value
        count, level, depth = count + len(below), below, depth + 1
        if count > MAX_VALUES:
            raise Malformed(f"has more than {MAX_VALUES} values")


# -- reading a stream of books ---------------------------------------------------------------------


def read(stream: BinaryIO, encoding: str | None = None) -> Iterator[Record]:
    """The records of ``{"books": […]}``, a list, an object of number → book, or of objects one
    after the other (JSON Lines). UTF-8 or UTF-16, whatever `encoding` says.

    In the place of a record that `loads` would refuse is a Malformed. Raises Malformed for what is
    not JSON, Invalid for other JSON.
    """
    text = _Splitter(stream)
    if text.peek() == "[":
        yield from _items(text)
    elif text.peek() == "{":
        yield from _members(text)
    else:
        parse(text.value())
        raise Invalid([{"pointer": "", "detail": _MEANT}])
    if text.peek():
        raise text.malformed("more after the end")


_MEANT = 'must be {"books": […]} or a list of books'


def _items(text: "_Splitter") -> Iterator[Record]:
    for _ in text.between("[", "]"):
        yield None, as_record(text.value())


def _members(text: "_Splitter") -> Iterator[Record]:
    first: dict[str, str] = {}
    size, has_books = 0, False
    for _ in text.between("{", "}"):
        if text.peek() != '"':
            raise text.malformed("a name in double quotes is missing")
        name = parse(text.value())
        text.take(":")
        if name in first:
            raise Malformed(f"the key {name[:100]!r} stands twice in one object")
        if len(first) == MAX_FIELDS or size > MAX_RECORD:
            raise Malformed(f"an object has more than {MAX_FIELDS} members, or is too long")
        if name == "books" and text.peek() == "[":
            has_books, first[name] = True, ""
            yield from _items(text)
        elif name.isdecimal() and text.peek() == "{":
            has_books = True
            yield None, as_record(text.value())
        else:
            first[name] = text.value()
            parse(first[name])
            size += len(first[name])
    if has_books:
        return
    if text.peek() != "{":
        raise Invalid([{"pointer": "/books" if "books" in first else "", "detail": _MEANT}])
    members = ",".join(f"{json.dumps(name)}:{value}" for name, value in first.items())
    yield None, as_record("{" + members + "}")
    while text.peek() == "{":
        yield None, as_record(text.value())


def as_record(text: str) -> dict[str, Any] | Malformed:
    """The record that a text is; a Malformed in its place where it is none."""
    try:
        data = parse(text, is_record=True)
    except Malformed as error:
        return error
    return data if isinstance(data, dict) else Malformed("is not an object")


_SPACE = re.compile(r"[ \t\n\r]*")
_SCAN = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode  # only finds where a value ends


class _Splitter:
    """JSON that arrives in pieces, split into the texts of its values."""

    def __init__(self, stream: BinaryIO):
        self._stream, self._text, self._at, self._is_all, self._line = stream, "", 0, False, 1
        head = stream.read(CHUNK)
        codec = (
            "utf-16"
            if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            else {b"\0": "utf-16-be"}.get(head[:1])
            or {b"\0": "utf-16-le"}.get(head[1:2], "utf-8-sig")
        )
        self._decode = codecs.getincrementaldecoder(codec)().decode
        self._add(head)
        self._text = self._text.removeprefix("\ufeff")

    def _add(self, data: bytes) -> None:
        self._line += self._text.count("\n", 0, self._at)
        self._is_all = not data
        try:
            self._text, self._at = self._text[self._at :] + self._decode(data, not data), 0
        except UnicodeDecodeError as error:
            raise Malformed(
                f"not UTF-8 or UTF-16 ({error.reason}) after line {self._line}"
            ) from None

    def _more(self) -> None:
        # As much again as is there, so that a long value is scanned a few times and not once for
        # each piece.
        self._add(self._stream.read(max(CHUNK, len(self._text) - self._at)))

    def malformed(self, detail: str, at: int | None = None) -> Malformed:
        """What is wrong, and the line."""
        line = self._line + self._text.count("\n", 0, self._at if at is None else at)
        return Malformed(f"not JSON: {detail} at line {line}")

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or self._is_all:
                return self._text[self._at : self._at + 1]
            self._more()

    def take(self, expected: str) -> str:
        """Step over the next character, which must be one of these."""
        found = self.peek()
        if not found or found not in expected:
            raise self.malformed(f"Expecting {' or '.join(map(repr, expected))}")
        self._at += 1
        return found

    def between(self, opening: str, closing: str) -> Iterator[None]:
        """Once for each item of a list or object, which the caller reads then."""
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        yield
        while self.take("," + closing) == ",":
            yield

    def value(self) -> str:
        """The text of the next value."""
        self.peek()
        while True:
            try:
                end = _SCAN(self._text, self._at)[1]
            except json.JSONDecodeError as error:
                end = len(self._text)
                if self._is_all:
                    raise self.malformed(error.msg, error.pos) from None
            except RecursionError:
                raise Malformed(f"nested deeper than {MAX_DEPTH} levels") from None
            if end < len(self._text) or self._is_all:  # else a number might go on
                self._at, found = end, self._text[self._at : end]
                return found
            if len(self._text) - self._at > MAX_RECORD:
                raise self.malformed(f"a value has more than {MAX_RECORD} characters, or no end")
            self._more()


FORMAT = Format(
    name="json",
    order=10,
    media_types=("application/json",),
    aliases=("application/problem+json",),
    patch_types=("application/merge-patch+json",),
    problem_type="application/problem+json",
    dumps=dumps,
    loads=loads,
    problem=dumps,
    write=write,
    read=read,
)
