"""What is in a file of books."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from ...formats import Format, Malformed, Record, csv


def records(reader: Format, stream: BinaryIO, encoding: str | None = None) -> Iterator[Record]:
    """The records of a file, those of a table by the names in its header."""
    if reader.can("read"):
        yield from reader.read(stream, encoding)
    else:
        table = reader.table(stream, encoding, None)
        for line, row in table.rows:
            yield line, row if isinstance(row, Malformed) else _record(table.header, row)


def _record(header: list[str], row: list[Any]) -> dict[str, Any] | Malformed:
    if len(row) > len(header) and any(row[len(header) :]):
        return Malformed(f"has {len(row)} fields where the header has {len(header)}")
    record: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=False):
        if name and not record.get(name):
            record[name] = csv.unquote(cell)
    return record
