"""CSV (RFC 4180) of books: UTF-8, a header line, lists in one cell (contract, section 3).

A cell that a spreadsheet would run as a formula is written with an apostrophe before it, and read without.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from . import MAX_RECORD, Malformed

name = "csv"
order = 40
media_types = ("text/csv",)
aliases = ()

CHUNK_RECORDS = 100
DELIMITERS = ",;\t"
MAX_CELL = 1024 * 1024  # characters
# What a spreadsheet would run, behind any apostrophes: those that are the text's own get one more, so none is lost.
_FORMULA = re.compile("'*[=+\\-@\t\r]")
COLUMNS = (
    "id",
    "title",
    "subtitle",
    "authors",
    "isbn",
    "publisher",
    "published",
    "language",
    "series",
    "series_number",
    "edition",
    "pages",
    "description",
    "subjects",
    "identifiers",
    "cover_url",
    "version",
    "created_at",
    "updated_at",
)
_BAR = re.compile(r"(?:(?<= )|\A)(\\*)\|(?= |\Z)")

csv.field_size_limit(MAX_CELL)


def write(records: Iterable[dict], fields: Sequence[str] = COLUMNS) -> Iterator[bytes]:
    """The header and a line a record, in chunks."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(fields)
    for number, record in enumerate(records):
        writer.writerow([_cell(record[column]) for column in fields])
        if number % CHUNK_RECORDS == 0:
            yield _taken(out)
    yield _taken(out)


def _taken(out: io.StringIO) -> bytes:
    made = out.getvalue().encode()
    out.seek(0)
    out.truncate()
    return made


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = join(value)
    return "'" + value if isinstance(value, str) and _FORMULA.match(value) else value


def join(items: list) -> str:
    """A list in one cell: `` | `` between items, a bar that stands alone inside one gets a backslash more."""
    texts = [
        f"{item['scheme']}:{item['value']}" if isinstance(item, dict) else item for item in items
    ]
    return " | ".join(_BAR.sub(r"\1\\|", text) for text in texts)


def split(cell: str, separator: str = " | ") -> list[str]:
    """The items of a cell; the inverse of `join` for the default separator."""
    if separator != " | ":
        return [item for item in (part.strip() for part in cell.split(separator)) if item]
    return (
        [re.sub(r"(?:(?<= )|\A)\\(\\*)\|(?= |\Z)", r"\1|", item) for item in cell.split(separator)]
        if cell
        else []
    )


def read(
    stream: BinaryIO, encoding: str = "utf-8"
) -> Iterator[tuple[int, dict[str, str] | Malformed]]:
    """(line where it begins, {header: cell}) a record; a Malformed in a record's place where its line is wrong.

    Raises Malformed where nothing more can be read: another encoding, a quote that never ends, no header.
    """
    codec = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    text = io.TextIOWrapper(stream, encoding=codec, newline="")
    line = 0
    try:
        lines = _Lines(text)
        rows = csv.reader(lines, delimiter=max(DELIMITERS, key=lines.first.count), strict=True)
        header = [cell.strip() for cell in next(rows, [])]
        if not any(header):
            raise Malformed("there is no header line")
        line = rows.line_num + 1
        for row in rows:
            begins, line = line, rows.line_num + 1
            lines.of_one_row = 0
            if row:
                yield begins, _record(header, row)
    except UnicodeError as error:
        raise Malformed(
            f"after line {max(line - 1, 0)}: not {encoding} ({getattr(error, 'reason', error)}); "
            "name the encoding it has"
        ) from None
    except csv.Error as error:
        raise Malformed(f"line {line}: {error}") from None
    finally:
        text.detach()


class _Lines:
    """The lines of a text, as long as no row of them is too long."""

    def __init__(self, text: io.TextIOWrapper):
        self._text, self.of_one_row = text, 0
        self.first = self._next()
        self._lines = itertools.chain([self.first], iter(self._next, ""))

    def _next(self) -> str:
        line = self._text.readline(MAX_RECORD + 1)
        self.of_one_row += len(line)
        if self.of_one_row > MAX_RECORD:
            raise Malformed(f"a row has more than {MAX_RECORD} characters; is a quote left open?")
        return line

    def __iter__(self) -> Iterator[str]:
        return self._lines


def _record(header: list[str], row: list[str]) -> dict[str, str] | Malformed:
    if len(row) > len(header) and any(row[len(header) :]):
        return Malformed(f"has {len(row)} fields where the header has {len(header)}")
    record: dict[str, str] = {}
    for key, cell in zip(header, row):
        if key and not record.get(key):  # of two columns of one name the first that is not empty
            record[key] = cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
    return record
