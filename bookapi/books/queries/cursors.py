"""Cursors: the sort values of the last book of a page.

A cursor names no page, so that books added or removed meanwhile shift nothing: none is shown twice,
none is left out.
"""

import base64
import binascii
from typing import Any

import orjson

from .sorting import fit, to_compare

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
    except (binascii.Error, orjson.JSONDecodeError):
        raise ValueError(_NOT_OURS) from None
    if not (
        isinstance(made, list)
        and len(made) == 2
        and made[0] == ",".join(sort)
        and isinstance(made[1], list)
        and fit(sort, made[1])
    ):
        raise ValueError(_NOT_OURS)
    return tuple(map(to_compare, sort, made[1]))
