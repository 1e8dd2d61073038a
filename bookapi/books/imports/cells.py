"""What the cells of other people's files mean: dates, pages, languages, ISBNs, covers and plain
text.

A rule is a row of a table: a pattern, what it gives, and the kind of warning (None: nothing is
lost). Each reader returns (value, issue): the value None where the cell can't be read, the issue
None where there is nothing to say. Nothing is guessed: what has two readings is left out.
"""

import functools
import html
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from marshmallow import ValidationError

from ...text import clean
from ..fields import dates, isbn, languages
from ..schemas import WebAddress


class Issue(NamedTuple):
    """What is to be said of a cell."""

    kind: str
    detail: str


class Rule(NamedTuple):
    """Cells that match `pattern` mean what `make` makes of the match."""

    pattern: re.Pattern[str]
    make: Callable[[re.Match[str]], str | None]
    issue: Issue | None = None


# Cells that say that the value is not known.
UNKNOWN = re.compile(
    r"|[\s?\-–—_.\[\]]+|n\.?/?[ad]\.?|\[?[ns]\.\s?[dl]\.?\]?|null|none|nil|nan|unknown|unspecified|undefined|tba",
    re.IGNORECASE,
)


def apply(rules: tuple[Rule, ...], text: str, otherwise: Issue) -> tuple[str | None, Issue | None]:
    """What the first rule that matches says."""
    for rule in rules:
        if found := rule.pattern.fullmatch(text):
            return rule.make(found), rule.issue
    return None, otherwise


# -- dates

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = r"(?P<m>[A-Za-z]{3,9})\.?"
DATE_UNREADABLE = Issue("date-unreadable", "is not a date that can be read; left out")
_UNCERTAIN = Issue("date-uncertain", "is uncertain; only the year is kept")
_IMPOSSIBLE = Issue("date-impossible", "is not a real date; only the year is kept")
_AMBIGUOUS = Issue("date-ambiguous", "can be read in two ways; only the year is kept")


def _date(found: re.Match[str]) -> str:
    parts = found.groupdict()
    sign, year = ("-", parts["y"][1:]) if parts["y"].startswith("-") else ("", parts["y"])
    text = f"{sign}{int(year):04d}"
    for part in (parts.get("m"), parts.get("d")):
        if not part or part.strip("0") == "":
            break
        if part.isalpha():
            part = str(_MONTHS.index(part[:3].lower()) + 1) if part[:3].lower() in _MONTHS else "99"
        text += f"-{int(part):02d}"
    return text


def _slashed(found: re.Match[str]) -> str:
    """Day and month in either order: only a number above twelve tells them apart."""
    one, two, year = int(found[1]), int(found[2]), found[3]
    month, day = (two, one) if one > 12 else (one, two)
    return f"{year}-{month:02d}-{day:02d}"


_YEAR = r"(?P<y>-?[0-9]{3,4}|[0-9]|[0-9]{2}(?=\.0))(?:[.,]0+)?"
_TIME = r"(?:[T ][0-9:.]+\s*(?:Z|[+-][0-9:]+)?)?"
DATES = (
    Rule(re.compile(r"0101-01-01.*|0000-00-00.*"), lambda found: None),
    Rule(re.compile(r"[0.]+(?<!0000)"), lambda found: None, DATE_UNREADABLE),
    Rule(re.compile(_YEAR), _date),
    Rule(
        re.compile(
            rf"(?P<y>-?[0-9]{{4}})([-/])(?P<m>[0-9]{{1,2}})(?:\2(?P<d>[0-9]{{1,2}}))?{_TIME}"
        ),
        _date,
    ),
    Rule(re.compile(r"(?P<y>1[0-9]{3}|20[0-9]{2})(?P<m>[01][0-9])(?P<d>[0-3][0-9])"), _date),
    Rule(re.compile(r"(?P<d>[0-9]{1,2})\.\s?(?P<m>[0-9]{1,2})\.\s?(?P<y>[0-9]{4})"), _date),
    Rule(re.compile(r"(?P<m>[0-9]{1,2})[/.](?P<y>[0-9]{4})"), _date),
    Rule(re.compile(r"(1[3-9]|2[0-9]|3[01])/(0?[1-9]|1[0-2])/([0-9]{4})" + _TIME), _slashed),
    Rule(re.compile(r"(0?[1-9]|1[0-2])/(1[3-9]|2[0-9]|3[01])/([0-9]{4})" + _TIME), _slashed),
    Rule(re.compile(r"[0-9]{1,2}/[0-9]{1,2}/(?P<y>[0-9]{4})" + _TIME), _date, _AMBIGUOUS),
    Rule(
        re.compile(rf"{_MONTH}\s+(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>[0-9]{{4}})"), _date
    ),
    Rule(re.compile(rf"(?P<d>[0-9]{{1,2}})\.?\s+{_MONTH},?\s+(?P<y>[0-9]{{4}})"), _date),
    Rule(re.compile(rf"{_MONTH},?\s+(?P<y>[0-9]{{4}})"), _date),
    Rule(re.compile(r"[\[(]?[c©℗p]?\s?(?P<y>[0-9]{4})[\])]?[.,;]?"), _date),
    Rule(re.compile(r"\[?(?P<y>[0-9]{4}),?\s+[c©p]\s?[0-9]{4}\]?\.?"), _date),
    Rule(re.compile(r"\[?(?:ca?\.?\s?)?(?P<y>[0-9]{4})(?:\?|-|–)?\]?[.?]?"), _date, _UNCERTAIN),
    Rule(
        re.compile(r"([0-9]{1,4}) ?B\.?C\.?(?:E\.?)?"),
        lambda found: f"-{int(found[1]) - 1:04d}" if int(found[1]) > 1 else "0000",
    ),
)


@functools.lru_cache(maxsize=4096)
def read_date(text: str) -> tuple[str | None, Issue | None]:
    """A date of publication."""
    value, issue = apply(DATES, text.strip(), DATE_UNREADABLE)
    if value is None:
        return None, issue
    for part, of_part in ((value, issue), (value[: 5 if value[0] == "-" else 4], _IMPOSSIBLE)):
        try:
            return dates.parse(part), of_part
        except ValueError:
            continue
    return None, DATE_UNREADABLE


# -- pages

PAGES_UNREADABLE = Issue("pages-unreadable", "is not a number of pages that can be read; left out")
PAGES = (
    Rule(
        re.compile(r"0+(?:[.,]0+)?"), lambda found: None, Issue("pages-unknown", "is 0; left out")
    ),
    Rule(
        re.compile(
            r"(?:[ivxlcdm]+\s*[,;+]\s*)?\[?([0-9]{1,3}(?:[., "
            r"\u202f\xa0][0-9]{3})+|[0-9]+)(?:[.,]0+)?\]?"
            r"\s*(?:pages?|pp?\.?|pgs?\.?|s\.|seiten|p[aá]ginas|pagine|bladzijden)?\s*[;,.:]?",
            re.IGNORECASE,
        ),
        lambda found: re.sub(r"\D", "", found[1]),
    ),
)


@functools.lru_cache(maxsize=4096)
def read_pages(text: str) -> tuple[int | None, Issue | None]:
    """A number of pages."""
    value, issue = apply(PAGES, text.strip(), PAGES_UNREADABLE)
    if value is None:
        return None, issue
    number = int(value[:9])
    return (number, issue) if 0 < number <= 100000 else (None, PAGES_UNREADABLE)


@functools.lru_cache(maxsize=1024)
def read_copies(text: str) -> tuple[int | None, Issue | None]:
    """A number of copies."""
    found = re.fullmatch(r"\s*([0-9]{1,6})(?:[.,]0+)?\s*", text)
    number = int(found[1]) if found else -1
    if 0 <= number <= 100000:
        return number, None
    return None, Issue("copies-unreadable", "is not a number of copies; left out")


# -- languages

_SEVERAL = Issue("language-several", "has several languages; the first is kept")
LANGUAGE_UNREADABLE = Issue("language-unreadable", "is not a language that can be read; left out")


@functools.lru_cache(maxsize=4096)
def read_language(text: str) -> tuple[str | None, Issue | None]:
    """A language, by its tag, its code or its name in any language."""
    text = text.strip()
    if found := _language(text):
        return found, None
    first, *others = [part for part in re.split(r"\s*[/,;|&]\s*|\s+", text) if part] or [""]
    if others and (found := _language(first)) and all(_language(other) for other in others):
        return found, None if {_language(other) for other in others} == {found} else _SEVERAL
    return None, LANGUAGE_UNREADABLE


def _language(text: str) -> str | None:
    if UNKNOWN.fullmatch(text):
        return None
    for read in (languages.canonical, languages.named):
        with suppress(ValueError):
            tag = read(text)
            return None if tag == "und" else tag
    return None


# -- ISBNs

ISBN_INVALID = Issue("isbn-invalid", "is not an ISBN")
ISBN_AS_NUMBER = Issue(
    "isbn-as-number", "was saved as a number by a spreadsheet and has lost its last digits"
)
_ISBN_LABEL = re.compile(r"(?:urn:)?isbn(?:[- ]?1[03])?\s*[:=]?\s*", re.IGNORECASE)
_FLOAT = re.compile(r"[0-9]+[.,]?[0-9]*[eE]\+?[0-9]+")
_SEPARATORS = re.compile(r"[,;|/\n()\[\]{}<>]+")


def read_isbns(text: str) -> tuple[tuple[str, ...], Issue | None]:
    """All ISBNs of a cell, each once; the issue is about the cell, where it has none."""
    try:
        return (isbn.parse(text),), None
    except ValueError:
        pass
    text = unicodedata.normalize("NFKC", text)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    text = re.sub(r'^="?(.*?)"?$', r"\1", text).strip("\"' ")
    if not text.strip("[]() "):
        return (), None
    if _FLOAT.fullmatch(text):
        return (), ISBN_AS_NUMBER
    found: dict[str, None] = {}
    problem = ISBN_INVALID
    for part in _SEPARATORS.split(_ISBN_LABEL.sub(" ", text)):
        for chunk in (part, *part.split()) if " " in part.strip() else (part,):
            if re.fullmatch(r"\s*[0-9]{6,8}[0-9Xx]\s*", chunk):  # lost its leading zeros
                chunk = chunk.strip().rjust(10, "0")
            try:
                found[isbn.parse(chunk)] = None
            except ValueError as error:
                if "digit" in str(error):
                    problem = Issue("isbn-invalid", str(error))
            else:
                if chunk is part:
                    break
    return tuple(found), None if found else problem


def read_isbn(text: str) -> tuple[str | None, Issue | None]:
    """The ISBN of a cell that has no other one."""
    isbns, issue = read_isbns(text)
    return (isbns[0], issue) if len(isbns) == 1 else (None, issue)


# -- texts

TEXT_INVALID = Issue("text-invalid", "is not a text, or has a character that XML forbids; left out")


def as_text(value: Any) -> str | None:
    """A JSON value as the text it stands for (8.0 → "8"); None where it stands for none."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def read_text(value: Any, max_length: int) -> tuple[str | None, Issue | None]:
    """The stored form of a text, cut where it is too long."""
    text = value if type(value) is str else as_text(value)
    try:
        stored = clean(text[: max_length * 8]) if text is not None else ""
    except ValueError:
        stored = ""
    if stored == "":
        return None, TEXT_INVALID
    if stored and len(stored) > max_length:
        detail = f"may have at most {max_length} characters; cut"
        return stored[:max_length].rstrip(), Issue("text-cut", detail)
    return stored, None


def read_cover(text: str) -> tuple[str | None, Issue | None]:
    """A web address."""
    try:
        return WebAddress(2000).deserialize(text), None
    except ValidationError:
        return None, Issue("cover-invalid", "is not an http or https URL; left out")


_BLOCK = re.compile(r"<\s*(?:/\s*(?:p|div|li|h[1-6])|br)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_ISBD = re.compile(r"\s*[/:;,=]\s*$|(?<=[0-9a-z]{3})\s*\.\s*$")


def without_html(text: str) -> str:
    """HTML as text, with a line break after each block."""
    text = html.unescape(_TAG.sub("", _BLOCK.sub("\n", text)))
    return re.sub(r"[ \t]*\n\s*", "\n", text).strip()


def without_isbd(text: str) -> str:
    """Without the punctuation that library records put at the end of an area."""
    return _ISBD.sub("", text.strip())
