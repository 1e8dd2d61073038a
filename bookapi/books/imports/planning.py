"""What an import is to do: each row is matched to a stored book, in one state of the catalogue and
without a lock.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from ...catalogue import Catalogue
from ...db import db
from ...text import key
from .. import records, store
from ..models import Book, History
from ..schemas import FIELDS
from .cells import Issue
from .matching import (
    NEW,
    REJECTED,
    UNCHANGED,
    UPDATED,
    ImportRow,
    Match,
    Matcher,
    StoredBooks,
    changed_fields,
)
from .preparing import Prepared
from .report import Report

BATCH = 1000  # rows that are matched together


class Action(NamedTuple):
    """What is done for a row and its repeats: the book before (None: a new one) and what
    changes."""

    book: dict[str, Any] | None
    changed: dict[str, Any]


class Outcome:
    """What matching some rows gave: actions, and what the report is to say."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.counts: Counter[str] = Counter()
        self.notes: list[tuple[str, tuple[int, int | None], Issue, str | None, Any]] = []

    def note(self, row: ImportRow, issue: Issue, field: str | None, is_rejected: bool) -> None:
        """What there is to say of a row."""
        which = "errors" if is_rejected else "warnings"
        self.notes.append((which, row.place, issue, field, row.values.get(field or "")))

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
    is_create = prepared.options.mode == "create"
    for row in rows:
        found = matcher.match(row, stored, in_trash)
        if is_create and found.book and not found.is_rejected:
            found = Match(found.book, issue=_EXISTS, field="isbn", is_rejected=True)
        if found.issue:
            outcome.note(row, found.issue, found.field, found.is_rejected)
        repeats = _repeats(outcome, row, found, prepared)
        if found.is_rejected:
            outcome.counts[REJECTED] += 1 + len(repeats)
            continue
        isbn = _act(outcome, row, repeats, found)
        matcher.take(found.book["id"] if found.book else None, row.values.get("isbn"), isbn)
    return outcome


_EXISTS = Issue("book-exists", "is a stored book already")


def _repeats(outcome: Outcome, row: ImportRow, found: Match, prepared: Prepared) -> list[ImportRow]:
    """The later rows that are the same book (rule 5), without those of its id (rule 1)."""
    repeats = prepared.repeats.get(row.number)
    if not repeats:
        return []
    book, issue = found.book, Issue("record-repeated", f"is the same book as record {row.number}")
    is_own = book is not None and row.own is not None and row.own[0] == book["id"]
    rejected = [each for each in repeats if is_own and each.own]
    for each in repeats:
        is_rejected = found.is_rejected or each in rejected
        outcome.note(each, issue, "id" if each in rejected else "isbn", is_rejected)
    if found.is_rejected:
        return repeats
    outcome.counts[REJECTED] += len(rejected)
    return [each for each in repeats if each not in rejected]


def _act(outcome: Outcome, row: ImportRow, repeats: list[ImportRow], found: Match) -> str | None:
    """What is done for a row and its repeats; returns the ISBN that the book has then."""
    book = found.book
    changed = changed_fields(book, row, found.isbn_as_identifier)
    steps = [bool(changed)]
    if repeats:
        after = {**(book or store.BLANK), **changed}
        for each in repeats:
            more = changed_fields(after, each, found.isbn_as_identifier)
            after |= more
            steps.append(bool(more))
        changed = {n: value for n, value in after.items() if book is None or book[n] != value}
    for step, is_change in enumerate(steps):
        is_new = book is None and step == 0
        outcome.counts[NEW if is_new else UPDATED if is_change and changed else UNCHANGED] += 1
    if book is None or changed:
        outcome.actions.append(Action(book, changed))
    before: str | None = book["isbn"] if book else None
    return changed.get("isbn", before)


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
_CHANGED = (
    select(History.book_id, Book.live_isbn)
    .join(Book, Book.id == History.book_id, isouter=True)
    .where(History.seq > bindparam("seq"))
)


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


class Planned:
    """All outcomes of an import, and the state of the catalogue (`seq`) for which they hold."""

    def __init__(self, prepared: Prepared):
        self.seq = -1
        self.report = prepared.report.copy()
        self.notes: list[Any] = []
        self.matcher = Matcher(prepared.options.stale)
        self._file: BinaryIO = TemporaryFile()  # noqa: SIM115 # closed by __exit__

    def __enter__(self) -> "Planned":
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._file.close()

    def add(self, outcome: Outcome) -> None:
        """Keep the actions of an outcome in the file, and count it."""
        self._file.write(orjson.dumps([tuple(each) for each in outcome.actions]) + b"\n")
        outcome.add_to(self.report)
        self.notes += outcome.notes

    def actions(self) -> Iterator[list[Action]]:
        """The actions, batch by batch."""
        self._file.seek(0)
        for line in self._file:
            yield [Action(*each) for each in orjson.loads(line)]

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
                planned.add(match_rows(reader, planned.matcher, batch, prepared))
                planned.matcher.accept()
                progress(batch[-1].number)
    except BaseException:
        planned.__exit__()
        raise
    return planned
