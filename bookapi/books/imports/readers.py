"""Cells as the fields of a record: one reader for each field."""

import functools
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...formats import csv
from ...schemas import Text
from ..fields import dates, languages
from ..schemas import LISTS, WRITABLE, book_schema
from . import cells
from .cells import Issue
from .profiles import Profile

NOT_A_BOOK = Issue("not-a-book", "is not a book; left out")
TITLE_MISSING = Issue("title-missing", "is missing")
_IDENTIFIER_INVALID = Issue("identifier-invalid", "is not scheme:value; left out")
_SCHEME = re.compile("[a-z0-9._-]{1,32}")
_FIELDS: dict[str, Any] = book_schema.fields


class Rules(NamedTuple):
    """How the cells of a file are read.

    `clears`: whether empty cells and nulls clear a field; else they are "not known".
    """

    profile: Profile
    clears: bool


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


Values = list[tuple[Any, list[str]]]  # cells with their separators


def _read_one(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
    """The first of the cells that can be read."""
    for value, _ in found:
        if isinstance(value, list):
            if name == "language":
                value = "/".join(map(str, value))
            else:
                if len(value) > 1:
                    detail = f"has {len(value)} values; the first is kept"
                    record.note(name, Issue(f"{name}-several", detail), value)
                value = value[0]
        text = cells.as_text(value)
        if text is not None and not text.strip():
            if rules.clears and name != "title":
                record.values[name] = None
            continue
        stored, issue = _read_cell(name, text, is_own=record.own is not None)
        if name == "title" and issue:
            record.error = (issue, name, value)
            return
        record.note(name, issue, value)
        if stored is not None:
            record.values[name] = stored
            return


def _read_cell(name: str, text: str | None, is_own: bool) -> tuple[Any, Issue | None]:
    """`is_own`: of an export of this service, where "nan" is a language and no missing value."""
    if text is None:
        return None, cells.TEXT_INVALID
    if is_own and name in STORED:
        with suppress(ValueError):
            return STORED[name](text), None
    return CELLS[name](text)


def _read_list(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
    """The items of all cells."""
    read, most = ITEMS[name], _FIELDS[name].max_items
    dropped = rules.profile.drop.get(name, ())
    items: list[Any] = []
    for value, separators in found:
        for item in _split(name, value, separators)[: most + 1]:
            stored, issue = read(item)
            record.note(name, issue, item)
            if stored and stored not in dropped and (len(found) == 1 or stored not in items):
                items.append(stored)
    if len(items) > most:
        detail = f"has more than {most} items; the first are kept"
        record.note(name, Issue("list-cut", detail), items[-1])
        del items[most:]
    if name == "identifiers" and rules.profile.name:
        _add_identifiers(items, record)
    elif items or rules.clears:
        record.values[name] = items


def _split(name: str, value: Any, separators: list[str]) -> list[Any]:
    if isinstance(value, str):
        separator = next((each for each in separators if each in value), separators[-1])
        return csv.split(value, separator)
    if isinstance(value, dict) and name == "identifiers":
        return [
            {"scheme": scheme, "value": item}
            for scheme, each in value.items()
            for item in (each if isinstance(each, list) else [each])
        ]
    return value if isinstance(value, list) else [value]


def _add_identifiers(pairs: list[dict[str, str]], record: MappedRecord) -> None:
    for pair in pairs:
        if pair["scheme"] == "isbn" and not record.values.get("isbn"):
            record.values["isbn"] = pair["value"]
        elif pair["scheme"] != "isbn" or pair["value"] != record.values.get("isbn"):
            record.adds.append(pair)


def _read_name(max_length: int, item: Any) -> tuple[Any, Issue | None]:
    return _read_text(item, max_length) if type(item) is str else cells.read_text(item, max_length)


_read_text = functools.lru_cache(4096)(cells.read_text)  # names recur


def _read_identifier(item: Any) -> tuple[dict[str, str] | None, Issue | None]:
    if isinstance(item, str):
        scheme, _, value = item.partition(":")
        item = {"scheme": scheme, "value": value}
    if isinstance(item, dict) and isinstance(item.get("scheme"), str) and len(item) == 2:
        scheme = item["scheme"].strip().lower().replace(" ", "-")
        text, issue = cells.read_text(item.get("value"), 500)
        if scheme == "isbn" and text:
            text = next(iter(cells.read_isbns(text)[0]), None)
        if _SCHEME.fullmatch(scheme) and text and not issue:
            return {"scheme": scheme, "value": text}, None
    return None, _IDENTIFIER_INVALID


def _read_isbn(rules: Rules, name: str, found: Values, record: MappedRecord) -> None:
    digits: dict[str, None] = {}
    wrong: list[tuple[Issue, Any]] = []
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
    for issue, item in wrong:
        if rules.profile.otherwise and first is None:
            record.identify(rules.profile.otherwise, item, True)
        elif first is None or issue is not cells.ISBN_AS_NUMBER:
            record.note(name, issue, item)
    if first is not None or (is_empty and rules.clears):
        record.values[name] = first
    record.adds += [{"scheme": "isbn", "value": number} for number in [*digits][1:]]


# What reads a cell of a field that is one value, and an item of one that is a list.
CELLS: dict[str, Callable[[str], tuple[Any, Issue | None]]] = {
    **{
        name: functools.partial(cells.read_text, max_length=_FIELDS[name].max_length)
        for name in WRITABLE
        if type(_FIELDS[name]) is Text
    },
    "isbn": cells.read_isbn,
    "published": cells.read_date,
    "language": cells.read_language,
    "pages": cells.read_pages,
    "copies": cells.read_copies,
    "cover_url": cells.read_cover,
}
# What reads the values of these fields that are stored.
STORED: dict[str, Callable[[str], str]] = {
    "published": dates.parse,
    "language": languages.canonical,
}
ITEMS: dict[str, Callable[[Any], tuple[Any, Issue | None]]] = {
    "authors": functools.partial(_read_name, _FIELDS["authors"].inner.max_length),
    "subjects": functools.partial(_read_name, _FIELDS["subjects"].inner.max_length),
    "identifiers": _read_identifier,
}
READERS: dict[str, Callable[[Rules, str, Values, MappedRecord], None]] = {
    **dict.fromkeys(CELLS, _read_one),
    **dict.fromkeys(LISTS, _read_list),
    "isbn": _read_isbn,
}
