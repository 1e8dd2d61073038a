"""Partial dates: ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD`` (ISO 8601), a leading ``-`` for years
before 0.
"""

import calendar
import functools
import re

_FORM = re.compile(r"(-?[0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_ANY_LEAP_YEAR, _ANY_OTHER_YEAR = 2000, 2001


def parse(text: str) -> str:
    """The date as it came. Raises ValueError saying what is wrong."""
    year, month, day = _parts(text)
    if month is not None and not 1 <= month <= 12:
        raise ValueError("must be a real date: months go from 01 to 12")
    if month is not None and day is not None and not 1 <= day <= _days(year, month):
        raise ValueError("must be a real date: that month has no such day")
    return text


@functools.lru_cache(4096)
def sort_key(text: str) -> int:
    """A number that sorts as the dates do: ``1999``, ``1999-01``, ``1999-01-01``; ``-0720`` before
    ``0001``. Raises ValueError for what has another form.
    """
    year, month, day = _parts(text)
    return year * 10000 + (month or 0) * 100 + (day or 0)


def format_year(number: int) -> str:
    """A year as `parse` takes it: ``-0720``, ``0001``, ``1999``."""
    return f"-{-number:04d}" if number < 0 else f"{number:04d}"


def _parts(text: str) -> tuple[int, int | None, int | None]:
    found = _FORM.fullmatch(text)
    if not found or found[1] == "-0000":
        raise ValueError(
            "must be YYYY, YYYY-MM or YYYY-MM-DD, with a leading - for a year before 0"
        )
    year, month, day = found.groups()
    return int(year), int(month) if month else None, int(day) if day else None


def _days(year: int, month: int) -> int:
    """Days in a month of the proleptic Gregorian calendar, which `datetime` does not follow back
    beyond year 1.
    """
    return calendar.monthrange(_ANY_LEAP_YEAR if calendar.isleap(year) else _ANY_OTHER_YEAR, month)[
        1
    ]
