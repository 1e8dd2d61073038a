"""From the columns and cells that people have to the fields of a book: names matched, known dirt read.

What is read leniently here is told as a warning by whoever calls; what cannot be read stays as it is, for the
schema to refuse. Nothing is guessed: an ISBN written as a float has lost its digits and is no ISBN.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...formats import csv
from ...text import FORBIDDEN, clean
from ..fields import isbn
from ..schemas import LISTS, READ_ONLY, WRITABLE, book_schema

# Names of columns that mean a field, without case, spaces and punctuation; an earlier one is preferred.
ALIASES = {
    "title": ("title", "booktitle"),
    "subtitle": ("subtitle",),
    "authors": ("authors", "author", "bookauthor", "creators", "creator"),
    "isbn": ("isbn", "isbn13", "isbn10"),
    "publisher": ("publisher", "publishername"),
    "published": (
        "published",
        "publicationdate",
        "publisheddate",
        "originalpublicationyear",
        "yearofpublication",
        "publicationyear",
        "yearpublished",
        "pubdate",
        "year",
        "date",
    ),
    "language": ("language", "languagecode", "lang"),
    "series": ("series", "seriesname", "seriestitle"),
    "series_number": ("seriesnumber", "volume"),
    "edition": ("edition",),
    "pages": ("pages", "numpages", "numberofpages", "pagecount"),
    "description": ("description", "summary", "abstract", "blurb"),
    "subjects": ("subjects", "subject", "genres", "genre", "tags", "keywords", "categories"),
    "identifiers": ("identifiers",),
    "cover_url": ("coverurl", "imageurl", "imageurll", "cover"),
}
MAX_NAMES = 1000  # that are remembered
_FIELD_OF = {alias: field for field, aliases in ALIASES.items() for alias in aliases}


class MappedRecord(NamedTuple):
    """A record in the service's own words: `values` by field, and (field, detail, value) of what was read leniently."""

    values: dict[str, Any]
    warnings: list[tuple[str, str, Any]]


class Columns:
    """How the names of one import map to fields.

    `given`: FIELD → name, which wins over the usual ones; `separators`: FIELD → what stands between items.
    """

    def __init__(self, given: dict[str, str], separators: dict[str, str]):
        self._given, self._separators = given, separators
        self._known: dict[str, str | None] = {}

    @property
    def ignored(self) -> list[str]:
        """The names met so far that are no field, in the order met; the first MAX_NAMES of them."""
        return [name for name in self._known if self.ignores(name)]

    def ignores(self, name: str) -> bool:
        """Whether what has this name is left aside, and told to be."""
        return self._field(name) is None and _bare(name) not in _OWN

    @property
    def missing(self) -> list[str]:
        """The names that were given explicitly and never met."""
        return [name for name in self._given.values() if name not in self._known]

    def _field(self, name: str) -> str | None:
        if name not in self._known:
            explicit = next(
                (field for field, chosen in self._given.items() if chosen == name), None
            )
            usual = _FIELD_OF.get(_bare(name))
            field = explicit or (usual if usual not in self._given else None)
            if (
                field is None and len(self._known) >= MAX_NAMES
            ):  # made up for each record: not to be remembered
                return None
            self._known[name] = field
        return self._known[name]

    def read(self, record: dict[str, Any]) -> MappedRecord:
        """The record's values, one or several columns a field, with known dirt read."""
        found: dict[str, list[tuple[int, Any]]] = {}
        for name, value in record.items():
            field = self._field(name)
            if field is not None:
                found.setdefault(field, []).append((_rank(field, name), value))
        cells = MappedRecord({}, [])
        for field, ranked in sorted(
            found.items(), key=lambda pair: pair[0] == "isbn"
        ):  # it adds to the identifiers
            values = [value for _, value in sorted(ranked, key=lambda pair: pair[0])]
            _READERS.get(field, _read_text)(field, values, self._separators.get(field), cells)
        return cells


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


_OWN = {_bare(name) for name in READ_ONLY}


def _rank(field: str, name: str) -> int:
    aliases = ALIASES[field]
    return aliases.index(_bare(name)) if _bare(name) in aliases else -1


def _first(values: list) -> Any:
    """Of several columns of one field the first that says something."""
    return next((value for value in values if value not in (None, "", [])), values[0])


# -- one reader a field: (field, values, separator, cells) --------------------------------------------------------


def _read_text(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    value = _first(values)
    if isinstance(value, list):
        if len(value) > 1:
            cells.warnings.append((field, f"only the first of {len(value)} is kept", value))
        value = value[0] if value else None
    cells.values[field] = _cut(field, value, cells)


def _cut(field: str, value: Any, cells: MappedRecord) -> Any:
    """A text that may be left out is worth keeping in part; a title is what the book is known by, and is not cut."""
    longest = book_schema.fields[field].max_length
    if (
        field == "title"
        or not isinstance(value, str)
        or len(value) <= longest
        or FORBIDDEN.search(value)
    ):
        return value
    stored = clean(value) or ""
    if len(stored) <= longest:
        return stored
    cells.warnings.append(
        (field, f"may have at most {longest} characters, this has {len(stored)}; cut", value)
    )
    return stored[:longest]


def _read_whole(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    cells.values[field] = _first(values)


def _read_list(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    value = _first(values)
    if isinstance(value, str):
        value = csv.split(value, separator) if separator else csv.split(value)
    if field == "identifiers" and isinstance(value, list):
        value = [_identifier(item) for item in value]
    cells.values[field] = value


def _identifier(item: Any) -> Any:
    if not isinstance(item, str):
        return item
    scheme, colon, value = item.partition(":")
    return {"scheme": scheme, "value": value} if colon else item


_ISBN_WITH_REMARK = re.compile(
    r"([0-9][0-9Xx\u2010-\u2015 -]*[0-9Xx])(?:\s*[(:;,].*|\s+[^\W\d].*)?", re.DOTALL
)
_FORMULA_CELL = re.compile(r'="(.*)"')


def _read_isbn(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    texts: list[Any] = []
    for value in values:
        if isinstance(value, str) and separator:
            value = csv.split(value, separator)
        texts += [
            part
            for part in (value if isinstance(value, list) else [value])
            if part not in (None, "")
        ]
    found: dict[str, None] = {}
    wrong: list[tuple[Any, str]] = []
    for text in texts:
        try:
            found[read_isbn(text)] = None
        except ValueError as error:
            wrong.append((text, str(error)))
    first, *further = found or [None]
    cells.values["isbn"] = first
    if further:
        cells.values["identifiers"] = [
            *(cells.values.get("identifiers") or []),
            *({"scheme": "isbn", "value": digits} for digits in further),
        ]
    if first is None:
        cells.warnings.extend((field, detail, text) for text, detail in wrong)


def read_isbn(value: Any) -> str:
    """The ISBN of a cell: a spreadsheet's quoting and a remark behind it are taken off, lost leading zeros put back.

    Raises ValueError where there is none; it is never worked out from digits that are not there.
    """
    text = (
        str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    )
    quoted = _FORMULA_CELL.fullmatch(text)
    text = quoted[1] if quoted else text
    remark = _ISBN_WITH_REMARK.fullmatch(text)
    text = remark[1] if remark else text
    if re.fullmatch(r"[0-9.]+[eE]\+?[0-9]+", text):
        raise ValueError("was saved as a number by a spreadsheet and has lost its last digits")
    if re.fullmatch("[0-9]{6,8}[0-9Xx]", text):
        text = text.rjust(10, "0")
    return isbn.parse(text)


_YEAR_AS_NUMBER = re.compile(r"(-?)([0-9]{1,4})(?:\.0)?")
_YEAR_IN_BRACKETS = re.compile(r"[\[(]?[c©p]?\s?([0-9]{4})[\])]?[.,;?]?")
_UNKNOWN_YEAR = re.compile(
    r"[0-9u?|-]{0,4}", re.IGNORECASE
)  # MARC 21, field 008: `uuuu`, `19uu`, `199|`
_SLASHED = re.compile(r"[0-9]{1,2}/[0-9]{1,2}/([0-9]{4})")
_DATE_AND_TIME = re.compile(r"(-?[0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9:.]+(?:Z|[+-][0-9:]+)?")


def _read_published(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    value = _first(values)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        cells.values[field] = value
        return
    text = value.strip()
    year = _YEAR_AS_NUMBER.fullmatch(text)
    if year and (int(year[2]) or text == "0000"):
        cells.values[field] = f"{year[1]}{int(year[2]):04d}"
    elif text and (year or _UNKNOWN_YEAR.fullmatch(text)):
        cells.values[field] = None
        cells.warnings.append((field, "is an unknown year; left out", value))
    elif found := _SLASHED.fullmatch(text):
        cells.values[field] = found[1]
        cells.warnings.append((field, "could be read in two ways; only the year is kept", value))
    elif found := _YEAR_IN_BRACKETS.fullmatch(text) or _DATE_AND_TIME.fullmatch(text):
        cells.values[field] = found[1]
    else:
        cells.values[field] = text


_SEVERAL = re.compile(r"[A-Za-z]{2,3}(?:[/,;| ]+[A-Za-z]{2,3})+")


def _read_language(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    value = _first(values)
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        value = "/".join(value)
    if isinstance(value, str) and _SEVERAL.fullmatch(value.strip()):
        cells.warnings.append((field, "has several languages; the first is kept", value))
        value = re.split("[/,;| ]+", value.strip())[0]
    cells.values[field] = value


def _read_pages(field: str, values: list, separator: str | None, cells: MappedRecord) -> None:
    value = _first(values)
    text = str(value).strip().removesuffix(".0") if isinstance(value, (str, float)) else value
    if text in ("0", 0) and not isinstance(text, bool):
        cells.warnings.append((field, "is 0, which means unknown; left out", value))
        text = None
    cells.values[field] = text


_READERS: dict[str, Callable[[str, list, str | None, MappedRecord], None]] = {
    **dict.fromkeys(LISTS, _read_list),
    "isbn": _read_isbn,
    "published": _read_published,
    "language": _read_language,
    "pages": _read_pages,
    "cover_url": _read_whole,
}


def check_fields(names: Iterable[str]) -> None:
    """Raises ValueError for a name that is no field an import can fill."""
    for name in names:
        if name not in WRITABLE:
            raise ValueError(f"{name} is no field of a book; there is {', '.join(WRITABLE)}")
