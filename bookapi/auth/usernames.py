"""Usernames: the form that is compared, what a new name may contain, and which names look alike.

Any spelling of one name is the same account on every database. Names look alike where their
skeletons are equal (UTS #39, section 4); characters that look alike and the scripts of characters
come from confusable-homoglyphs.
"""

import functools
import re
import unicodedata

from confusable_homoglyphs.categories import unique_aliases

from ..text import FORBIDDEN, MAX_COMPOSED

MIN_LENGTH, MAX_LENGTH = 3, 64  # code points
_ROUNDS = 3  # after which no character's skeleton changes any more
_DIRECTION_MARK = (
    "\u200e"  # confusable-homoglyphs has it around characters of right-to-left scripts
)

# Default_Ignorable_Code_Point (Unicode 17.0), which confusable-homoglyphs does not know: nothing is
# drawn for these.
_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)

_NO_SCRIPT = {"COMMON", "INHERITED", "Unknown"}
# "Highly restrictive" in UTS #39: Latin may be mixed with the scripts of one East Asian language.
_WRITTEN_TOGETHER = (
    {"LATIN", "HAN", "HIRAGANA", "KATAKANA"},
    {"LATIN", "HAN", "HANGUL"},
    {"LATIN", "HAN", "BOPOMOFO"},
)


def canonical(name: str) -> str:
    """The form that is compared: NFKC, case folded, and NFKC again, since folding may undo it."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def is_possible(name: str) -> bool:
    """Whether any account could have this name; others are neither folded nor looked up."""
    return len(name) <= MAX_LENGTH * MAX_COMPOSED and not FORBIDDEN.search(name)


def is_same(one: str, other: str) -> bool:
    """Whether both are spellings of one name."""
    return is_possible(one) and canonical(one) == canonical(other)


def error_in(name: str) -> str | None:
    """What is wrong with a new name, or None."""
    if not MIN_LENGTH <= len(name) <= MAX_LENGTH or len(canonical(name)) > MAX_LENGTH * 3:
        return f"must have {MIN_LENGTH} to {MAX_LENGTH} characters"
    # C: controls, formats, surrogates, unassigned; Z: separators.
    if any(unicodedata.category(character)[0] in "CZ" for character in name) or (
        _INVISIBLE.search(name)
    ):
        return "must not contain spaces, control characters or invisible characters"
    if mixes_scripts(name):
        return "must not mix letters of different scripts"
    return None


def mixes_scripts(name: str) -> bool:
    """Whether the name has characters of scripts that no language writes together, such as Latin
    and Cyrillic.
    """
    scripts = unique_aliases(unicodedata.normalize("NFKC", name)) - _NO_SCRIPT
    return len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER)


def skeletons(name: str) -> frozenset[str]:
    """The skeletons of the name as it is and in lower case: two names look alike where these sets
    overlap.

    Characters look alike in one case only ("I" and "l", not "i" and "l"), but usernames ignore
    case, so one skeleton is not enough: "aIice" equals "alice" only as it is, "ALICE" only in lower
    case.
    """
    normalized = unicodedata.normalize("NFKC", name)
    return frozenset({skeleton(normalized), skeleton(normalized.casefold())})


def skeleton(name: str) -> str:
    """The name with each character replaced by the prototype of those that look like it, case
    folded.

    Repeated until nothing changes: "0" looks like "O", which is "o".
    """
    for _ in range(_ROUNDS):
        decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", name))
        visible = _INVISIBLE.sub("", decomposed)
        name = unicodedata.normalize("NFD", "".join(map(_prototype, visible))).casefold()
    return unicodedata.normalize("NFD", name)


@functools.lru_cache(maxsize=4096)
def _prototype(character: str) -> str:
    """The one character (or sequence, "rn" for "m") that stands for all that look like this one."""
    shapes = _look_alikes(character)
    if len(shapes) != 1:  # none, or it is a prototype itself: a character names its prototype alone
        return character
    [other] = shapes
    if len(other) > 1 or len(_look_alikes(other)) > 1:
        return other
    return min(character, other)  # a pair, of which either names the other


def _look_alikes(character: str) -> list[str]:
    from confusable_homoglyphs.confusables import is_confusable  # 14 MB: only for new accounts

    found = is_confusable(character, greedy=True) or is_confusable(
        f"{_DIRECTION_MARK}{character}{_DIRECTION_MARK}", greedy=True
    )
    return [shape["c"].strip(_DIRECTION_MARK) for shape in found[0]["homoglyphs"]] if found else []
