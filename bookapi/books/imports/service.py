"""Books in by the thousand: the import and its report, for the console and HTTP alike."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from marshmallow import ValidationError
from sqlalchemy.engine import Connection

from ...auth.permissions import Actor
from ...formats import Invalid, Malformed
from ...http.problems import from_validation
from ...text import key, printable
from .. import changes, store
from ..schemas import WRITABLE, book_schema
from ..store import CREATED, UPDATED, Change, State
from .mapping import Columns

BATCH = 500  # records looked up and flushed together
MAX_REPORTED = 1000  # errors and warnings in a report; the numbers count them all
MAX_REPORTED_LENGTH = 200  # characters of anything of a record


class Options(NamedTuple):
    """How an import goes (contract, section 5)."""

    mode: str = "upsert"
    on_error: str = "abort"
    strict: bool = False
    dry_run: bool = False
    columns: dict[str, str] = {}
    separators: dict[str, str] = {}


class Report:
    """What an import did, counted, with what was refused and what was read leniently by record."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("read", "created", "updated", "unchanged", "rejected"), 0)
        self.errors: list[dict] = []
        self.warnings: list[dict] = []
        self.ignored: list[str] = []

    def tell(
        self, kind: str, source: "Source", field: str | None, detail: str, value: Any = None
    ) -> None:
        """Add an error or a warning, while there is room."""
        told = getattr(self, kind)
        if len(told) < MAX_REPORTED:
            entry = {
                "record": source.number,
                "line": source.line,
                "field": field and _told(field),
                "detail": _told(detail),
                "value": None if value is None else _told(_written(value)),
            }
            told.append({name: part for name, part in entry.items() if part is not None})

    def as_dict(self) -> dict:
        """The report as the contract has it."""
        return {
            **self.counts,
            "errors": self.errors,
            "warnings": self.warnings,
            "ignored": self.ignored,
        }


def _written(value: Any) -> str:
    """A value as the client wrote it, or nearly so; of a long list the beginning."""
    if isinstance(value, list):
        value = value[:MAX_REPORTED_LENGTH]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _told(text: str) -> str:
    return printable(text[:MAX_REPORTED_LENGTH])


class Rejected(Exception):
    """The import was given up: a record was wrong and `on_error` is abort. Nothing was stored."""

    def __init__(self, report: Report):
        super().__init__(f"{report.counts['rejected']} records are wrong, nothing was stored")
        self.report = report


class _DryRun(Exception):
    def __init__(self, report: Report):
        self.report = report


class Source(NamedTuple):
    """Where a record comes from: its number, counted from 1, and the physical line where it begins."""

    number: int
    line: int | None


class _Incoming(NamedTuple):
    source: Source
    values: dict[str, Any]


def run(
    write: Callable,
    open_records: Callable[[], Iterator[tuple[int, Any]]],
    options: Options,
    progress: Callable[[int], None] = lambda number: None,
    by: Actor | None = None,
) -> Report:
    """Import by a `unit` of `write` (`db.write`); returns the report. A dry run leaves no trace."""
    try:
        return write(operation, open_records, options, progress, by, alone=True)
    except _DryRun as done:
        return done.report


def operation(
    connection: Connection,
    open_records: Callable[[], Iterator[tuple[int, Any]]],
    options: Options,
    progress: Callable[[int], None] = lambda number: None,
    by: Actor | None = None,
) -> Report:
    """Import, all or nothing of it; returns the report. `by` is the account that does it (None: the command line).

    `open_records` begins the (line, record, Malformed or Invalid) pairs anew each time: a unit may run more than once.
    Raises Rejected where the import is given up, Malformed or Invalid where the source cannot be read on.
    """
    report, columns = Report(), Columns(options.columns, options.separators)
    given: set[int] = (
        set()
    )  # the ISBNs that this import gave out, as numbers: small, for there may be many
    state = State(connection, by)
    incoming = _valid(open_records(), columns, options, report)
    while batch := list(islice(incoming, BATCH)):
        _Batch(connection, state, options, report, given).store(batch)
        progress(report.counts["read"])
    progress(report.counts["read"])
    report.ignored = [_told(name) for name in columns.ignored[:MAX_REPORTED]]
    if columns.missing:
        raise Malformed(f"there is no column {', '.join(columns.missing)}")
    if report.counts["rejected"] and options.on_error == "abort":
        raise Rejected(report)
    if options.dry_run:
        raise _DryRun(report)
    return report


def _valid(
    records: Iterable[tuple[int, Any]], columns: Columns, options: Options, report: Report
) -> Iterator[_Incoming]:
    """The records that are valid books; what is wrong with the others goes into the report."""
    for number, (line, record) in enumerate(records, 1):
        report.counts["read"] += 1
        source = Source(number, line)
        if isinstance(record, (Malformed, Invalid)):
            values, errors = {}, _read_wrong(record)
        else:
            values, errors = _loaded(record, columns, options, report, source)
        if errors:
            report.counts["rejected"] += 1
            for field, detail, value in errors:
                report.tell("errors", source, field, detail, value)
        else:
            yield _Incoming(source, values)


def _read_wrong(error: Malformed | Invalid) -> list[tuple]:
    if isinstance(error, Malformed):
        return [(None, str(error), None)]
    return [(told.get("field"), told["detail"], None) for told in error.errors]


def _loaded(
    record: dict, columns: Columns, options: Options, report: Report, source: Source
) -> tuple[dict, list]:
    cells = columns.read(record)
    errors = []
    if options.strict:
        errors += cells.warnings
        errors += [
            (name, "is no field of a book", None) for name in record if columns.ignores(name)
        ]
    else:
        for warning in cells.warnings:
            report.tell("warnings", source, *warning)
    try:
        values = book_schema.load(cells.values, partial=set(book_schema.fields) - {"title"})
    except ValidationError as error:
        values = {}
        errors += [
            (told.get("field"), told["detail"], cells.values.get(told.get("field")))
            for told in from_validation(error)
        ]
    return values, errors


class _Held:
    """A book that this batch has to do with: as it was before (None: there was none), and as it is to be."""

    def __init__(self, before: dict | None, now: dict):
        self.before, self.now = before, now

    @property
    def is_changed(self) -> bool:
        return self.before is None or any(self.before[name] != self.now[name] for name in WRITABLE)

    def has_title(self, title: str) -> bool:
        return key(self.now["title"]) == key(title)


class _Batch:
    """Some records brought into the catalogue together."""

    def __init__(
        self,
        connection: Connection,
        state: State,
        options: Options,
        report: Report,
        given: set[int],
    ):
        self.connection, self.state, self.options = connection, state, options
        self.report, self.given = report, given
        self.held: dict[int, _Held] = {}
        self.by_isbn: dict[str, _Held] = {}
        self.by_identifier: dict[tuple[str, str], list[_Held]] = {}

    def store(self, batch: list[_Incoming]) -> None:
        """Create or update the books."""
        self._look_up(batch)
        for incoming in batch:
            self._place(incoming)
        changes_made = [
            Change(held.before, held.now, UPDATED if held.before else CREATED)
            for held in self.held.values()
            if held.is_changed
        ]
        store.store(self.connection, self.state, changes_made)

    def _look_up(self, batch: list[_Incoming]) -> None:
        digits = {incoming.values["isbn"] for incoming in batch if incoming.values.get("isbn")}
        for record in store.by_isbns(self.connection, digits):
            self.by_isbn[record["isbn"]] = self._hold(record)
        wanted = {_first_identifier(incoming.values) for incoming in batch} - {None}
        wanted |= {("isbn", number) for number in digits}
        for scheme, value, record in store.by_identifiers(self.connection, wanted):
            self.by_identifier.setdefault((scheme, value), []).append(self._hold(record))

    def _hold(self, record: dict) -> _Held:
        return self.held.setdefault(record["id"], _Held(record, record))

    def _place(self, incoming: _Incoming) -> None:
        values = incoming.values
        held = self._existing(incoming)
        if held is not None and self.options.mode == "create":
            self.report.counts["rejected"] += 1
            self.report.tell(
                "errors",
                incoming.source,
                "isbn" if values.get("isbn") else "identifiers",
                "is another book's already",
                values.get("isbn"),
            )
            return
        if held is None:
            held = self._created(values)
        else:
            self._updated(held, values)
        if values.get("isbn"):
            self.by_isbn[values["isbn"]] = held
            self.given.add(int(values["isbn"]))
        for identifier in held.now["identifiers"][:1]:
            known = self.by_identifier.setdefault((identifier["scheme"], identifier["value"]), [])
            if held not in known:
                known.append(held)

    def _existing(self, incoming: _Incoming) -> _Held | None:
        """The book that a record is about. Volumes of a set share an ISBN: it may become an identifier here."""
        values = incoming.values
        digits = values.get("isbn")
        held = self.by_isbn.get(digits) if digits else None
        if held is not None and (int(digits) not in self.given or held.has_title(values["title"])):
            return held
        if held is not None:
            values["isbn"] = None
            kept = {"scheme": "isbn", "value": digits}
            values["identifiers"] = [
                kept,
                *[other for other in values.get("identifiers") or [] if other != kept],
            ]
            self.report.tell(
                "warnings",
                incoming.source,
                "isbn",
                "was given to a book of another title by an earlier record; kept as an identifier",
                digits,
            )
        first = _first_identifier(values)
        candidates = self.by_identifier.get(first, [])
        if (
            first and first[0] == "isbn"
        ):  # a set's, perhaps: its volumes are told apart by their titles
            candidates = [other for other in candidates if other.has_title(values["title"])]
        return candidates[0] if candidates else None

    def _created(self, values: dict[str, Any]) -> _Held:
        record = changes.new_record(self.state, values)
        self.held[record["id"]] = _Held(None, record)
        self.report.counts["created"] += 1
        return self.held[record["id"]]

    def _updated(self, held: _Held, values: dict[str, Any]) -> None:
        after = changes.changed_record(held.now, values)
        self.report.counts["updated" if after else "unchanged"] += 1
        if after is None:
            return
        if held.now["isbn"] not in (None, after["isbn"]):
            self.by_isbn.pop(held.now["isbn"], None)
        # However often one import changes a book, to everyone else it is changed once.
        held.now = {**after, "version": held.before["version"] + 1 if held.before else 1}


def _first_identifier(values: dict[str, Any]) -> tuple[str, str] | None:
    identifiers = values.get("identifiers")
    return (identifiers[0]["scheme"], identifiers[0]["value"]) if identifiers else None
