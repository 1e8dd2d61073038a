"""Excel (.xlsx) and OpenDocument (.ods) workbooks, read by python-calamine."""

import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import python_calamine

from . import Format, Malformed, Table

MAX_UNPACKED = 256 * 1024 * 1024  # bytes of a workbook: calamine holds a sheet in memory


def table(stream: BinaryIO, encoding: str | None = None, sheet: str | None = None) -> Table:
    """The rows of the sheet of that name, else of the first one. Raises Malformed for what is not a
    workbook.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED:
                raise Malformed(f"the workbook unpacks to more than {MAX_UNPACKED} bytes")
        stream.seek(0)
        book = python_calamine.load_workbook(stream)
        if sheet is not None and sheet not in book.sheet_names:
            others = ", ".join(book.sheet_names)
            raise Malformed(f"there is no sheet {sheet!r}, only {others}", "sheet")
        found = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
        rows = _rows(found.iter_rows())  # the empty ones before the header, too
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError, IndexError) as error:
        raise Malformed(f"not a workbook that can be read ({error})") from None
    _, header = next(rows, (0, []))
    if not any(header):
        raise Malformed("the sheet has no header row")
    return Table([str(name).strip() for name in header], None, rows)


def _rows(rows: Iterator[list[Any]]) -> Iterator[tuple[int, list[Any]]]:
    for number, row in enumerate(rows, 1):
        cells = [_cell(value) for value in row]
        if any(cells):
            yield number, cells


def _cell(value: Any) -> str:
    """A cell as text; a number that is whole without its fraction, a moment as its date."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value.date() if isinstance(value, datetime) else value)


FORMAT = Format(
    name="workbook",
    order=90,
    media_types=(
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.oasis.opendocument.spreadsheet",
    ),
    table=table,
)
