"""From a file's columns to the fields of a book.

Names are matched once for each header (for each set of members in JSON and XML), cells are read by
`cells`.
"""

import functools
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...formats import csv
from ...schemas import format_timestamp, parse_timestamp
from ...text import fold
from ..schemas import LISTS, READ_ONLY, WRITABLE, book_schema
from . import cells
from .cells import Issue
from .profiles import Profile, bare

MAX_NAMES = 1000  # of columns, and of sets of columns, that are remembered
MAX_IDENTIFIERS = 50


@dataclass(slots=True)
class MappedRecord:
    """A record as fields of a book: `values` has those that the record speaks of, valid ones only.

    `adds`: identifiers beside those that are there; `issues`: (issue, field, value) of what was
    left out; `own`: id, created_at, version and updated_at of an own export; `key`: the record's id
    in its program.
    """

    values: dict[str, Any] = field(default_factory=dict)
    adds: list[dict[str, str]] = field(default_factory=list)
    issues: list[tuple[Issue, str | None, Any]] = field(default_factory=list)
    own: tuple[int, str, int | None, str | None] | None = None
    key: tuple[str, str] | None = None
    error: tuple[Issue, str | None, Any] | None = None
    is_book: bool = True


class Source(NamedTuple):
    """A column of a field: its place, what is done to its cells first, and its separators."""

    column: int
    prepare: Callable[[Any], Any] | None
    separators: list[str]


class Plan(NamedTuple):
    """What is read from records that have the same columns."""

    fields: list[tuple[str, list[Source]]]
    identifiers: list[tuple[int, str, Callable[[Any], Any] | None, bool]]
    own: dict[str, int]
    only: list[tuple[int, list[str]]]
    ignored: list[str]


@functools.cache
def names_of_fields() -> dict[str, list[str]]:
    """{field: the names of columns that mean it}, as `bare` has them."""
    known = tomllib.loads(Path(__file__).with_name("columns.toml").read_text("utf-8"))
    return {name: [_bare(alias) for alias in (name, *known.get(name, []))] for name in WRITABLE}


def _bare(name: str) -> str:
    return bare(fold(name))


_OWN = {bare(name): name for name in READ_ONLY}


def check_fields(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is not a field an import can fill."""
    for name in names:
        if name not in WRITABLE:
            raise ValueError(f"{name} is not a field of a book; there is {', '.join(WRITABLE)}")


class Mapping:
    """The columns of one import. `columns` and `separators` (by field) and `skipped` names win over
    the profile.

    `clears`: whether empty cells and nulls clear a field; else they are "not known". `is_table`:
    the
    apostrophe before a cell is a spreadsheet's.
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
        self.profile, self._chosen, self._separators = profile, columns, separators
        self._skipped = {name.strip() for name in skipped}
        self._clears, self._is_table = clears, is_table
        self._plans: dict[tuple[str, ...], Plan] = {}
        self.fields_of: dict[str, str | None] = {}  # name → what became of it; None: ignored
        if profile:
            self._schemes = {bare(name): scheme for name, scheme in profile.identifiers.items()}
            self._left_out = {bare(name) for name in profile.ignored}
            self._only = {bare(name): values for name, values in profile.only.items()}

    @property
    def ignored(self) -> list[str]:
        """The names met that are neither ours nor the profile's, in order."""
        return [name for name, target in self.fields_of.items() if target is None]

    @property
    def missing(self) -> list[str]:
        """Names that were chosen explicitly and never met."""
        return [name for name in self._chosen.values() if name not in self.fields_of]

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
            targets = self._targets(name)
            for target, rank in targets:
                source = Source(index, self._prepare(target, name), self._split(target, name))
                found.setdefault(target, []).append((rank, source))
            scheme = self._schemes.get(bare(name)) if self.profile else None
            if scheme and self.profile:
                is_key = bare(name) == bare(self.profile.key)
                plan.identifiers.append((index, scheme, self._prepare("", name), is_key))
            elif self.profile and bare(name) in self._only:
                plan.only.append((index, self._only[bare(name)]))
            elif not self.profile and bare(name) in _OWN:
                plan.own[_OWN[bare(name)]] = index
            self._note(
                name, targets[0][0] if targets else scheme and f"identifiers ({scheme})", plan
            )
        for target in WRITABLE:  # in this order: identifiers behind the ISBN
            if target in found:
                sources = sorted(found[target], key=lambda ranked: ranked[0])
                plan.fields.append((target, [source for _, source in sources]))
        return plan

    def _note(self, name: str, target: str | None, plan: Plan) -> None:
        if target is None and not (
            not name.strip()
            or name in self._skipped
            or (bare(name) in self._left_out if self.profile else bare(name) in _OWN)
            or (self.profile and name.startswith(("*", "#")) and "*" in self.profile.ignored)
        ):
            plan.ignored.append(name)
        if name.strip() and name not in self.fields_of and len(self.fields_of) < MAX_NAMES:
            self.fields_of[name] = target if name not in plan.ignored else None
            if target is None and name not in plan.ignored:
                self.fields_of[name] = ""

    def _targets(self, name: str) -> list[tuple[str, int]]:
        """The fields that a column is read for, with its rank among those of the field."""
        chosen = [(target, -1) for target, column in self._chosen.items() if column == name]
        if chosen or name in self._skipped:
            return chosen
        if self.profile:
            return [
                (target, columns.index(bare(name)))
                for target in self.profile.fields
                if target not in self._chosen
                and bare(name) in (columns := [bare(n) for n in self.profile.columns_of(target)])
            ]
        name = _bare(name)
        return [
            (target, aliases.index(name))
            for target, aliases in names_of_fields().items()
            if target not in self._chosen and name in aliases
        ]

    def _split(self, target: str, name: str) -> list[str]:
        if target in self._separators:
            return [self._separators[target]]
        if not self.profile:
            return []
        found: str | list[str] = self.profile.split.get(
            name, self.profile.split.get(target, [" | "])
        )
        return [found] if isinstance(found, str) else found

    def _prepare(self, target: str, name: str) -> Callable[[Any], Any] | None:
        """What the profile says is done to the cells of a column before they are read."""
        profile, steps = self.profile, list[Callable[[Any], Any]]()
        if not profile:
            return None
        if name in profile.parts:
            steps.append(functools.partial(_part, profile.parts[name]))
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
        return functools.partial(_each, steps)

    def read(self, names: tuple[str, ...], row: list[Any]) -> MappedRecord:
        """The record of a row with these columns."""
        plan, record = self.plan(names), MappedRecord()
        for index, wanted in plan.only:
            if index < len(row) and row[index] not in wanted:
                record.is_book = False
                record.issues.append(
                    (Issue("not-a-book", "is not a book; left out"), None, row[index])
                )
                return record
        if plan.own:
            record.own = _own({name: row[i] for name, i in plan.own.items() if i < len(row)})
        for target, sources in plan.fields:
            found: list[tuple[Any, list[str]]] = []
            has_cell = False
            for index, prepare, separators in sources:
                if index >= len(row):
                    continue
                has_cell, value = True, row[index]
                if value is None or value == "" or value == [] or value == {}:
                    continue
                if prepare:
                    value = prepare(value)
                elif self._is_table and type(value) is str and value[0] == "'":
                    value = csv.unquote(value)
                if value is not None and value != "" and value != [] and value != {}:
                    found.append((value, separators))
            if found:
                _READERS[target](self, target, found, record)
            elif has_cell and self._clears and target != "title":
                record.values[target] = [] if target in LISTS else None
        for index, scheme, prepare, is_key in plan.identifiers:
            if index < len(row) and row[index] not in (None, "", [], {}):
                self._identify(
                    scheme, prepare(row[index]) if prepare else row[index], is_key, record
                )
        for target, needed in self.profile.needs.items() if self.profile else ():
            if needed not in record.values:
                record.values.pop(target, None)
        if "title" not in record.values and record.error is None:
            record.error = (Issue("title-missing", "is missing"), "title", None)
        return record

    def _identify(self, scheme: str, value: Any, is_key: bool, record: MappedRecord) -> None:
        for item in value if isinstance(value, list) else [value]:
            text, issue = cells.read_text(item, 500)
            if text and not issue:
                record.adds.append({"scheme": scheme, "value": text})
                if is_key:
                    record.key = (scheme, text)


def _each(steps: list[Callable[[Any], Any]], value: Any) -> Any:
    """The steps done to a value, or to each of a list or of an object with numbers for names."""
    if isinstance(value, dict) and value and all(str(name).isdecimal() for name in value):
        value = list(value.values())
    if isinstance(value, list):
        items = [" > ".join(map(str, item)) if isinstance(item, list) else item for item in value]
        done = [_each(steps, item) for item in items]
        return [item for item in done if item not in (None, "", [], {})]
    for step in steps:
        if value is None or isinstance(value, list):
            break
        if not isinstance(value, str) and step.__class__ is not functools.partial:
            break
        value = step(value)
    return value


def _part(name: str, value: Any) -> Any:
    return value.get(name) if isinstance(value, dict) else value


def _own(found: dict[str, Any]) -> tuple[int, str, int | None, str | None] | None:
    """id, created_at, version and updated_at, where the first two are there and can be read."""
    try:
        times = {
            name: format_timestamp(parse_timestamp(found[name]))
            for name in ("created_at", "updated_at")
            if found.get(name)
        }
        version = int(found["version"]) if found.get("version") else None
        return int(found["id"]), times["created_at"], version, times.get("updated_at")
    except (KeyError, TypeError, ValueError):
        return None


# -- one reader a field: (mapping, field, values with their separators, record)

Values = list[tuple[Any, list[str]]]


def _note(record: MappedRecord, name: str, issue: Issue | None, value: Any) -> None:
    if issue:
        record.issues.append((issue, name, value))


def _read_text(mapping: Mapping, name: str, found: Values, record: MappedRecord) -> None:
    value = found[0][0]
    if isinstance(value, list):
        if len(value) > 1:
            detail = f"has {len(value)} values; the first is kept"
            _note(record, name, Issue(f"{name}-several", detail), value)
        value = value[0]
    text, issue = cells.read_text(value, LONGEST[name])
    if name == "title":
        if issue or text is None:
            record.error = (issue or Issue("title-missing", "is missing"), name, value)
            return
        record.values[name] = text
        return
    _note(record, name, issue, value)
    if text is not None or (issue is None and mapping._clears):
        record.values[name] = text


def _reader(read: Callable[[str], tuple[Any, Issue | None]], several: str = "") -> Any:
    def read_one(mapping: Mapping, name: str, found: Values, record: MappedRecord) -> None:
        for value, _ in found:
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                value = (several or "\n").join(value) if several else value[0]
            text = cells.as_text(value)
            result, issue = read(text) if text is not None else (None, cells.TEXT_INVALID)
            if text is not None and not text.strip():
                if mapping._clears:
                    record.values[name] = None
                continue
            _note(record, name, issue, value)
            if result is not None:
                record.values[name] = result
                return

    return read_one


def _items(value: Any, separators: list[str]) -> list[Any]:
    if isinstance(value, dict):
        return []
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    if not separators:
        return csv.split(value)
    for separator in separators:
        if separator in value:
            return csv.split(value, separator)
    return [value]


def _read_list(mapping: Mapping, name: str, found: Values, record: MappedRecord) -> None:
    items: list[str] = []
    longest = LONGEST_ITEM[name]
    dropped = mapping.profile.drop.get(name, ()) if mapping.profile else ()
    for value, separators in found:
        values = _items(value, separators)
        if isinstance(value, dict):
            _note(record, name, cells.TEXT_INVALID, value)
        for item in values[: MAX_ITEMS[name] + 1]:
            text, issue = cells.read_text(item, longest)
            _note(record, name, issue, item)
            if text and text not in dropped and (len(found) == 1 or text not in items):
                items.append(text)
    if len(items) > MAX_ITEMS[name]:
        detail = f"has more than {MAX_ITEMS[name]} items; the first are kept"
        _note(record, name, Issue("list-cut", detail), items[-1])
        items = items[: MAX_ITEMS[name]]
    if items or mapping._clears:
        record.values[name] = items


_SCHEME = re.compile("[a-z0-9._-]{1,32}")


def _read_identifiers(mapping: Mapping, name: str, found: Values, record: MappedRecord) -> None:
    pairs: list[dict[str, str]] = []
    for value, separators in found:
        if isinstance(value, dict):
            value = [
                {"scheme": scheme, "value": item}
                for scheme, each in value.items()
                for item in (each if isinstance(each, list) else [each])
            ]
        for item in _items(value, separators)[: MAX_IDENTIFIERS + 1]:
            pair = _identifier(item)
            if pair is None:
                _note(
                    record, name, Issue("identifier-invalid", "is not scheme:value; left out"), item
                )
            else:
                pairs.append(pair)
    if len(pairs) > MAX_IDENTIFIERS:
        detail = f"has more than {MAX_IDENTIFIERS} items; the first are kept"
        _note(record, name, Issue("list-cut", detail), pairs[-1]["value"])
        pairs = pairs[:MAX_IDENTIFIERS]
    if not mapping.profile:
        record.values[name] = pairs
        return
    for pair in pairs:
        if pair["scheme"] == "isbn" and not record.values.get("isbn"):
            record.values["isbn"] = pair["value"]
        elif pair["scheme"] != "isbn" or pair["value"] != record.values.get("isbn"):
            record.adds.append(pair)


def _identifier(item: Any) -> dict[str, str] | None:
    if isinstance(item, str):
        scheme, colon, value = item.partition(":")
        item = {"scheme": scheme, "value": value}
    if not isinstance(item, dict) or not isinstance(item.get("scheme"), str) or len(item) != 2:
        return None
    scheme = item["scheme"].strip().lower().replace(" ", "-")
    text, issue = cells.read_text(item.get("value"), 500)
    if not _SCHEME.fullmatch(scheme) or not text or issue:
        return None
    if scheme == "isbn":
        isbns, _ = cells.read_isbns(text)
        return {"scheme": scheme, "value": isbns[0]} if isbns else None
    return {"scheme": scheme, "value": text}


def _read_isbn(mapping: Mapping, name: str, found: Values, record: MappedRecord) -> None:
    digits: dict[str, None] = {}
    wrong: list[tuple[Issue | None, Any]] = []
    is_empty = True
    for value, _ in found:
        for item in value if isinstance(value, list) else [value]:
            text = cells.as_text(item)
            isbns, issue = cells.read_isbns(text) if text is not None else ((), cells.ISBN_INVALID)
            digits |= dict.fromkeys(isbns)
            is_empty = is_empty and not isbns and not issue
            if issue:
                wrong.append((issue, item))
    first = next(iter(digits), None)
    further = list(digits)[1:]
    otherwise = mapping.profile.otherwise if mapping.profile else ""
    for issue, item in wrong:
        if otherwise and first is None:
            mapping._identify(otherwise, item, True, record)
        elif first is None or issue is not cells.ISBN_AS_NUMBER:
            _note(record, name, issue, item)
    if first is not None or (is_empty and mapping._clears):
        record.values[name] = first
    record.adds += [{"scheme": "isbn", "value": number} for number in further]


_READERS: dict[str, Any] = {
    **dict.fromkeys(WRITABLE, _read_text),
    **dict.fromkeys(LISTS, _read_list),
    "identifiers": _read_identifiers,
    "isbn": _read_isbn,
    "published": _reader(cells.read_date),
    "language": _reader(cells.read_language, several="/"),
    "pages": _reader(cells.read_pages),
    "copies": _reader(cells.read_copies),
    "cover_url": _reader(cells.read_cover),
}

_FIELDS: dict[str, Any] = book_schema.fields
LONGEST: dict[str, int] = {name: getattr(_FIELDS[name], "max_length", 0) for name in WRITABLE}
MAX_ITEMS: dict[str, int] = {name: _FIELDS[name].max_items for name in LISTS}
LONGEST_ITEM: dict[str, int] = {
    name: _FIELDS[name].inner.max_length for name in ("authors", "subjects")
}
