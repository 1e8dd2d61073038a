"""Which passwords are common: those that attackers try first, of the length that a password must have here.

The list is `common_passwords.txt` beside this module; its head says where it is from. Nothing is asked of the network.
"""

import functools
import re
from pathlib import Path

from .usernames import canonical

LIST = Path(__file__).with_name("common_passwords.txt")
COMMENT = "#: "

_SUBSTITUTES = str.maketrans("@431!0$5", "aaeiioss")
# What people put around a word to please a rule is no letter. Both are only matched at the start: never quadratic.
_BEFORE, _UP_TO_LAST_LETTER = re.compile(r"[\W\d_]*"), re.compile(r"(?:.*[^\W\d_])?", re.DOTALL)


def is_common(password: str) -> bool:
    """Whether the password is a common one in any case, with substitutes for letters or digits and signs around it."""
    return not _known().isdisjoint(_readings(canonical(password)))


def entries() -> list[str]:
    """The common passwords as they stand in the list."""
    return [line for line in LIST.read_text("utf-8").splitlines() if not line.startswith(COMMENT)]


@functools.cache  # two threads that come first at once both read the file, and keep equal sets
def _known() -> frozenset[str]:
    listed = entries()
    return frozenset(listed).union(map(_plain, listed))


def _plain(text: str) -> str:
    return text.translate(_SUBSTITUTES)


def _readings(text: str) -> set[str]:
    # Each side is bared by itself, too: a sign there may be the first or last letter ("$unshine…", "…c0c@").
    behind, ahead = text[_BEFORE.match(text).end() :], _UP_TO_LAST_LETTER.match(text)[0]
    bared = {text, behind, ahead, _UP_TO_LAST_LETTER.match(behind)[0]}
    return bared.union(map(_plain, bared))
