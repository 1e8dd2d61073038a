"""The report of an import: what was done, and what is to be said of records, counted by kind."""

import copy
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ...text import printable
from .cells import Issue

MAX_REPORTED = 1000  # errors and warnings in all
MAX_OF_A_KIND = 100
MAX_LENGTH = 200  # characters of anything of a record
COUNTS = ("read", "created", "updated", "unchanged", "rejected")
# Of a report that is written as CSV, before those of the rejected records.
COLUMNS = ("severity", "record", "line", "kind", "field", "detail", "value")

Record = tuple[Sequence[str], Sequence[Any]]  # names and values
Listener = Callable[[str, dict[str, Any], Record | None], None]


class Report:
    """What an import did. `listener` is given every error and warning, also those beyond the
    limits, and the record that was being read (`record`; before the first one of a table its
    header without values).
    """

    def __init__(self, listener: Listener | None = None) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.profile: str | None = None
        self.encoding = "utf-8"
        self.delimiter: str | None = None
        self.columns: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.ignored: list[str] = []
        self._kinds: Counter[tuple[str, str, str | None]] = Counter()
        self.record: Record | None = None
        self._listener = listener

    def add(
        self,
        which: str,
        place: tuple[int, int | None],
        issue: Issue,
        field: str | None = None,
        value: Any = None,
    ) -> None:
        """Add to `errors` or `warnings`. `place`: the number of the record and its line; 0: the
        file.
        """
        self._kinds[which, issue.kind, field] += 1
        reported: list[dict[str, Any]] = getattr(self, which)
        has_room = len(self.errors) + len(self.warnings) < MAX_REPORTED
        wanted = has_room and self._kinds[which, issue.kind, field] <= MAX_OF_A_KIND
        if wanted or self._listener:
            entry = {
                "record": place[0] or None,
                "line": place[1],
                "kind": issue.kind,
                "field": field and _shown(field),
                "value": None if value is None else _shown(_written(value)),
                "detail": _shown(issue.detail),
            }
            entry = {name: part for name, part in entry.items() if part is not None}
            if wanted:
                reported.append(entry)
            if self._listener:
                self._listener(which, entry, self.record)

    def copy(self) -> "Report":
        """A report that goes on from this one, without its listener."""
        other = copy.copy(self)
        other._listener = None
        other.counts, other._kinds = dict(self.counts), Counter(self._kinds)
        other.errors, other.warnings = list(self.errors), list(self.warnings)
        return other

    def as_dict(self) -> dict[str, Any]:
        """The report as it is sent (docs/api.md, Importing)."""
        return {
            **self.counts,
            "stored": False,
            "profile": self.profile,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "columns": self.columns,
            "errors": self.errors,
            "warnings": self.warnings,
            "counts": [
                {"kind": kind, "count": count}
                if field is None
                else {"kind": kind, "field": _shown(field), "count": count}
                for (_, kind, field), count in self._kinds.most_common(MAX_REPORTED)
            ],
            "ignored": self.ignored,
        }

    def set_columns(self, fields_of: dict[str, str | None], ignored: list[str]) -> None:
        """What became of each column."""
        self.columns = [
            {"column": _shown(name), "field": target or None} for name, target in fields_of.items()
        ][:MAX_REPORTED]
        self.ignored = [_shown(name) for name in ignored[:MAX_REPORTED]]


def _written(value: Any) -> str:
    """A value as the client wrote it, or nearly so; of a long list the beginning."""
    if isinstance(value, list):
        value = value[:MAX_LENGTH]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _shown(text: str) -> str:
    return printable(text[:MAX_LENGTH])
