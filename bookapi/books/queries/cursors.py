"""Cursors: the sort values of the last book of a page.

A cursor names no page, so that books added or removed meanwhile shift nothing: none is shown twice,
none is left out.
"""

import base64
from datetime import datetime
from typing import Any

import orjson

from .sorting import INSTANTS, NUMBERS

BEGIN = "*"
LONGEST = 8000
_NOT_OURS = "must be * or the cursor of links.next, with the same sort"


def write(sort: tuple[str, ...], values: list[Any]) -> str:
    """The cursor after a book with these sort values."""
    return base64.urlsafe_b64encode(orjson.dumps([",".join(sort), values])).rstrip(b"=").decode()


def read(text: str, sort: tuple[str, ...]) -> tuple[Any, ...]:
    """The sort values of a cursor, as the database compares them. Raises ValueError if no list
    with this sort can have returned it."""
    if len(text) > LONGEST or not text.isascii():
        raise ValueError(_NOT_OURS)
    try:
        made = orjson.loads(
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        )
    except ValueError:
        raise ValueError(_NOT_OURS) from None
    if not (
        isinstance(made, list)
        and len(made) == 2
        and made[0] == ",".join(sort)
        and isinstance(made[1], list)
        and len(made[1]) == len(sort)
    ):
        raise ValueError(_NOT_OURS)
    return tuple(map(_value, sort, made[1]))


def _value(named: str, value: Any) -> Any:
    """A value of a cursor as the database compares it with the column of that sort key."""
    name = named.removeprefix("-")
    if name in NUMBERS:
        is_right = type(value) is int and -(2**63) <= value < 2**63
    else:
        is_right = type(value) is str and (name not in INSTANTS or _is_instant(value))
    if not is_right:
        raise ValueError(_NOT_OURS)
    return value[:-1].replace("T", " ") if name in INSTANTS else value


def _is_instant(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return text.isascii() and len(text) == 27
