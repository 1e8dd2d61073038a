"""Usernames: one canonical form, so that any spelling of a name is the same account on every database."""
import unicodedata

SHORTEST, LONGEST = 3, 64  # code points
_REFUSED = ("C", "Z")  # controls, formats, surrogates, unassigned; separators: all that a reader cannot see


def canonical(name: str) -> str:
    """The form that is compared: NFKC, case folded, NFKC again (folding may undo it)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def fault(name: str) -> str | None:
    """What is wrong with a new name, or None."""
    if not SHORTEST <= len(name) <= LONGEST or len(canonical(name)) > LONGEST * 3:
        return f"must have {SHORTEST} to {LONGEST} characters"
    if any(unicodedata.category(character)[0] in _REFUSED for character in name):
        return "may hold no spaces, controls or invisible characters"
    return None
