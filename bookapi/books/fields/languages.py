"""Language tags (BCP 47): checked against the registry, in their canonical form; and the names of
languages.
"""

import functools
import re

import langcodes
from langcodes.tag_parser import LanguageTagError
from language_data.names import TRIES, name_to_code, normalize_name

from ...text import fold

MAX_LENGTH = 100  # characters of a tag or a name
_FORM = re.compile("[A-Za-z0-9_-]+")
_QUALIFIED = re.compile(r"([^(),]+?)(?:, ?| ?(\()) *([^(),]+?)(?(2)\))")
_MEANT = "must be a language tag of BCP 47, such as en, pt-BR or zh-Hant"


@functools.lru_cache(maxsize=4096)
def canonical(tag: str) -> str:
    """The canonical tag: ``eng`` → ``en``, ``EN_us`` → ``en-US``. Raises ValueError for what is no
    known tag.
    """
    if len(tag) > MAX_LENGTH or not _FORM.fullmatch(tag):
        raise ValueError(_MEANT)
    try:
        found = langcodes.standardize_tag(tag)
    except LanguageTagError:
        raise ValueError(_MEANT) from None
    if not langcodes.tag_is_valid(found):
        raise ValueError(f"{_MEANT}; {found} is none that is registered")
    return found


def named(name: str) -> str:
    """The tag of the language with this name in any language, case and accents aside; or with one
    in parts: ``Portuguese (Brazil)``, ``Greek, Ancient``. Raises ValueError where there is none.
    """
    is_abbreviation = len(name) < 3 and name.isascii()
    if len(name) > MAX_LENGTH or is_abbreviation or "\0" in name:  # marisa_trie ends a name at NUL
        raise ValueError(_MEANT)
    code = _code("language", name)
    if code is None and (found := _QUALIFIED.fullmatch(name)):
        code = _code("language", f"{found[3]} {found[1]}")
        language, territory = _code("language", found[1]), _code("territory", found[3])
        if code is None and language and territory and found[2]:
            code = f"{language}-{territory}"
    return canonical(code or "")


def _code(kind: str, name: str) -> str | None:
    """`name_to_code` takes `Frensh` for French, too."""
    code = name_to_code(kind, name)
    if code and normalize_name(name) in TRIES[f"und/name_to_{kind}"]:
        return str(code)
    return _without_accents().get(fold(name)) if kind == "language" else None


@functools.cache
def _without_accents() -> dict[str, str]:
    """The languages by those names that are ASCII but for their accents, without these."""
    accented = [each for each in TRIES["und/name_to_language"].items() if not each[0].isascii()]
    return {bare: code.decode() for name, code in accented if (bare := fold(name)).isascii()}
