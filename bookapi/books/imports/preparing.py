"""Reading an import: every record is mapped and validated before the database is asked.

`prepare` reads a file once, into a temporary file of valid rows and a report on the others.
"""

from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

import orjson

from ...formats import Format, Invalid, Malformed
from . import files, profiles
from .cells import Issue
from .mapping import Mapping
from .matching import ImportRow, edition_of
from .readers import MappedRecord
from .report import Report

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


class Prepared:
    """The valid rows of a file, in a temporary file, and the report on the others."""

    def __init__(self, options: Options, done: Report):
        self.options, self.report = options, done
        self._file: BinaryIO = TemporaryFile()  # noqa: SIM115 # closed by __exit__
        self._seen: dict[int, tuple[int, Any]] = {}
        self.repeats: dict[int, list[ImportRow]] = {}  # row → later ones of the same book

    def __enter__(self) -> "Prepared":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._file.close()

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
        self._file.write(orjson.dumps(tuple(row)) + b"\n")

    def rows(self) -> Iterator[ImportRow]:
        """The rows from the first one."""
        self._file.seek(0)
        for line in self._file:
            yield _row(orjson.loads(line))


def _row(parts: list[Any]) -> ImportRow:
    number, line, values, adds, own, known_by = parts
    return ImportRow(number, line, values, adds, own and tuple(own), known_by and tuple(known_by))


def prepare(
    raw: BinaryIO,
    options: Options,
    reader: Format | None = None,
    progress: Callable[[int], None] = lambda number: None,
    listener: Callable[[str, dict[str, Any], dict[str, Any] | None], None] | None = None,
) -> Prepared:
    """Read a file. Raises Malformed or Invalid where it is no file of books."""
    contents = files.open_file(raw, reader, options.encoding, options.delimiter, options.sheet)
    current: list[Any] = [None]
    done = Report(lambda which, entry: listener(which, entry, current[0])) if listener else Report()
    done.encoding, done.delimiter = contents.encoding, contents.delimiter
    prepared = Prepared(options, done)
    try:
        _read_all(contents, prepared, current if listener else None, progress)
    except BaseException:
        prepared.__exit__()
        raise
    return prepared


def _read_all(
    contents: files.Contents,
    prepared: Prepared,
    current: list[Any] | None,
    progress: Callable[[int], None],
) -> None:
    options, done = prepared.options, prepared.report
    mapping: Mapping | None = None
    header = tuple(contents.header) if contents.header is not None else None
    if header is not None:
        mapping = _mapping(options, list(header), True, done)
        mapping.plan(header)
    number = 0
    try:
        for number, (line, record) in enumerate(contents.records, 1):
            if current is not None:
                named = (
                    zip(header or (), record, strict=False) if isinstance(record, list) else record
                )
                current[0] = None if isinstance(record, ValueError) else dict(named)
            if isinstance(record, Malformed | Invalid):
                done.counts["read"] += 1
                _reject(done, (number, line), record)
                continue
            if header is not None:
                names, row = header, record
                if len(row) > len(header) and any(row[len(header) :]):
                    detail = f"has {len(row)} fields where the header has {len(header)}"
                    done.counts["read"] += 1
                    _reject(done, (number, line), Malformed(detail))
                    continue
            else:
                names, row = tuple(record), list(record.values())
                mapping = mapping or _mapping(options, list(names), False, done)
            assert mapping is not None  # noqa: S101
            _take(prepared, mapping, (number, line), names, mapping.read(names, row))
            if number % PROGRESS == 0:
                progress(number)
    except Malformed as error:
        if options.on_error != "skip" or done.counts["read"] == done.counts["rejected"]:
            place = f", behind record {number}" if number and "line" not in str(error) else ""
            raise Malformed(f"{error}{place}") from None
        done.counts["read"] += 1
        done.counts["rejected"] += 1
        detail = f"{error}; nothing behind it could be read"
        done.add("errors", (number + 1, None), Issue("unreadable", detail))
    progress(number)
    if current is not None:
        current[0] = None
    if mapping is not None:
        done.set_columns(mapping.fields_of, mapping.ignored)
        if mapping.missing:
            raise Malformed(f"there is no column {', '.join(mapping.missing)}")


def _mapping(options: Options, names: list[str], is_table: bool, done: Report) -> Mapping:
    profile = profiles.choose(names, options.profile or None)
    done.profile = profile.name or None
    clears = options.empty == "clear" or (
        options.empty is None and not is_table and not profile.name
    )
    mapping = Mapping(
        profile,
        dict(options.columns),
        dict(options.separators),
        options.skipped,
        clears,
        is_table,
    )
    mapping.plan(tuple(names))
    targets = set(mapping.fields_of.values())
    missing = [name for name in ("title", "authors", "isbn") if name not in targets]
    if "title" in missing or (missing and mapping.ignored):
        detail = f"no column is the {' or '.join(missing)}; name it with column.{missing[0]}=NAME"
        done.add("warnings", (0, None), Issue("no-column", detail), missing[0])
    return mapping


def _take(
    prepared: Prepared,
    mapping: Mapping,
    place: tuple[int, int | None],
    names: tuple[str, ...],
    found: MappedRecord,
) -> None:
    done = prepared.report
    problems = [found.error] if found.error else []
    if prepared.options.strict and found.is_book:
        problems += found.issues
        unknown = Issue("field-unknown", "is not a field of a book")
        problems += [(unknown, name, None) for name in mapping.plan(names).ignored]
    else:
        for issue, name, value in found.issues:
            done.add("warnings", place, issue, name, value)
    if not found.is_book:
        return
    done.counts["read"] += 1
    if problems:
        done.counts["rejected"] += 1
        for issue, name, value in problems:
            done.add("errors", place, issue, name, value)
        return
    prepared.add(ImportRow(*place, found.values, found.adds, found.own, found.key))


def _reject(done: Report, place: tuple[int, int | None], error: Malformed | Invalid) -> None:
    done.counts["rejected"] += 1
    if isinstance(error, Malformed):
        done.add("errors", place, Issue("unreadable", str(error)))
    else:
        for each in error.errors[:100]:
            done.add("errors", place, Issue("unreadable", each["detail"]), each.get("field"))
