"""The languages of pages, by Accept-Language (RFC 9110, section 12.5.4)."""

import functools

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

LANGUAGES = ("en", "de")  # the first is what the templates are written in


@functools.lru_cache(maxsize=256)
def best_language(accept_language: str) -> str:
    """The language of pages that an Accept-Language header prefers; `de-AT` means `de`."""
    for tag, quality in parse_accept_header(accept_language, LanguageAccept):  # the best first
        primary = tag.partition("-")[0].lower()
        if quality > 0 and primary in LANGUAGES:
            return primary
    return LANGUAGES[0]
