"""Imports: every record is read and validated before the database is locked, then matched and
written.

`prepare` reads the file once into a temporary file of valid rows. A dry run matches them and writes
nothing. With `abort` all is matched first, then written in one transaction; with `skip` in short
ones, so that others can write in between.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from ...auth.permissions import Actor
from ...db import Catalogue, db
from ...formats import Format, Invalid, Malformed
from ...text import key
from .. import changes, records, store
from ..models import Book
from ..schemas import FIELDS
from ..store import CREATED, UPDATED, Change, State
from . import files, profiles
from .cells import Issue
from .mapping import MappedRecord, Mapping
from .matching import (
    NEW,
    REJECTED,
    UNCHANGED,
    ImportRow,
    Match,
    Matcher,
    StoredBooks,
    changed_fields,
    edition_of,
)
from .report import Report

BATCH = 500  # rows that are matched and written together
MAX_SECONDS = (
    0.25  # that a transaction should take with `skip`; the batches become smaller or larger
)
SPOOL = 16 * 1024 * 1024  # bytes kept in memory before they go to a file


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


class Rejected(Exception):
    """The import was given up: a record was rejected and `on_error` is abort. Nothing was
    stored."""

    def __init__(self, done: Report):
        super().__init__(f"{done.counts['rejected']} records are rejected, nothing was stored")
        self.report = done


class Prepared:
    """The valid rows of a file, in a temporary file, and the report on the others."""

    def __init__(self, options: Options, done: Report):
        self.options, self.report = options, done
        self._file: BinaryIO = TemporaryFile()  # noqa: SIM115 # closed by __exit__
        self._seen: dict[tuple[int, int], tuple[int, Any]] = {}
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
            same = int(digits), hash(edition_of(row.values))
            number, own = self._seen.setdefault(same, (row.number, row.own and row.own[0]))
            if number != row.number and own == (row.own and row.own[0]):
                self.repeats.setdefault(number, []).append(row)
                issue = Issue("record-repeated", f"is the same book as record {number}")
                self.report.add("warnings", row.place, issue, "isbn", digits)
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


# -- reading


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
            if number % BATCH == 0:
                progress(number)
    except Malformed as error:
        if options.on_error != "skip" or done.counts["read"] == done.counts["rejected"]:
            raise
        done.counts["read"] += 1
        detail = f"{error}; nothing after it could be read"
        done.counts["rejected"] += 1
        done.error((number + 1, None), Issue("unreadable", detail))
    progress(number)
    if current is not None:
        current[0] = None
    if mapping is not None:
        done.set_columns(mapping.fields_of, mapping.ignored)
        if mapping.missing:
            raise Malformed(f"there is no column {', '.join(mapping.missing)}")


def _mapping(options: Options, names: list[str], is_table: bool, done: Report) -> Mapping:
    profile = profiles.choose(names, options.profile or None)
    done.profile = profile.name if profile else None
    clears = options.empty == "clear" or (options.empty is None and not is_table and not profile)
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
    done, strict = prepared.report, prepared.options.strict
    if not found.is_book:
        for issue, name, value in found.issues:
            done.add("warnings", place, issue, name, value)
        return
    done.counts["read"] += 1
    problems = [found.error] if found.error else []
    if strict:
        problems += found.issues
        unknown = Issue("field-unknown", "is not a field of a book")
        problems += [(unknown, name, None) for name in mapping.plan(names).ignored]
    else:
        for issue, name, value in found.issues:
            done.add("warnings", place, issue, name, value)
    if problems:
        done.counts["rejected"] += 1
        for issue, name, value in problems:
            done.error(place, issue, name, value)
        return
    prepared.add(ImportRow(*place, found.values, found.adds, found.own, found.key))


def _reject(done: Report, place: tuple[int, int | None], error: Malformed | Invalid) -> None:
    done.counts["rejected"] += 1
    if isinstance(error, Malformed):
        done.error(place, Issue("unreadable", str(error)))
    else:
        for each in error.errors[:100]:
            done.error(place, Issue("unreadable", each["detail"]), each.get("field"))


# -- matching


class Action(NamedTuple):
    """What is done for a row and its repeats: the book before (None: a new one) and what
    changes."""

    book: dict[str, Any] | None
    changed: dict[str, Any]


class Outcome:
    """What matching some rows gave: actions, and what the report is to say."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.counts: dict[str, int] = {}
        self.notes: list[tuple[str, tuple[int, int | None], Issue, str | None, Any]] = []
        self.last: dict[str, Any] = {}  # the book of the last row as it is to be

    def count(self, what: str, number: int = 1) -> None:
        """More rows that were created, updated, unchanged or rejected."""
        self.counts[what] = self.counts.get(what, 0) + number

    def add_to(self, done: Report) -> None:
        """Put it into a report."""
        for what, number in self.counts.items():
            done.counts[what] += number
        for note in self.notes:
            done.add(*note)


def match_rows(
    connection: Connection, matcher: Matcher, rows: list[ImportRow], prepared: Prepared
) -> Outcome:
    """Find the books of some rows, in the state that this connection sees."""
    matcher.forget()
    outcome, stored = Outcome(), StoredBooks(_candidates(connection, rows))
    in_trash = _in_trash(connection, rows, stored)
    mode = prepared.options.mode
    for row in rows:
        found = matcher.match(row, stored, in_trash)
        if found.book and not found.is_rejected and mode == "create":
            found = Match(found.book, issue=_EXISTS, field="isbn", is_rejected=True)
        if found.issue:
            which = "errors" if found.is_rejected else "warnings"
            outcome.notes.append(
                (which, row.place, found.issue, found.field, row.values.get(found.field or ""))
            )
        repeats = prepared.repeats.get(row.number, [])
        if found.is_rejected:
            outcome.count(REJECTED, 1 + len(repeats))
            continue
        _act(outcome, row, repeats, found)
        after = outcome.last
        matcher.take(
            found.book["id"] if found.book else None, row.values.get("isbn"), after.get("isbn")
        )
    return outcome


_EXISTS = Issue("book-exists", "is a stored book already")


def _act(outcome: Outcome, row: ImportRow, repeats: list[ImportRow], found: Match) -> None:
    changed = changed_fields(found.book, row, found.isbn_as_identifier)
    after = {**(found.book or {}), **changed}
    steps = [bool(changed) or found.book is None]
    for each in repeats:
        blank = {**dict.fromkeys(FIELDS), **changes.BLANK, **after}
        more = changed_fields(blank, each, found.isbn_as_identifier)
        after |= more
        steps.append(bool(more))
    book = found.book
    if book is not None:
        changed = {name: value for name, value in after.items() if book[name] != value}
    else:
        changed = after
    for step, is_change in enumerate(steps):
        is_new = book is None and step == 0
        outcome.count(NEW if is_new else UPDATED if is_change and changed else UNCHANGED)
    outcome.last = after
    if book is None or changed:
        outcome.actions.append(Action(book, changed))


_BY_IDS = records.selection(FIELDS).where(
    Book.id.in_(bindparam("ids", expanding=True)), Book.deleted_at.is_(None)
)
_BY_TITLES = records.selection(FIELDS).where(
    Book.title_key.in_(bindparam("titles", expanding=True)), Book.deleted_at.is_(None)
)
_TRASH = records.selection(("id", "created_at")).where(
    Book.id.in_(bindparam("ids", expanding=True)), Book.deleted_at.is_not(None)
)
_STATE = select(Catalogue.seq).where(Catalogue.id == 1)


def _candidates(connection: Connection, rows: list[ImportRow]) -> Iterator[dict[str, Any]]:
    """The stored books that these rows may be."""
    if ids := [row.own[0] for row in rows if row.own]:
        yield from _fetch(connection, _BY_IDS, ids=ids)
    digits = {row.values["isbn"] for row in rows if row.values.get("isbn")}
    yield from store.by_isbns(connection, digits)
    wanted = {known_by for row in rows if (known_by := row.work_key)}
    wanted |= {("isbn", number) for number in digits}
    for _, _, record in store.by_identifiers(connection, wanted):
        yield record
    titles = {
        key(row.values["title"])
        for row in rows
        if not row.values.get("isbn") and row.work_key is None
    }
    if titles:
        yield from _fetch(connection, _BY_TITLES, titles=list(titles))


def _fetch(connection: Connection, statement: Any, **values: Any) -> list[dict[str, Any]]:
    return records.from_rows(FIELDS, list(map(tuple, connection.execute(statement, values).all())))


def _in_trash(
    connection: Connection, rows: list[ImportRow], stored: StoredBooks
) -> set[tuple[int, str]]:
    ids = [row.own[0] for row in rows if row.own and row.own[0] not in stored.by_id]
    found = connection.execute(_TRASH, {"ids": ids}).all() if ids else []
    return {(row[0], row[1]) for row in found}


# -- writing


def run(
    prepared: Prepared,
    by: Actor | None = None,
    progress: Callable[[int], None] = lambda number: None,
) -> Report:
    """Import what was prepared; returns the report. Raises Rejected."""
    options, done = prepared.options, prepared.report
    if options.dry_run or prepared.is_rejected:
        with db.read(limited=False) as connection:
            for outcome in _outcomes(connection, prepared, progress):
                outcome.add_to(done)
        if not options.dry_run:
            raise Rejected(done)
        return done
    if options.on_error == "skip":
        return _store_in_batches(prepared, by, progress)
    with plan(prepared, progress) as planned:
        return db.write(store_all, planned, by, alone=True)  # type: ignore[no-any-return]


class Planned:
    """All outcomes of an import, and the state of the catalogue (`seq`) for which they hold."""

    def __init__(self, prepared: Prepared):
        self.prepared, self.seq = prepared, -1
        self._file: BinaryIO = TemporaryFile()  # noqa: SIM115 # closed by __exit__
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> "Planned":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, its actions in the file."""
        self._file.write(orjson.dumps([tuple(each) for each in outcome.actions]) + b"\n")
        outcome.actions = []
        self.outcomes.append(outcome)

    def actions(self) -> Iterator[list[Action]]:
        """The actions, batch by batch."""
        self._file.seek(0)
        for line in self._file:
            yield [Action(*each) for each in orjson.loads(line)]


def plan(prepared: Prepared, progress: Callable[[int], None] = lambda number: None) -> Planned:
    """Match all rows without a lock."""
    planned = Planned(prepared)
    try:
        with db.read(limited=False) as connection:
            planned.seq = connection.execute(_STATE).scalar_one()
            for outcome in _outcomes(connection, prepared, progress):
                planned.add(outcome)
    except BaseException:
        planned.__exit__()
        raise
    return planned


def _outcomes(
    connection: Connection, prepared: Prepared, progress: Callable[[int], None]
) -> Iterator[Outcome]:
    matcher = Matcher(prepared.options.stale)
    rows = prepared.rows()
    while batch := list(islice(rows, BATCH)):
        yield match_rows(connection, matcher, batch, prepared)
        matcher.accept()
        progress(batch[-1].number)


def store_all(connection: Connection, planned: Planned, by: Actor | None = None) -> Report:
    """Write what was planned, in one transaction; matched anew where the catalogue has changed
    since.

    Raises Rejected. May run more than once: it changes nothing but the connection.
    """
    prepared = planned.prepared
    done = prepared.report.copy()
    state = State(connection, by)
    if state.seq == planned.seq:
        outcomes: Iterable[Outcome] = planned.outcomes
        for actions in planned.actions():
            store.store(connection, state, _changes(state, actions))
    else:
        outcomes = []
        # All is matched before anything is written: books of this import are no candidates.
        with Planned(prepared) as again:
            for outcome in _outcomes(connection, prepared, lambda number: None):
                again.add(outcome)
            outcomes = again.outcomes
            for actions in again.actions():
                store.store(connection, state, _changes(state, actions))
    for outcome in outcomes:
        outcome.add_to(done)
    if done.counts["rejected"] and prepared.options.on_error == "abort":
        raise Rejected(done)
    done.stored = True
    return done


def _changes(state: State, actions: list[Action]) -> list[Change]:
    return [
        Change(None, changes.new_record(state, action.changed), CREATED)
        if action.book is None
        else Change(action.book, changes.changed_record(action.book, action.changed) or {}, UPDATED)
        for action in actions
    ]


def _store_in_batches(
    prepared: Prepared, by: Actor | None, progress: Callable[[int], None]
) -> Report:
    done, size = prepared.report, 100
    matcher = Matcher(prepared.options.stale)
    rows = prepared.rows()
    while batch := list(islice(rows, size)):
        begun = time.perf_counter()
        outcome, made = db.write(_store_batch, matcher, batch, prepared, by, alone=True)
        matcher.accept(made)
        outcome.add_to(done)
        progress(batch[-1].number)
        seconds = time.perf_counter() - begun
        size = (
            min(1000, size * 2)
            if seconds < MAX_SECONDS / 2
            else max(20, size // 2)
            if seconds > MAX_SECONDS
            else size
        )
    done.stored = True
    return done


def _store_batch(
    connection: Connection,
    matcher: Matcher,
    batch: list[ImportRow],
    prepared: Prepared,
    by: Actor | None,
) -> tuple[Outcome, set[int]]:
    state = State(connection, by)
    first = state.last_id
    outcome = match_rows(connection, matcher, batch, prepared)
    store.store(connection, state, _changes(state, outcome.actions))
    return outcome, set(range(first + 1, state.last_id + 1))
