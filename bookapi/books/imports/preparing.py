"""Reading an import: every record is mapped and validated before the database is asked.

`prepare` reads a file once, into a temporary file of valid rows and a report on the others.
"""

from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple, Self

import orjson

from ...formats import Format, Invalid, Malformed
from . import files, profiles
from .cells import Issue
from .mapping import Mapping
from .matching import ImportRow, edition_of
from .report import Listener, Report

PROGRESS = 500  # records between two calls of `progress`


class Options(NamedTuple):
    """How an import goes (docs/api.md, Importing)."""

    mode: str = "upsert"
    on_error: str = "abort"
    strict: bool = False
    dry_run: bool = False
    empty: str | None = None
    stale: str = "reject"
    profile: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    separators: tuple[tuple[str, str], ...] = ()
    skipped: tuple[str, ...] = ()


class JsonLinesFile:
    """Values in a temporary file, to be read again from the first one."""

    def __init__(self) -> None:
        self._file: BinaryIO = TemporaryFile()  # noqa: SIM115 # closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._file.close()

    def write(self, value: Any) -> None:
        """Keep a value of JSON."""
        self._file.write(orjson.dumps(value) + b"\n")

    def values(self) -> Iterator[Any]:
        """All that was kept."""
        self._file.seek(0)
        return map(orjson.loads, self._file)


class Prepared(JsonLinesFile):
    """The valid rows of a file, and the report on the others."""

    def __init__(self, options: Options, report: Report):
        super().__init__()
        self.options, self.report = options, report
        self._seen: dict[int, tuple[int, Any]] = {}
        self.repeats: dict[int, list[ImportRow]] = {}  # row → later ones of the same book

    @property
    def is_rejected(self) -> bool:
        """Whether nothing of it will be stored."""
        return self.options.on_error == "abort" and self.report.counts["rejected"] > 0

    def add(self, row: ImportRow) -> None:
        """Keep a row; one that is the book of an earlier row (rule 5) with that."""
        if digits := row.values.get("isbn"):
            own = row.own and row.own[:2]
            same = hash((digits, edition_of(row.values)))
            number, other = self._seen.setdefault(same, (row.number, own))
            if number != row.number and (own == other or None in (own, other)):
                self.repeats.setdefault(number, []).append(row)
                return
        self.write(tuple(row))

    def rows(self) -> Iterator[ImportRow]:
        """The rows from the first one."""
        for number, line, values, adds, own, known_by in self.values():
            own, known_by = own and tuple(own), known_by and tuple(known_by)
            yield ImportRow(number, line, values, adds, own, known_by)


def prepare(
    raw: BinaryIO,
    options: Options,
    reader: Format | None = None,
    progress: Callable[[int], None] = lambda number: None,
    listener: Listener | None = None,
) -> Prepared:
    """Read a file. Raises Malformed or Invalid where it is no file of books."""
    contents = files.open_file(raw, reader, options.encoding, options.delimiter, options.sheet)
    report = Report(listener)
    report.encoding, report.delimiter = contents.encoding, contents.delimiter
    prepared = Prepared(options, report)
    try:
        _read_all(contents, prepared, progress)
    except BaseException:
        prepared.__exit__()
        raise
    return prepared


def _read_all(
    contents: files.Contents, prepared: Prepared, progress: Callable[[int], None]
) -> None:
    options, report = prepared.options, prepared.report
    header = contents.header and tuple(contents.header)
    while header and not header[-1]:  # its cells belong to no column
        header = header[:-1]
    report.record = (header, ()) if header else None
    mapping = _mapping(options, header, True, report) if header else None
    number = 0
    try:
        for number, (line, record) in enumerate(contents.records, 1):
            report.record = None
            if not isinstance(record, ValueError):
                names, row = (header, record) if header else (tuple(record), [*record.values()])
                report.record = names, row
            if isinstance(record, ValueError):
                _reject(report, (number, line), record)
            else:
                mapping = mapping or _mapping(options, names, False, report)
                _take(prepared, mapping, (number, line), names, row)
            if number % PROGRESS == 0:
                progress(number)
    except Malformed as error:
        if options.on_error != "skip" or report.counts["read"] == report.counts["rejected"]:
            place = f", after record {number}" if number and "line" not in str(error) else ""
            raise Malformed(f"{error}{place}") from None
        _reject(report, (number + 1, None), Malformed(f"{error}; nothing after it could be read"))
    progress(number)
    report.record = None
    if mapping:
        report.set_columns(mapping.fields_of, mapping.ignored)
        if mapping.missing:
            names = tuple(mapping.missing.values())
            parameters = (f"column.{field}" for field in mapping.missing)
            raise Malformed(f"there is no column {', '.join(names)}", *parameters)


def _mapping(options: Options, names: tuple[str, ...], is_table: bool, report: Report) -> Mapping:
    profile = profiles.choose(names, options.profile or None)
    report.profile = profile.name or None
    is_own = not is_table and profile is profiles.OWN  # there a null is meant
    clears = is_own if options.empty is None else options.empty == "clear"
    columns, separators = dict(options.columns), dict(options.separators)
    mapping = Mapping(profile, columns, separators, options.skipped, clears, is_table)
    mapping.plan(names)
    targets = set(mapping.fields_of.values())
    missing = [name for name in ("title", "authors", "isbn") if name not in targets]
    if "title" in missing or (missing and mapping.ignored):
        others = "".join(f", nor is {name}" for name in missing[1:])
        detail = f"is in no column{others}; name it with column.{missing[0]}=NAME"
        report.add("warnings", (0, None), Issue("no-column", detail), missing[0])
    return mapping


def _take(
    prepared: Prepared,
    mapping: Mapping,
    place: tuple[int, int | None],
    names: tuple[str, ...],
    row: list[Any],
) -> None:
    report, found = prepared.report, mapping.read(names, row)
    if beyond := [cell for cell in row[len(names) :] if cell.strip()]:
        detail = f"has more cells than the {len(names)} columns of the header; left out"
        found.note(None, Issue("cells-left-over", detail), beyond)
    problems = [found.error] if found.error else []
    if prepared.options.strict and found.is_book:
        unknown = Issue("field-unknown", "is not a field of a book")
        problems += found.issues
        problems += [(unknown, name, None) for name in mapping.plan(names).ignored]
    else:
        for issue, name, value in found.issues:
            report.add("warnings", place, issue, name, value)
    if not found.is_book:
        return
    report.counts["read"] += 1
    if problems:
        report.counts["rejected"] += 1
        for issue, name, value in problems:
            fault = issue.detail.partition(";")[0]  # nothing is left out or cut
            report.add("errors", place, issue._replace(detail=fault), name, value)
    else:
        prepared.add(ImportRow(*place, found.values, found.adds, found.own, found.key))


def _reject(report: Report, place: tuple[int, int | None], error: ValueError) -> None:
    """What could not be read is a rejected record."""
    report.counts["read"] += 1
    report.counts["rejected"] += 1
    faults = error.errors[:100] if isinstance(error, Invalid) else [{"detail": str(error)}]
    for fault in faults:
        report.add("errors", place, Issue("unreadable", fault["detail"]), fault.get("field"))
