"""Imports: `prepare` reads a file, `run` stores what it holds.

A dry run matches the records and writes nothing. With `abort` all is matched first (`plan`),
without a lock, then written in one transaction; with `skip` in short ones, so that others can write
in between.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from ...auth.permissions import SignedIn
from ...catalogue import Catalogue
from ...db import db
from .. import changes, store
from ..models import Book, History
from ..store import CREATED, UPDATED, Change, State
from . import matching
from .cells import Issue
from .matching import ImportRow, Match, Matcher, StoredBooks, changed_fields
from .preparing import JsonLinesFile, Options, Prepared, prepare
from .report import Report

__all__ = ["Options", "Prepared", "Rejected", "prepare", "run"]

BATCH = 1000  # rows that are matched together
PLANS = 3  # of an `abort` import, until it is matched inside the lock
# Seconds that a transaction should take with `skip`; the batches become smaller or larger.
MAX_SECONDS = 0.25


class Rejected(Exception):
    """The import was given up: a record was rejected and `on_error` is abort. Nothing was
    stored."""

    def __init__(self, report: Report):
        number = report.counts["rejected"]
        records = "1 record is" if number == 1 else f"{number} records are"
        super().__init__(f"{records} rejected, nothing was stored")
        self.report = report.as_dict()


class _Outdated(Exception):
    """The catalogue has changed since an import was planned."""


def _write(operation: Callable[..., Any], *args: Any) -> Any:
    return db.write(operation, *args, alone=True)


def run(
    prepared: Prepared,
    by: SignedIn | None = None,
    progress: Callable[[int], None] = lambda number: None,
    write: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """Import what was prepared; returns the report. Raises Rejected.

    `write` runs the transaction that gives the report in place of `db.write`: with `abort` the
    whole import, with `skip` one after all others.
    """
    options, report = prepared.options, prepared.report
    if options.on_error == "skip" and not options.dry_run:
        done = _store_in_batches(prepared, by, progress)
        return write(_result, done) if write else done
    for attempt in range(1, PLANS + 1):
        with plan(prepared, progress) as planned:
            stored: dict[str, Any] | None = None
            try:
                if not (options.dry_run or prepared.is_rejected or planned.is_rejected):
                    is_last = attempt == PLANS
                    stored = (write or _write)(_store_all, prepared, planned, by, is_last)
            except _Outdated:
                continue
            except Rejected:
                pass
            planned.outcome.add_to(report)  # of the last plan alone
        if stored is None and not options.dry_run:
            raise Rejected(report)
        return stored or report.as_dict()
    raise AssertionError("the last plan is made inside the lock")


def _result(connection: Connection, report: dict[str, Any]) -> dict[str, Any]:
    return report


# -- what is to be done


class Action(NamedTuple):
    """What is done for a row and its repeats: the book before (None: a new one) and what
    changes."""

    book: dict[str, Any] | None
    changed: dict[str, Any]


class Outcome:
    """What the report is to say of rows that were matched."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._notes: list[tuple[str, tuple[int, int | None], Issue, str | None, Any]] = []

    def note(self, row: ImportRow, issue: Issue, field: str | None, is_rejected: bool) -> None:
        """What there is to say of a row."""
        which = "errors" if is_rejected else "warnings"
        place = row.number, row.line
        self._notes.append((which, place, issue, field, row.values.get(field or "")))

    def add_to(self, report: Report) -> None:
        """Put it into a report."""
        for what, number in self.counts.items():
            report.counts[what] += number
        for note in self._notes:
            report.add(*note)


def _match_rows(
    connection: Connection,
    matcher: Matcher,
    rows: list[ImportRow],
    prepared: Prepared,
    outcome: Outcome,
) -> list[Action]:
    """Find the books of some rows, in the state that this connection sees."""
    matcher.forget()
    stored = StoredBooks(matching.candidates(connection, rows))
    in_trash = matching.in_trash(connection, rows, stored)
    is_create = prepared.options.mode == "create"
    actions = []
    for row in rows:
        found = matcher.match(row, stored, in_trash)
        if is_create and found.book and not found.is_rejected:
            found = found._replace(issue=_EXISTS, is_rejected=True)
        if found.issue:
            outcome.note(row, found.issue, found.field, found.is_rejected)
        repeats = _repeats(outcome, row, found, prepared.repeats.get(row.number, []))
        if found.is_rejected:
            outcome.counts["rejected"] += 1
            continue
        action = _act(outcome, [row, *repeats], found)
        if action.book is None or action.changed:
            actions.append(action)
        before = action.book or store.BLANK
        isbn = action.changed.get("isbn", before["isbn"])
        matcher.take(before["id"], row.values.get("isbn"), isbn)
    return actions


_EXISTS = Issue("book-exists", "is a stored book already")


def _repeats(
    outcome: Outcome, row: ImportRow, found: Match, repeats: list[ImportRow]
) -> list[ImportRow]:
    """The later rows that are the same book (rule 5), without those of its id (rule 1)."""
    kept = []
    for each in repeats:
        has_its_id = bool(found.book and row.own and each.own and row.own[0] == found.book["id"])
        is_rejected = found.is_rejected or has_its_id
        issue = Issue("record-repeated", f"is the same book as record {row.number}")
        outcome.note(each, issue, "id" if has_its_id else "isbn", is_rejected)
        if is_rejected:
            outcome.counts["rejected"] += 1
        else:
            kept.append(each)
    return kept


def _act(outcome: Outcome, rows: list[ImportRow], found: Match) -> Action:
    """What is done for a row and its repeats."""
    book, is_identifier = found.book, found.isbn_as_identifier
    changed = changed_fields(book, rows[0], is_identifier)
    steps = [changed]
    if len(rows) > 1:
        after = {**(book or store.BLANK), **changed}
        for each in rows[1:]:
            steps.append(changed_fields(after, each, is_identifier))
            after |= steps[-1]
        changed = {n: value for n, value in after.items() if book is None or book[n] != value}
    for number, step in enumerate(steps):
        is_new = book is None and number == 0
        kind = "created" if is_new else "updated" if step and changed else "unchanged"
        outcome.counts[kind] += 1
    return Action(book, changed)


_STATE = select(Catalogue.seq).where(Catalogue.id == 1)
_CHANGED = (
    select(History.book_id, Book.live_isbn)
    .join(Book, Book.id == History.book_id, isouter=True)
    .where(History.seq > bindparam("seq"))
)


class Planned(JsonLinesFile):
    """All actions of an import, and the state of the catalogue (`seq`) for which they hold."""

    def __init__(self, prepared: Prepared):
        super().__init__()
        self.seq = -1
        self.outcome = Outcome()
        self.matcher = Matcher(prepared.options.stale)
        self._aborts = prepared.options.on_error == "abort"

    @property
    def is_rejected(self) -> bool:
        """Whether nothing of it will be stored."""
        return self._aborts and self.outcome.counts["rejected"] > 0

    def holds(self, connection: Connection, seq: int) -> bool:
        """Whether nothing changed up to `seq` that these actions are about. What else changed might
        as well have come after this import."""
        if seq == self.seq:
            return True
        changed = connection.execute(_CHANGED, {"seq": self.seq})
        return not any(self.matcher.concerns(book_id, isbn) for book_id, isbn in changed)


def plan(
    prepared: Prepared,
    progress: Callable[[int], None] = lambda number: None,
    connection: Connection | None = None,
) -> Planned:
    """Match all rows: in one state of the catalogue without a lock, or in that of a connection."""
    planned = Planned(prepared)
    try:
        with nullcontext(connection) if connection else db.read(limited=False) as reader:
            planned.seq = reader.execute(_STATE).scalar_one()
            rows = prepared.rows()
            while batch := list(islice(rows, BATCH)):
                matcher, outcome = planned.matcher, planned.outcome
                planned.write(
                    list(map(tuple, _match_rows(reader, matcher, batch, prepared, outcome)))
                )
                matcher.accept()
                progress(batch[-1].number)
    except BaseException:
        planned.__exit__()
        raise
    return planned


# -- storing it


def _store_all(
    connection: Connection, prepared: Prepared, planned: Planned, by: SignedIn | None, is_last: bool
) -> dict[str, Any]:
    """Write what was planned, in one transaction, while nobody else can change the catalogue.

    Raises _Outdated where it has changed since; the last time all is matched anew here. May run
    more than once: it changes nothing but the connection.
    """
    state = State(connection, by)
    if planned.holds(connection, state.seq):
        return _written(connection, state, prepared, planned)
    if not is_last:
        raise _Outdated
    # All is matched before anything is written: books of this import are no candidates.
    with plan(prepared, connection=connection) as again:
        planned.outcome = again.outcome
        if again.is_rejected:
            raise Rejected(prepared.report)
        return _written(connection, state, prepared, again)


def _written(
    connection: Connection, state: State, prepared: Prepared, planned: Planned
) -> dict[str, Any]:
    for actions in planned.values():
        _store(connection, state, actions)
    report = prepared.report.copy()
    planned.outcome.add_to(report)
    return {**report.as_dict(), "stored": True}


def _store(connection: Connection, state: State, actions: Iterable[Any]) -> None:
    done = [
        Change(None, changes.new_record(state, changed), CREATED)
        if book is None
        else Change(book, changes.changed_record(book, changed) or {}, UPDATED)
        for book, changed in actions
    ]
    store.store(connection, state, done)


def _store_in_batches(
    prepared: Prepared, by: SignedIn | None, progress: Callable[[int], None]
) -> dict[str, Any]:
    report, size = prepared.report, 100
    matcher = Matcher(prepared.options.stale)
    rows = prepared.rows()
    while batch := list(islice(rows, size)):
        begun = time.perf_counter()
        outcome, made = _write(_store_batch, matcher, batch, prepared, by)
        matcher.accept(made)
        outcome.add_to(report)
        progress(batch[-1].number)
        seconds = time.perf_counter() - begun
        if seconds < MAX_SECONDS / 2:
            size = min(1000, size * 2)
        elif seconds > MAX_SECONDS:
            size = max(20, size // 2)
    return {**report.as_dict(), "stored": True}


def _store_batch(
    connection: Connection,
    matcher: Matcher,
    batch: list[ImportRow],
    prepared: Prepared,
    by: SignedIn | None,
) -> tuple[Outcome, range]:
    state, outcome = State(connection, by), Outcome()
    first = state.last_id + 1
    _store(connection, state, _match_rows(connection, matcher, batch, prepared, outcome))
    return outcome, range(first, state.last_id + 1)
