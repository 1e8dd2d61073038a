"""Which names look alike, after Unicode's security mechanisms (UTS #39, sections 4 and 5.1, 5.2).

`skeletons` of two names meet where a reader could take one for the other; `mixes_scripts` tells of a name whose
letters are of scripts that no language writes together. The data are in `lookalikes.txt` beside this module.
"""

import functools
import re
import unicodedata
from bisect import bisect_right
from pathlib import Path

DATA = Path(__file__).with_name("lookalikes.txt")
_COMMENT, _SECOND_PART = "#:", "#: Part 2"
_ROUNDS = 3  # as many as any character needs

# Default_Ignorable_Code_Point (Unicode 17.0): drawn as nothing, so left out of a skeleton.
INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)

# What UTS #39 calls highly restrictive: Latin may stand with the scripts of one East Asian language.
_TOGETHER = (
    frozenset({"Latn", "Hani", "Hira", "Kana"}),
    frozenset({"Latn", "Hani", "Hang"}),
    frozenset({"Latn", "Hani", "Bopo"}),
)


def skeletons(name: str) -> frozenset[str]:
    """What the name looks like as it is given and in small letters: two names look alike where these sets meet.

    The map of confusables knows case ("I" looks like "l", "i" does not) and usernames do not, so one is not enough:
    "aIice" meets "alice" only as given, "ALICE" only in small letters. Every spelling of one name shares the latter.
    """
    given = unicodedata.normalize("NFKC", name)
    return frozenset({skeleton(given), skeleton(given.casefold())})


def skeleton(name: str) -> str:
    """The name with each character replaced by the prototype of those that look like it, and no case.

    UTS #39's skeleton, its case folded, and so on until nothing changes: "0" looks like "O", and "O" is "o".
    """
    for _ in range(_ROUNDS):
        name = _prototypes(unicodedata.normalize("NFKC", name)).casefold()
    return unicodedata.normalize("NFD", name)


def mixes_scripts(name: str) -> bool:
    """Whether the name has characters of scripts that are not written together, as Latin and Cyrillic."""
    found = {_script(ord(character)) for character in unicodedata.normalize("NFKC", name)} - {None}
    return len(found) > 1 and not any(found <= together for together in _TOGETHER)


def _prototypes(text: str) -> str:
    shown = INVISIBLE.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFD", shown.translate(_confusables()))


def _script(code: int) -> str | None:
    starts, ends, scripts = _scripts()
    place = bisect_right(starts, code) - 1
    return scripts[place] if place >= 0 and code <= ends[place] else None


def _part(number: int) -> list[tuple[str, list[str]]]:
    lines = DATA.read_text("utf-8").split(_SECOND_PART)[number].splitlines()
    pairs = [line.split(": ") for line in lines if line and not line.startswith((_COMMENT, ":"))]
    return [(name, values.split()) for name, values in pairs]


@functools.cache
def _confusables() -> dict[int, str]:
    return {
        int(code, 16): "".join(chr(int(part, 16)) for part in prototype.split())
        for prototype, codes in _part(0)
        for code in codes
    }


@functools.cache
def _scripts() -> tuple[list[int], list[int], list[str]]:
    ranges = sorted(
        (int(span.split("-")[0], 16), int(span.split("-")[-1], 16), script)
        for script, spans in _part(1)
        for span in spans
    )
    starts, ends, scripts = zip(*ranges)
    return list(starts), list(ends), list(scripts)
