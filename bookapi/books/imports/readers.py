"""Cells as the fields of a record: one reader for each field."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...formats import csv
from ...schemas import Text
from ..schemas import LISTS, WRITABLE, book_schema
from . import cells
from .cells import Issue

MAX_IDENTIFIERS = 50
NOT_A_BOOK = Issue("not-a-book", "is not a book; left out")
TITLE_MISSING = Issue("title-missing", "is missing")


class Rules(NamedTuple):
    """How the cells of a file are read.

    `clears`: whether empty cells and nulls clear a field; else they are "not known". `drop`: items
    that are left out, by field. `otherwise`: the scheme of what is no ISBN in its column, "" for
    none; None: the file is of no other program, and its identifiers replace those that are there.
    """

    clears: bool
    drop: Mapping[str, list[str]]
    otherwise: str | None


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

    def note(self, name: str | None, issue: Issue | None, value: Any) -> None:
        """A value of a field was left out or changed, if there is an issue."""
        if issue:
            self.issues.append((issue, name, value))

    def identify(self, scheme: str, value: Any, is_key: bool) -> None:
        """Identifiers from a column of a program; `is_key`: it is the record's id there."""
        for item in value if isinstance(value, list) else [value]:
            text, issue = cells.read_text(item, 500)
            if text and not issue:
                self.adds.append({"scheme": scheme, "value": text})
                if is_key:
                    self.key = (scheme, text)


# (rules, field, values with their separators, record)
Values = list[tuple[Any, list[str]]]


def _read_text(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
    value = found[0][0]
    if isinstance(value, list):
        if len(value) > 1:
            detail = f"has {len(value)} values; the first is kept"
            record.note(name, Issue(f"{name}-several", detail), value)
        value = value[0]
    text, issue = CELLS[name](value)
    if name == "title":
        if issue or text is None:
            record.error = (issue or TITLE_MISSING, name, value)
            return
        record.values[name] = text
        return
    record.note(name, issue, value)
    if text is not None or (issue is None and rules.clears):
        record.values[name] = text


def _reader(read: Callable[[str], tuple[Any, Issue | None]], several: str = "") -> Any:
    def read_one(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
        for value, _ in found:
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                value = (several or "\n").join(value) if several else value[0]
            text = cells.as_text(value)
            result, issue = read(text) if text is not None else (None, cells.TEXT_INVALID)
            if text is not None and not text.strip():
                if rules.clears:
                    record.values[name] = None
                continue
            record.note(name, issue, value)
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


def _read_list(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
    items: list[str] = []
    longest = LONGEST_ITEM[name]
    dropped = rules.drop.get(name, ())
    for value, separators in found:
        values = _items(value, separators)
        if isinstance(value, dict):
            record.note(name, cells.TEXT_INVALID, value)
        for item in values[: MAX_ITEMS[name] + 1]:
            text, issue = cells.read_text(item, longest)
            record.note(name, issue, item)
            if text and text not in dropped and (len(found) == 1 or text not in items):
                items.append(text)
    if len(items) > MAX_ITEMS[name]:
        detail = f"has more than {MAX_ITEMS[name]} items; the first are kept"
        record.note(name, Issue("list-cut", detail), items[-1])
        items = items[: MAX_ITEMS[name]]
    if items or rules.clears:
        record.values[name] = items


_IDENTIFIER_INVALID = Issue("identifier-invalid", "is not scheme:value; left out")
_SCHEME = re.compile("[a-z0-9._-]{1,32}")


def _read_identifiers(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
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
                record.note(name, _IDENTIFIER_INVALID, item)
            else:
                pairs.append(pair)
    if len(pairs) > MAX_IDENTIFIERS:
        detail = f"has more than {MAX_IDENTIFIERS} items; the first are kept"
        record.note(name, Issue("list-cut", detail), pairs[-1]["value"])
        pairs = pairs[:MAX_IDENTIFIERS]
    if rules.otherwise is None:
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


def _read_isbn(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
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
    for issue, item in wrong:
        if rules.otherwise and first is None:
            record.identify(rules.otherwise, item, True)
        elif first is None or issue is not cells.ISBN_AS_NUMBER:
            record.note(name, issue, item)
    if first is not None or (is_empty and rules.clears):
        record.values[name] = first
    record.adds += [{"scheme": "isbn", "value": number} for number in further]


_FIELDS: dict[str, Any] = book_schema.fields
_PARSED: dict[str, Callable[[str], tuple[Any, Issue | None]]] = {
    "published": cells.read_date,
    "language": cells.read_language,
    "pages": cells.read_pages,
    "copies": cells.read_copies,
    "cover_url": cells.read_cover,
}
# What reads a cell of a field that is one value.
CELLS: dict[str, Callable[[Any], tuple[Any, Issue | None]]] = {
    **{
        name: functools.partial(cells.read_text, longest=_FIELDS[name].max_length)
        for name in WRITABLE
        if type(_FIELDS[name]) is Text
    },
    **_PARSED,
}
READERS: dict[str, Any] = {
    **dict.fromkeys(CELLS, _read_text),
    **{name: _reader(read, "/" * (name == "language")) for name, read in _PARSED.items()},
    **dict.fromkeys(LISTS, _read_list),
    "identifiers": _read_identifiers,
    "isbn": _read_isbn,
}
MAX_ITEMS: dict[str, int] = {name: _FIELDS[name].max_items for name in LISTS}
LONGEST_ITEM: dict[str, int] = {
    name: _FIELDS[name].inner.max_length for name in ("authors", "subjects")
}
