"""Profiles of other programs' exports: a TOML file each.

To add one, add a file with

* `program`: what people call it; `name`, where it is another than the file's; `recognise`: lists of
  columns: a file that has all columns of one list is recognised;
* `[fields]`: field → column or columns. Lists are joined; of others the first that is not empty
  counts;
* `key`: the column with the record's own id there, and `[identifiers]`: column → scheme;
* `ignored`: columns that are left out and need not be named in the report.

and, where the program needs it: `[split]` field → separators (any character of it, or a longer
text); `[parts]` column → the member of an object in JSON; `[prefixes]` column → what is cut off;
`[patterns]` column → a regular expression whose first group counts; `[only]` column → the values of
records that are books; `html`: fields with markup; `needs` field → another one without which it
means nothing; `drop` field → items that are left out; `isbd = true`: punctuation of library records
is removed; `otherwise`: the scheme of what stands in the ISBN's column and is no ISBN.
"""

import functools
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....text import fold
from ...schemas import READ_ONLY, WRITABLE


@functools.lru_cache(4096)
def bare(name: str) -> str:
    """A column's name as it is compared: without case, accents, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", fold(name))


@dataclass(frozen=True)
class Profile:
    """One program's export. `OWN` has no name."""

    program: str
    recognise: list[list[str]]
    fields: dict[str, str | list[str]]
    name: str = ""
    key: str = ""
    identifiers: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    split: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)
    patterns: dict[str, str] = field(default_factory=dict)
    only: dict[str, list[str]] = field(default_factory=dict)
    needs: dict[str, str] = field(default_factory=dict)
    drop: dict[str, list[str]] = field(default_factory=dict)
    html: list[str] = field(default_factory=list)
    isbd: bool = False
    otherwise: str = ""

    def matches(self, columns: set[str]) -> bool:
        """Whether a file with these columns, as `bare` has them, is of this program."""
        return any(all(bare(name) in columns for name in names) for names in self.recognise)


_KNOWN = tomllib.loads(Path(__file__).parent.with_name("columns.toml").read_text("utf-8"))
WORK_SCHEMES = frozenset(_KNOWN["work_schemes"])
# An export of this service, or any spreadsheet.
OWN = Profile(
    "", [], {name: [name, *_KNOWN.get(name, [])] for name in WRITABLE}, ignored=[*READ_ONLY]
)


@functools.cache
def all_profiles() -> dict[str, Profile]:
    """Every profile by its name."""
    found: dict[str, Profile] = {}
    for path in sorted(Path(__file__).parent.glob("*.toml")):
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        found[path.stem] = Profile(**{"name": path.stem, **data})
    return found


def names() -> list[str]:
    """The names that `profile` may have."""
    return sorted({profile.name for profile in all_profiles().values()})


def choose(columns: Iterable[str], name: str | None = None) -> Profile:
    """The profile of a file with these columns, of several the one that asks for more columns; or
    the one of that name. Without any: OWN.
    """
    known = {bare(column) for column in columns}
    every = [p for p in all_profiles().values() if name in (None, p.name)]
    found = [profile for profile in every if profile.matches(known)] or (every if name else [])
    return max(found, key=lambda p: max(map(len, p.recognise)), default=OWN)
