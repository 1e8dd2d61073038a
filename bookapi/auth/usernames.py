"""Usernames: one canonical form, so that any spelling of a name is the same account on every database."""

import unicodedata

from ..text import FORBIDDEN, MAX_COMPOSED
from . import lookalikes

SHORTEST, LONGEST = 3, 64  # code points
_REFUSED = (
    "C",
    "Z",
)  # controls, formats, surrogates, unassigned; separators: all that a reader cannot see


def canonical(name: str) -> str:
    """The form that is compared: NFKC, case folded, NFKC again (folding may undo it)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def possible(name: str) -> bool:
    """Whether any account could have such a name. What else is sent neither folding nor a database should look at."""
    return len(name) <= LONGEST * MAX_COMPOSED and not FORBIDDEN.search(name)


def same(one: str, other: str) -> bool:
    """Whether both are spellings of one name."""
    return possible(one) and canonical(one) == canonical(other)


def fault(name: str) -> str | None:
    """What is wrong with a new name, or None."""
    if not SHORTEST <= len(name) <= LONGEST or len(canonical(name)) > LONGEST * 3:
        return f"must have {SHORTEST} to {LONGEST} characters"
    if any(
        unicodedata.category(character)[0] in _REFUSED for character in name
    ) or lookalikes.INVISIBLE.search(name):
        return "may hold no spaces, controls or invisible characters"
    if lookalikes.mixes_scripts(name):
        return "may not mix letters of different scripts"
    return None
