"""The searched text of a book, and the parser of `q` (docs/api.md, Search).

No query is a syntax error: what is not understood as an operator is a word, and what is neither is
passed over.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from ..db.search import ANYWHERE, HEADING, TITLE, Match, Term, encoded, index_text
from ..text import clean, stands_alone, words
from .fields import isbn

SEARCHED = frozenset(
    (
        "title",
        "subtitle",
        "authors",
        "series",
        "publisher",
        "subjects",
        "description",
        "isbn",
        "identifiers",
    )
)
LONGEST = 2000  # characters of a query, as of a title
MAX_WORDS = 100
MAX_PREFIXES = 4  # each may stand for thousands of words
MAX_PHRASES = 20  # for each the places of its words are looked up


def text_of(book: Mapping[str, Any], in_trash: bool = False) -> str:
    """The tokens of a book for the full-text index."""
    numbers = [
        book["isbn"],
        *[other["value"] for other in book["identifiers"] if other["scheme"] == "isbn"],
    ]
    title = words(book["title"])
    return index_text(
        title,
        {
            TITLE: [encoded(title), _tokens(book["subtitle"] or "")],
            HEADING: map(_name_tokens, (*book["authors"], book["series"] or "")),
            ANYWHERE: [
                *map(_name_tokens, (book["publisher"] or "", *book["subjects"])),
                _tokens(book["description"] or ""),
                *[encoded([number]) for number in numbers if number],
            ],
        },
        in_trash,
    )


def _tokens(text: str) -> str:
    return encoded(words(text))


_name_tokens = functools.lru_cache(4096)(_tokens)  # names recur

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»〝〞＂", '"'))
# A minus sign excludes the word that follows it.
_PART = re.compile(r'(?:(?<!\S)(-)(?!-))?(?:"([^"]*)"?|([^\s"]+))')
_AROUND = "()[]{}<>.,;:!?'\""  # punctuation around an ISBN


_CONTROL = re.compile("[\x7f-\x9f]")  # those below U+0020 are blanks, or refused by `clean`


def parse(text: str) -> Match | None:
    """The search that a query means; None where it is empty. A search without any terms finds
    nothing.

    Raises ValueError for what cannot be searched: characters that no book may have, or more than
    one search may cost.
    """
    if _CONTROL.search(text):
        raise ValueError("must not have control characters")
    cleaned = clean(text)
    if cleaned is None:
        return None
    if len(cleaned) > LONGEST:
        raise ValueError(f"may have at most {LONGEST} characters")
    # The whole query may be one ISBN, in groups with spaces between.
    number = None if cleaned.startswith("-") else _isbn(cleaned)
    if number:
        return Match((Term((number,)),))
    terms, without = _terms(cleaned.translate(_QUOTES))
    every = [*terms, *without]
    if sum(len(term.words) for term in every) > MAX_WORDS:
        raise ValueError(f"may have at most {MAX_WORDS} words")
    if sum(term.prefix for term in every) > MAX_PREFIXES:
        raise ValueError(f"may have at most {MAX_PREFIXES} words that end in *")
    if sum(len(term.words) > 1 for term in every) > MAX_PHRASES:
        raise ValueError(f"may have at most {MAX_PHRASES} phrases")
    whole = (
        ()
        if any(term.prefix for term in terms)
        else tuple(word for term in terms for word in term.words)
    )
    return Match(tuple(dict.fromkeys(terms)), tuple(dict.fromkeys(without)), whole)


def _terms(text: str) -> tuple[list[Term], list[Term]]:
    """The terms that must occur, and those that must not."""
    terms: list[Term] = []
    without: list[Term] = []
    for minus, phrase, word in _PART.findall(text):
        if word:
            (without if minus else terms).extend(_of_word(word, positive=not minus))
        elif found := _words(phrase):
            (without if minus else terms).append(Term(tuple(found)))
    return terms, without


def _of_word(word: str, positive: bool) -> list[Term]:
    """Usually one term; a word with something inside that parts words is a phrase."""
    found = _words(word)
    if not found:
        return []
    if not word.endswith("*") or stands_alone(found[-1]) or (len(found) > 1 and not positive):
        return [Term(tuple(found))]
    *before, last = found  # InnoDB has no phrase that ends in a prefix
    return [*([Term(tuple(before))] if before else []), Term((last,), prefix=True)]


def _words(text: str) -> list[str]:
    number = _isbn(text)
    return [number] if number else words(text)


def _isbn(text: str) -> str | None:
    if not any(character in "0123456789" for character in text):
        return None
    try:
        return isbn.parse(text.strip(_AROUND))
    except ValueError:
        return None
