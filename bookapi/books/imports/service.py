"""Imports: `prepare` reads a file, `run` stores what it holds.

A dry run matches the records and writes nothing. With `abort` all is matched first, without a lock,
then written in one transaction; with `skip` in short ones, so that others can write in between.
"""

import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from sqlalchemy.engine import Connection

from ...auth.permissions import SignedIn
from ...db import db
from .. import changes, store
from ..store import CREATED, UPDATED, Change, State
from .matching import ImportRow, Matcher
from .planning import Action, Outcome, Planned, match_rows, plan
from .preparing import Options, Prepared, prepare
from .report import Report

__all__ = ["Options", "Prepared", "Rejected", "prepare", "run"]

PLANS = 3  # of an `abort` import, until it is matched inside the lock
# Seconds that a transaction should take with `skip`; the batches become smaller or larger.
MAX_SECONDS = 0.25


class Rejected(Exception):
    """The import was given up: a record was rejected and `on_error` is abort. Nothing was
    stored."""

    def __init__(self, done: Report):
        super().__init__(f"{done.counts['rejected']} records are rejected, nothing was stored")
        self.report = done.as_dict()


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
    whole import, with `skip` one behind all others.
    """
    options = prepared.options
    if options.dry_run or prepared.is_rejected:
        with plan(prepared, progress) as planned:
            _tell(prepared, planned)
            if not options.dry_run:
                raise Rejected(planned.report)
            return planned.report.as_dict()
    if options.on_error == "skip":
        report = _store_in_batches(prepared, by, progress)
        return write(_result, report) if write else report
    for attempt in range(1, PLANS + 1):
        with plan(prepared, progress) as planned:
            try:
                if planned.report.counts["rejected"]:
                    raise Rejected(planned.report)
                report = (write or _write)(_store_all, prepared, planned, by, attempt == PLANS)
            except _Outdated:
                continue
            except Rejected:
                _tell(prepared, planned)
                raise
            _tell(prepared, planned)
            return report  # type: ignore[no-any-return]
    raise AssertionError("the last plan is made inside the lock")


def _tell(prepared: Prepared, planned: Planned) -> None:
    """Give the listener of an import what the plan that counts has to say."""
    for note in planned.notes:
        prepared.report.add(*note)


def _result(connection: Connection, report: dict[str, Any]) -> dict[str, Any]:
    return report


def _store_all(
    connection: Connection, prepared: Prepared, planned: Planned, by: SignedIn | None, is_last: bool
) -> dict[str, Any]:
    """Write what was planned, in one transaction, while nobody else can change the catalogue.

    Raises _Outdated where it has changed since; the last time all is matched anew here. May run
    more than once: it changes nothing but the connection.
    """
    state = State(connection, by)
    if planned.holds(connection, state.seq):
        return _written(connection, state, planned)
    if not is_last:
        raise _Outdated
    # All is matched before anything is written: books of this import are no candidates.
    with plan(prepared, connection=connection) as again:
        planned.notes = again.notes
        if again.report.counts["rejected"]:
            raise Rejected(again.report)
        return _written(connection, state, again)


def _written(connection: Connection, state: State, planned: Planned) -> dict[str, Any]:
    for actions in planned.actions():
        store.store(connection, state, _changes(state, actions))
    return {**planned.report.as_dict(), "stored": True}


def _changes(state: State, actions: list[Action]) -> list[Change]:
    return [
        Change(None, changes.new_record(state, action.changed), CREATED)
        if action.book is None
        else Change(action.book, changes.changed_record(action.book, action.changed) or {}, UPDATED)
        for action in actions
    ]


def _store_in_batches(
    prepared: Prepared, by: SignedIn | None, progress: Callable[[int], None]
) -> dict[str, Any]:
    done, size = prepared.report, 100
    matcher = Matcher(prepared.options.stale)
    rows = prepared.rows()
    while batch := list(islice(rows, size)):
        begun = time.perf_counter()
        outcome, made = _write(_store_batch, matcher, batch, prepared, by)
        matcher.accept(made)
        outcome.add_to(done)
        progress(batch[-1].number)
        seconds = time.perf_counter() - begun
        if seconds < MAX_SECONDS / 2:
            size = min(1000, size * 2)
        elif seconds > MAX_SECONDS:
            size = max(20, size // 2)
    return {**done.as_dict(), "stored": True}


def _store_batch(
    connection: Connection,
    matcher: Matcher,
    batch: list[ImportRow],
    prepared: Prepared,
    by: SignedIn | None,
) -> tuple[Outcome, set[int]]:
    state = State(connection, by)
    first = state.last_id
    outcome = match_rows(connection, matcher, batch, prepared)
    store.store(connection, state, _changes(state, outcome.actions))
    return outcome, set(range(first + 1, state.last_id + 1))
