"""Language tags (BCP 47): checked against the registry, in their canonical form."""

import functools
import re

import langcodes
from langcodes.tag_parser import LanguageTagError

LONGEST = 100
_FORM = re.compile("[A-Za-z0-9_-]+")
_MEANT = "must be a language tag of BCP 47, such as en, pt-BR or zh-Hant"


@functools.lru_cache(maxsize=4096)
def canonical(tag: str) -> str:
    """The canonical tag: ``eng`` → ``en``, ``EN_us`` → ``en-US``. Raises ValueError for what is no
    known tag.
    """
    if len(tag) > LONGEST or not _FORM.fullmatch(tag):
        raise ValueError(_MEANT)
    try:
        found = langcodes.standardize_tag(tag)
    except LanguageTagError:
        raise ValueError(_MEANT) from None
    if not langcodes.tag_is_valid(found):
        raise ValueError(f"{_MEANT}; {found} is none that is registered")
    return found
