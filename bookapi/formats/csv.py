"""CSV (RFC 4180) of books: UTF-8, a header line, lists in one cell (docs/api.md, Formats).

A cell that a spreadsheet would run as a formula is written with an apostrophe before it, and read
without.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from . import MAX_RECORD, BorrowedText, Format, Malformed, Table

CHUNK_RECORDS = 100
DELIMITERS = ",;\t|"
MAX_CELL = 1024 * 1024  # characters
# What a spreadsheet would run, after any apostrophes: text that has some already gets one more, so
# that none is lost.
_FORMULA = re.compile("'*[=+\\-@\t\r]")
_BAR = re.compile(r"(?:(?<= )|\A)(\\*)\|(?= |\Z)")
_ESCAPED_BAR = re.compile(r"(?:(?<= )|\A)\\(\\*)\|(?= |\Z)")
_UNDECODED = re.compile("[\udc80-\udcff]")
_BLANK = " \t,;|\r\n\xa0\x1a"  # of a row that only separates or ends a sheet, or a file of DOS
_IN_QUOTES = re.compile('"[^"]*"')

csv.field_size_limit(MAX_CELL)


def write(records: Iterable[dict[str, Any]], fields: Sequence[str]) -> Iterator[bytes]:
    """The header and a line a record, in chunks."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(fields)
    for number, record in enumerate(records):
        writer.writerow([_cell(record[column]) for column in fields])
        if number % CHUNK_RECORDS == 0:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = join(value)
    return "'" + value if isinstance(value, str) and _FORMULA.match(value) else value


def join(items: list[Any]) -> str:
    """A list in one cell: `` | `` between items; a bar that stands alone inside one gets a
    backslash more.
    """
    texts = [
        f"{item['scheme']}:{item['value']}" if isinstance(item, dict) else item for item in items
    ]
    return " | ".join(_BAR.sub(r"\1\\|", text) for text in texts)


def split(cell: str, separator: str = " | ") -> list[str]:
    """The items of a cell; the inverse of `join` for the default separator."""
    if separator != " | ":
        return [item for item in (part.strip() for part in cell.split(separator)) if item]
    if "|" not in cell:
        return [cell] if cell else []
    items = cell.split(separator)
    return [_ESCAPED_BAR.sub(r"\1|", item) for item in items] if "\\" in cell else items


def unquote(cell: str) -> str:
    """The cell without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def table(stream: BinaryIO, encoding: str | None = None, delimiter: str | None = None) -> Table:
    """The rows of a file, with a Malformed in the place of one that is not CSV.

    `delimiter` is found in the header line, or named by a line ``sep=;`` before it. Raises
    Malformed where there is no header, and while reading where a row has no end or the file another
    encoding.
    """
    # Where no encoding is named, bytes that are not UTF-8 cost one record; else the name is wrong.
    errors = "strict" if encoding else "surrogateescape"
    text = BorrowedText(stream, encoding or "utf-8", errors=errors, newline="")
    lines = _Lines(text, encoding or "utf-8")
    first = lines.peek()
    if first[:4].lower() == "sep=" and first[4:].strip(" \r\n"):
        delimiter = delimiter or first[4]
        lines.take()
        first = lines.peek()
    delimiter = delimiter or max(DELIMITERS, key=_IN_QUOTES.sub("", first).count)
    # `a, "b"` as some people write it: a space after each separator of the header
    spaced = first.count(delimiter) == first.count(delimiter + " ") > 0
    rows = _rows(lines, {"delimiter": delimiter, "skipinitialspace": spaced, "strict": True})
    header: list[Any] | Malformed = next((row for _, row in rows), [])
    if isinstance(header, Malformed):
        raise Malformed(f"line 1: {header}")
    header = [name.strip() for name in header]
    if not any(header):
        raise Malformed("there is no header line")
    return Table(header, delimiter, rows)


class _Lines:
    """The physical lines of a text, some of which may be put back."""

    def __init__(self, text: BorrowedText, encoding: str):
        self._text, self._encoding, self._waiting = text, encoding, deque[str]()
        self.number = 0  # of the last line taken
        self.put_back([self.take().lstrip("\ufeff")])

    def peek(self) -> str:
        """The next line, "" at the end."""
        line = self.take()
        self.put_back([line])
        return line

    def take(self) -> str:
        """The next line, "" at the end; of one that is too long only the beginning."""
        self.number += 1
        if self._waiting:
            return self._waiting.popleft()
        try:
            line = rest = self._text.readline(MAX_RECORD + 1)
            while len(line) > MAX_RECORD and rest and not rest.endswith(("\n", "\r")):
                rest = self._text.readline(MAX_RECORD)
        except UnicodeError as error:
            raise Malformed(
                f"after line {max(self.number - 1, 1)}: not {self._encoding} ({error}); "
                "name the encoding it has"
            ) from None
        return line

    def put_back(self, lines: list[str]) -> None:
        """Let these lines be taken again."""
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)


def _rows(lines: _Lines, dialect: dict[str, Any]) -> Iterator[tuple[int, list[Any] | Malformed]]:
    """Each row that is not blank. After a wrong one, reading resumes at its second line."""
    of_row: list[str] = []
    while True:
        reader = csv.reader(_fed(lines, of_row), **dialect)
        begins = lines.number + 1
        try:
            for row in reader:
                if any(cell.strip(_BLANK) for cell in row):
                    yield begins, row
                of_row.clear()
                begins = lines.number + 1
            return
        except csv.Error as error:
            first = of_row[0].rstrip("\r\n")
            lines.put_back(of_row[1:])
            of_row.clear()
            # Programs that write tabs between cells (LibraryThing) put no cell in quotes.
            unquoted = dialect["delimiter"] == "\t"
            yield begins, first.split("\t") if unquoted else Malformed(str(error))


def _fed(lines: _Lines, of_row: list[str]) -> Iterator[str]:
    """The lines for a csv.reader, those of the row that is being read in `of_row`, too."""
    size = 0
    while line := lines.take():
        size = size + len(line) if of_row else len(line)
        of_row.append(line)
        if size > MAX_RECORD:
            raise csv.Error(f"a row of more than {MAX_RECORD} characters; is a quote left open?")
        if not line.isascii() and _UNDECODED.search(line):
            raise csv.Error("has bytes of another encoding; name the encoding of the file")
        yield line


FORMAT = Format(
    name="csv",
    order=40,
    media_types=("text/csv",),
    read_types=("text/tab-separated-values",),
    write=write,
    table=table,
)
