"""From a file's columns to the fields of a book.

Names are matched once for each header (for each set of members in JSON and XML), cells are read by
`readers`.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...formats import csv
from ...schemas import MAX_INTEGER
from ...timestamps import format_timestamp, parse_timestamp
from ..schemas import LISTS, READ_ONLY, WRITABLE
from . import cells
from .profiles import OWN, Profile, bare
from .readers import CELLS, NOT_A_BOOK, READERS, TITLE_MISSING, MappedRecord, Rules

MAX_NAMES = 1000  # of columns, and of sets of columns, that are remembered


class Source(NamedTuple):
    """A column of a field: its place, what is done to its cells first, and its separators."""

    column: int
    prepare: Callable[[Any], Any] | None
    separators: list[str]


class Plan(NamedTuple):
    """What is read from records that have the same columns.

    `fields`: the field; the column, where it is one whose cells are read as they stand (else -1);
    what reads a cell of a field that is one value; and all its columns.
    """

    fields: list[tuple[str, int, Callable[[str], tuple[Any, Any]] | None, list[Source]]]
    identifiers: list[tuple[int, str, Callable[[Any], Any] | None, bool]]
    own: dict[str, int]
    only: list[tuple[int, list[str]]]
    ignored: list[str]


_OWN = {bare(name): name for name in READ_ONLY}


class Mapping:
    """The columns of one import. `columns` and `separators` (by field) and `skipped` names win over
    the profile.

    `clears`: whether empty cells and nulls clear a field; else they are "not known". `is_table`:
    the apostrophe before a cell is a spreadsheet's.
    """

    def __init__(
        self,
        profile: Profile | None,
        columns: dict[str, str],
        separators: dict[str, str],
        skipped: Iterable[str],
        clears: bool,
        is_table: bool = True,
    ):
        self._profile = profile = profile or OWN
        self._chosen, self._separators = columns, separators
        self._skipped = {name.strip() for name in skipped}
        self._rules, self._is_table = Rules(profile, clears), is_table
        self._plans: dict[tuple[str, ...], Plan] = {}
        self.fields_of: dict[str, str | None] = {}  # name → what became of it; None: ignored
        self._names = {
            target: [*map(bare, [names] if isinstance(names, str) else names)]
            for target, names in profile.fields.items()
            if target not in columns
        }
        self._schemes = {bare(name): scheme for name, scheme in profile.identifiers.items()}
        self._left_out = {bare(name) for name in profile.ignored}
        self._only = {bare(name): values for name, values in profile.only.items()}

    @property
    def ignored(self) -> list[str]:
        """The names met that are neither ours nor the profile's, in order."""
        return [name for name, target in self.fields_of.items() if target is None]

    @property
    def missing(self) -> dict[str, str]:
        """Names that were chosen explicitly and never met, by their fields."""
        return {of: name for of, name in self._chosen.items() if name not in self.fields_of}

    def plan(self, names: tuple[str, ...]) -> Plan:
        """What is read from records with these columns."""
        plan = self._plans.get(names)
        if plan is None:
            plan = self._made(names)
            if len(self._plans) < MAX_NAMES:
                self._plans[names] = plan
        return plan

    def _made(self, names: tuple[str, ...]) -> Plan:
        found: dict[str, list[tuple[int, Source]]] = {}
        plan = Plan([], [], {}, [], [])
        for index, name in enumerate(names):
            compared, targets = bare(name), self._targets(name)
            for target, rank in targets:
                source = Source(index, self._prepare(target, name), self._split(target, name))
                found.setdefault(target, []).append((rank, source))
            meaning = targets[0][0] if targets else ""
            if scheme := self._schemes.get(compared):
                is_key = compared == bare(self._profile.key)
                plan.identifiers.append((index, scheme, self._prepare("", name), is_key))
                meaning = meaning or f"identifiers ({scheme})"
            elif compared in self._only:
                plan.only.append((index, self._only[compared]))
            elif self._profile is OWN and compared in _OWN:
                plan.own[_OWN[compared]] = index
            if not meaning and not self._is_left_out(name):
                plan.ignored.append(name)
            if name.strip() and name not in self.fields_of and len(self.fields_of) < MAX_NAMES:
                self.fields_of[name] = None if name in plan.ignored else meaning
        for target in WRITABLE:  # in this order: identifiers after the ISBN
            if target in found:
                ranked = sorted(found[target], key=lambda ranked: ranked[0])
                sources = [source for _, source in ranked]
                is_one = len(sources) == 1 and sources[0].prepare is None
                column = sources[0].column if is_one else -1
                plan.fields.append((target, column, CELLS.get(target), sources))
        return plan

    def _is_left_out(self, name: str) -> bool:
        """Whether a column need not be named in the report."""
        is_special = name.startswith(("*", "#")) and "*" in self._profile.ignored
        return (
            not name.strip() or name in self._skipped or bare(name) in self._left_out or is_special
        )

    def _targets(self, name: str) -> list[tuple[str, int]]:
        """The fields that a column is read for, with its rank among those of the field."""
        chosen = [(target, -1) for target, column in self._chosen.items() if column == name]
        if chosen or name in self._skipped:
            return chosen
        compared = bare(name)
        return [
            (of, names.index(compared)) for of, names in self._names.items() if compared in names
        ]

    def _split(self, target: str, name: str) -> list[str]:
        """What separates items in a cell: the first of these that occurs."""
        if target in self._separators:
            return [self._separators[target]]
        split = self._profile.split
        found: str | list[str] = split.get(name, split.get(target, " | "))
        return [found] if isinstance(found, str) else found

    def _prepare(self, target: str, name: str) -> Callable[[Any], Any] | None:
        """What the profile says is done to the cells of a column before they are read."""
        profile, steps = self._profile, list[Callable[[str], str]]()
        if profile is OWN:
            return None
        if prefix := profile.prefixes.get(name):
            steps.append(lambda text: text.removeprefix(prefix))
        if pattern := profile.patterns.get(f"{target}: {name}") or profile.patterns.get(name):
            compiled = re.compile(pattern, re.DOTALL)
            steps.append(lambda text: found[1] if (found := compiled.fullmatch(text)) else "")
        if target in profile.html:
            steps.append(cells.without_html)
        if profile.isbd and target in ("title", "subtitle", "authors", "publisher", "edition"):
            steps.append(cells.without_isbd)
        if target == "authors":
            steps.append(lambda text: " ".join(text.split()))
        return lambda value: _prepared(value, profile.parts.get(name), steps)

    def read(self, names: tuple[str, ...], row: list[Any]) -> MappedRecord:
        """The record of a row with these columns."""
        plan, record, width = self.plan(names), MappedRecord(), len(row)
        for index, wanted in plan.only:
            if index < width and row[index] not in wanted:
                record.is_book = False
                record.note(None, NOT_A_BOOK, row[index])
                return record
        if plan.own:
            record.own = _own({name: row[i] for name, i in plan.own.items() if i < width})
        clears, values = self._rules.clears, record.values
        for target, index, read, sources in plan.fields:
            value = row[index] if 0 <= index < width else None
            if value == "" and not clears:
                continue
            if read and value and type(value) is str and value[0] != "'":  # the commonest cells
                stored, issue = read(value)
                if stored is not None and issue is None:
                    values[target] = stored
                    continue
            self._read_field(target, sources, row, record)
        for index, scheme, prepare, is_key in plan.identifiers:
            if index < width and not _is_empty(row[index]):
                value = prepare(row[index]) if prepare else row[index]
                record.identify(scheme, value, is_key)
        for target, needed in self._profile.needs.items():
            if needed not in values:
                values.pop(target, None)
        if "title" not in values and record.error is None:
            record.error = (TITLE_MISSING, "title", None)
        return record

    def _read_field(
        self, target: str, sources: list[Source], row: list[Any], record: MappedRecord
    ) -> None:
        found: list[tuple[Any, list[str]]] = []
        has_cell = False
        for index, prepare, separators in sources:
            if index >= len(row):
                continue
            has_cell, value = True, row[index]
            if prepare and not _is_empty(value):
                value = prepare(value)
            elif self._is_table and type(value) is str and value[:1] == "'":
                value = csv.unquote(value)
            if not _is_empty(value):
                found.append((value, separators))
        if found:
            READERS[target](self._rules, target, found, record)
        elif has_cell and self._rules.clears and target != "title":
            record.values[target] = [] if target in LISTS else None


def _is_empty(value: Any) -> bool:
    """Whether it is None, or a text, list or object with nothing in it."""
    return not value and value != 0


def _prepared(value: Any, part: str | None, steps: list[Callable[[str], str]]) -> Any:
    """The steps done to a value, or to each of a list or of an object with numbers for names;
    `part`: the member that counts of an object."""
    if isinstance(value, dict) and value and all(str(name).isdecimal() for name in value):
        value = list(value.values())
    if isinstance(value, list):
        items = [" > ".join(map(str, item)) if isinstance(item, list) else item for item in value]
        done = [_prepared(item, part, steps) for item in items]
        return [item for item in done if not _is_empty(item)]
    if part and isinstance(value, dict):
        value = value.get(part)
    if isinstance(value, str):
        for step in steps:
            value = step(value)
    return value


def _own(found: dict[str, Any]) -> tuple[int, str, int | None, str | None] | None:
    """id, created_at, version and updated_at, where the first two are there and can be read."""
    try:
        times = {
            name: format_timestamp(parse_timestamp(found[name]))
            for name in ("created_at", "updated_at")
            if found.get(name)
        }
        version = int(found["version"]) if found.get("version") else None
        own = int(found["id"]), times["created_at"], version, times.get("updated_at")
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return own if max(abs(own[0]), abs(version or 0)) <= MAX_INTEGER else None
