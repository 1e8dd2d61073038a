"""What is in a file of books: its format, its encoding, and its records."""

import codecs
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, cast

import charset_normalizer

from ... import formats
from ...formats import Format, Malformed, Table
from .report import COLUMNS

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xml": "xml",
    ".xlsx": "workbook",
    ".ods": "workbook",
}
# What is not a catalogue, by how it begins.
_OTHERS = (
    (rb"%PDF", "a PDF"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP", "a picture"),
    (rb"SQLite format 3", "an SQLite database"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls): save it as .xlsx or CSV"),
    (rb"\s*@\w+\s*\{", "BibTeX: export it as CSV"),
    (rb"\s*TY  - ", "RIS: export it as CSV"),
    (rb"[0-9]{5}[acdnp][a-z]", "MARC 21"),
    (rb"\s*<(?:!DOCTYPE )?html", "a web page"),
    (rb"PK\x03\x04|PK\x05\x06", "a zip archive: unpack it first"),
    (rb"7z\xbc\xaf|Rar!|BZh|\xfd7zXZ", "a compressed archive: unpack it first"),
)
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
_SAMPLE = 64 * 1024  # bytes
MAX_LINE = 1024 * 1024  # bytes of a line that is looked at to detect the encoding
MAX_RATIO = 200  # of what gzip may unpack to
_NAMES = {
    "cp1252": "windows-1252",
    "utf-8-sig": "utf-8",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
}
_LATIN = ["cp1252", "cp1250", "cp1254", "mac_roman"]
_ALL = [
    *_LATIN,
    "cp1251",
    "cp1253",
    "shift_jis",
    "gb18030",
    "big5",
    "euc_jp",
    "euc_kr",
    "koi8_r",
    "koi8_u",
]
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
# The commonest capitals of Windows-1252. A text that has no other bytes beyond ASCII could be of
# several encodings; it is taken for this one.
_CAPITALS = re.compile(rb"[\x00-\x7f\xc4-\xc6\xc9\xd6\xd8\xdc]*")  # ÄÅÆÉÖØÜ
# What Cyrillic and Greek capitals are in Shift JIS. No Japanese text has many.
_HALF_WIDTH = re.compile("[\uff61-\uff9f]+")
# A letter that programs took for Windows-1252 twice: ü as Ã?Â¼. Says nothing of the encoding.
_TWICE = re.compile(rb"[\xc3-\xc5]\?\xc2[\x80-\xbf]")


class Contents(NamedTuple):
    """A file that is being read: `header` where it has columns, and (line, row, record or
    error)."""

    header: list[str] | None
    encoding: str
    delimiter: str | None
    records: Iterator[tuple[int | None, Any]]


def open_file(
    raw: BinaryIO,
    reader: Format | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
) -> Contents:
    """The contents of a file from its beginning, which may be in gzip; without a `reader`, by what
    it looks like. Raises Malformed for what is no file of books.
    """
    stream = _opened(raw)
    try:
        head = stream.read(_SAMPLE)
        reader = _reader(head, reader)
        if reader.name == "workbook":
            book = raw if stream is raw else io.BytesIO(head + stream.read(64 * 1024 * 1024))
            table = reader.table(book, None, sheet)
            return _contents(table, "utf-8", table.rows)
        named = encoding or _bom(head)
        if named is None and reader.name == "csv":
            named = _detected(head, _rest(stream))
        stream = _opened(raw)
        shown = codecs.lookup(named).name if named and formats.is_charset(named) else "utf-8"
        shown = _NAMES.get(shown, shown)
        if reader.can("table"):
            table = reader.table(stream, named, delimiter)
            return _contents(table, shown, _guarded(table.rows))
        records = reader.read(stream, named if reader.name == "jsonl" else encoding)
        return Contents(None, shown, None, _guarded(records))
    except _DAMAGE as error:
        raise Malformed(f"the gzip file is damaged: {error}") from None


def _contents(table: Table, encoding: str, rows: Iterator[Any]) -> Contents:
    """Of a report of ours only the rejected records."""
    header = table.header
    if tuple(header[: len(COLUMNS)]) == COLUMNS:
        header = header[len(COLUMNS) :]
        rows = (
            (line, row if isinstance(row, ValueError) else row[len(COLUMNS) :])
            for line, row in rows
            if isinstance(row, ValueError) or any(row[len(COLUMNS) :])
        )
    return Contents(header, encoding, table.delimiter, rows)


def _opened(raw: BinaryIO) -> BinaryIO:
    """The file from its beginning, unpacked if it is in gzip."""
    raw.seek(0)
    is_gzip = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return cast(BinaryIO, io.BufferedReader(_Gunzip(raw))) if is_gzip else raw


def _rest(stream: BinaryIO) -> Iterator[bytes]:
    """What follows in a stream, up to where a gzip file is damaged."""
    with suppress(*_DAMAGE):
        while piece := stream.read(_SAMPLE):
            yield piece


def _guarded(records: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from records
    except _DAMAGE as error:
        raise Malformed(f"the gzip file is damaged: {error}") from None


def _reader(head: bytes, named: Format | None) -> Format:
    if not head:
        raise Malformed("the file is empty")
    looks = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    is_workbook = head.startswith(b"PK") and re.search(rb"xl/|opendocument|\[Content_Types\]", head)
    name = "workbook" if is_workbook else ""
    if not is_workbook:
        for pattern, what in _OTHERS:
            if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
                raise Malformed(f"is not a catalogue, but {what}")
        if named is None:
            name = _by_look(looks)
    known = formats.by_name(name) if name else named
    if known is None:
        raise Malformed("the format of the file is not known; name it")
    return known


def _by_look(head: bytes) -> str:
    if head.startswith(b"<"):
        return "xml"
    if head.startswith(b"{"):
        return "jsonl" if head.partition(b"\n")[0].rstrip(b"\r\0 ").endswith(b"}") else "json"
    return "json" if head.startswith(b"[") else "csv"


def _bom(head: bytes) -> str | None:
    """The encoding that a file shows by its byte order mark or, for UTF-16, by its zeros."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    sample = head[:1000]
    for name, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if zeros.count(0) > len(sample) // 4:
            return name
    return None


def _detected(head: bytes, rest: Iterator[bytes]) -> str | None:
    """The encoding of a file that is not UTF-8; None where it is, but for a few records.

    Raises Malformed where it can't be detected.
    """
    sample = _not_utf8(itertools.chain([head], rest))
    return _guessed(_TWICE.sub(b"", sample)) if sample else None


def _not_utf8(pieces: Iterable[bytes]) -> bytes:
    """The beginnings of the lines that are not UTF-8; empty where at least four times as many
    lines that are not ASCII are UTF-8."""
    good = bad = 0
    sample = tail = b""
    for piece in pieces:
        *lines, tail = (tail + piece).split(b"\n")
        tail = tail if len(tail) < MAX_LINE else b""  # says nothing, and would be copied each time
        for line in lines if not piece.isascii() else ():
            if line.isascii():
                continue
            if _utf8_fault(line) is None:
                good += 1
                continue
            bad += 1
            sample += line[:1000] + b"\n" if len(sample) < _SAMPLE else b""
    fault = _utf8_fault(tail)
    if fault and (fault != "unexpected end of data" or not good):  # else it was cut in a character
        bad, sample = bad + 1, sample + tail[:1000]
    return sample if bad * 4 > good else b""


def _utf8_fault(line: bytes) -> str | None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return error.reason
    return None


def _guessed(sample: bytes) -> str:
    """The encoding that lines which are not UTF-8 most likely have."""
    if _CAPITALS.fullmatch(sample):
        return "cp1252"
    words = [word for word in _WORD.findall(sample) if not word.isascii()]
    letters = sum(len(re.sub(rb"[^A-Za-z]", b"", word)) for word in words)
    # In other scripts few bytes of such a word are ASCII letters, with two bytes a character, too.
    is_latin = letters * 2 > sum(map(len, words))
    found_all = charset_normalizer.from_bytes(sample, cp_isolation=_LATIN if is_latin else _ALL)
    matches = [each for each in found_all if len(_HALF_WIDTH.findall(str(each))) * 2 < len(words)]
    found = matches[0] if matches else None
    for match in matches:
        # Where its letters are as likely, it is the commonest by far.
        if "cp1252" in match.could_be_from_charset and found and match.chaos <= found.chaos + 0.02:
            return "cp1252"
    if found is None and not is_latin:
        raise Malformed(
            "is not UTF-8, and its encoding can't be detected; name it (--encoding, charset)"
        )
    return found.encoding if found else "cp1252"


class _Gunzip(io.RawIOBase):
    """A gzip file that is read as it is unpacked, up to a ratio."""

    def __init__(self, raw: BinaryIO):
        self._file = gzip.GzipFile(fileobj=raw, mode="rb")
        self._raw, self._unpacked = raw, 0

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        data = self._file.read1(len(buffer))
        self._unpacked += len(data)
        if self._unpacked > MAX_RATIO * (self._raw.tell() + 64 * 1024):
            raise Malformed(f"the gzip file unpacks to more than {MAX_RATIO} times its size")
        buffer[: len(data)] = data
        return len(data)
