"""Full text on SQLite (FTS5) and on MySQL/MariaDB (InnoDB FULLTEXT), with the same answers from
both.

Engines differ in what they take for a word: InnoDB drops short words and stop words, and knows no
Chinese. So neither gets text. `book_words` has one row a book, of tokens that both engines take as
they are: letters and digits of ASCII, three or more. A token is a tag and a word. The tag tells
where in the book the word stands and whether the book is in the trash, so that relevance and
liveness are plain searches, too, and come out alike.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

TABLE, INDEX = "book_words", "book_words_index"
MIN_TOKEN = 3  # a tag and one character: by default InnoDB drops what is shorter
MAX_TOKEN = 82  # after the tag: by default InnoDB drops what is longer than 84
_MAX_CACHED = 20_000  # characters, words; a search may have any of a million
_HEAD = 66  # of a longer one this much is kept, and a digest of the whole

# How near to its title a book has the words. What is found at one level is found at all that
# follow.
EXACT, TITLE, HEADING, ANYWHERE = LEVELS = "etha"
_LIVE, _TRASH = "q", "x"  # after the level: no stop word of InnoDB has these as second letter
BARRIER = "bbb"  # between two texts: no phrase goes across


class Term(NamedTuple):
    """What must occur: words next to each other, or one beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False


class Match(NamedTuple):
    """A search: all `terms` must occur and none of `without`. `whole`: all its words in order; a
    title that is exactly these is found at the level EXACT."""

    terms: tuple[Term, ...]
    without: tuple[Term, ...] = ()
    whole: tuple[str, ...] = ()


# -- tokens ----------------------------------------------------------------------------------------


@functools.lru_cache(_MAX_CACHED)
def _encoded(word: str, prefix: bool = False) -> str:
    """The word in ASCII letters and digits; a prefix of the word becomes a prefix of the result."""
    if not word.isascii() or "x" in word or "z" in word:
        word = "".join(map(_code, word))
    if prefix:  # of a longer word only the head is stored
        return word[:_HEAD]
    return word if len(word) < MAX_TOKEN else word[:_HEAD] + _digest(word, MAX_TOKEN - _HEAD)


@functools.lru_cache(_MAX_CACHED)
def _code(character: str) -> str:
    """What a character becomes: itself, or `z` and three digits of base 36, or `x` and four."""
    if character.isascii() and character not in "xz":
        return character
    code = ord(character)
    return "z" + _base_36(code, 3) if code < 36**3 else "x" + _base_36(code, 4)


def _base_36(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _digest(text: str, length: int = 24) -> str:
    return hashlib.blake2b(text.encode(), digest_size=length // 2).hexdigest()


def encoded(words: Iterable[str]) -> str:
    """The words of a text as `index_text` takes them."""
    return "\0".join(map(_encoded, words))


def index_text(
    title: Sequence[str], texts: dict[str, Iterable[str]], in_trash: bool = False
) -> str:
    """The tokens of a book: the words of its title, and those of its texts by level, encoded (a
    level has those before it, too)."""
    state = _TRASH if in_trash else _LIVE
    tokens, so_far = EXACT + state + _digest(" ".join(title)), ""
    for level in (TITLE, HEADING, ANYWHERE):
        so_far += "".join([f" {BARRIER}\0{words}" for words in texts[level] if words])
        tokens += so_far.replace("\0", f" {level}{state}")
    return tokens


# -- expressions -----------------------------------------------------------------------------------


def expressions(
    write: "type[Fts5] | type[InnoDbFullText]", match: Match, in_trash: bool = False
) -> dict[str, str]:
    """`write`: the full-text search of the dialect. The values of `found`: what the engine takes
    for the whole search (`q`), for each level of it (`q_e`, …), for what must not occur (`q_less`),
    and for that alone where nothing must (`q_without`)."""
    state = _TRASH if in_trash else _LIVE
    without = [write.any_of(match.without, ANYWHERE + state)] if match.without else []
    if not match.terms:
        return {"q_without": "".join(without)}
    every = [write.all_of(_at(level, match), level + state) for level in LEVELS]
    return {
        "q": write.less(every[-1], without),
        "q_less": without[0] if without else "none",
        # Without what the level nearer to the title has found already.
        **{
            f"q_{level}": write.less(every[at], [*without, *every[:at][-1:]])
            for at, level in enumerate(LEVELS)
        },
    }


def _at(level: str, match: Match) -> tuple[Term, ...]:
    """What must occur at a level."""
    if level != EXACT:
        return match.terms
    return (Term((_digest(" ".join(match.whole)),) if match.whole else ("none",)),)


def _words(term: Term, tag: str) -> str:
    return " ".join([tag + _encoded(word, term.prefix) for word in term.words])


def finder(match: Match, level: str = "") -> Callable[[str], bool]:
    """A function that says of the tokens of a book in the catalogue whether the search finds it;
    `level`: at this level of relevance, and no nearer one."""

    def parts(terms: Iterable[Term], level: str) -> list[str]:
        return [f" {_words(term, level + _LIVE)}" + " " * (not term.prefix) for term in terms]

    needed = parts(_at(level or ANYWHERE, match), level or ANYWHERE)
    without = parts(match.without, ANYWHERE)
    nearer = [parts(_at(above, match), above) for above in LEVELS[: LEVELS.find(level)][-1:]]

    def finds(words: str) -> bool:
        has = f" {words} ".__contains__
        return (
            all(map(has, needed))
            and not any(map(has, without))
            and not any(all(map(has, found)) for found in nearer)
        )

    return finds


class Fts5:
    """FTS5, section 3 of its documentation."""

    @staticmethod
    def _terms(terms: Iterable[Term], tag: str) -> list[str]:
        return [f'"{_words(term, tag)}"' + " *" * term.prefix for term in terms]

    @classmethod
    def all_of(cls, terms: Iterable[Term], tag: str) -> str:
        return " AND ".join(cls._terms(terms, tag))

    @classmethod
    def any_of(cls, terms: Iterable[Term], tag: str) -> str:
        return " OR ".join(cls._terms(terms, tag))

    @staticmethod
    def less(found: str, without: list[str]) -> str:
        return f"({found})" + "".join(f" NOT ({less})" for less in without)


class InnoDbFullText:
    """Boolean full-text searches of InnoDB. Behind a phrase it forgets what `*` means and that `-`
    excludes: beginnings come first, and what must not occur is a search of its own."""

    @staticmethod
    def _terms(terms: Iterable[Term], tag: str) -> list[str]:
        return [
            f'"{_words(term, tag)}"'
            if len(term.words) > 1
            else _words(term, tag) + "*" * term.prefix
            for term in sorted(terms, key=lambda term: not term.prefix)
        ]

    @classmethod
    def all_of(cls, terms: Iterable[Term], tag: str) -> str:
        return " ".join("+" + term for term in cls._terms(terms, tag))

    @classmethod
    def any_of(cls, terms: Iterable[Term], tag: str) -> str:
        return " ".join(cls._terms(terms, tag))

    @staticmethod
    def less(found: str, without: list[str]) -> str:
        return found


# -- the pieces of statements ----------------------------------------------------------------------


class found(FunctionElement[Any]):
    """The books that a search finds, as a table. Its arguments are values of `expressions`.

    (`q`, `q_less`): the column `id`. Those of all LEVELS in order, then `q_less`: also the column
    `relevance` (3: the title itself, 2: in the title, 1: in the heading, 0: anywhere).
    """

    name = "found"
    inherit_cache = True


@compiles(found, "sqlite")
def _found_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # The values are bound parameters. What must not occur stands in the other expressions, too.
    values = [compiler.process(clause) for clause in list(element.clauses)[: len(LEVELS)]]
    if len(values) < len(LEVELS):
        return f"(SELECT rowid AS id FROM {INDEX} WHERE {INDEX} MATCH {values[0]})"  # noqa: S608
    levels = [
        f"SELECT rowid AS id, {relevance} AS relevance FROM {INDEX} WHERE {INDEX} MATCH {value}"  # noqa: S608
        for relevance, value in enumerate(reversed(values))
    ]
    return f"({' UNION ALL '.join(reversed(levels))})"


@compiles(found, "mysql", "mariadb")
def _found_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    every = [
        f"MATCH (words) AGAINST ({compiler.process(clause)} IN BOOLEAN MODE)"
        for clause in element.clauses
    ]
    last = len(LEVELS) - 1 if len(every) > len(LEVELS) else 0
    nearer, anywhere, without = every[:last], every[last], every[last + 1 :]
    more = f", {' + '.join(f'({match} > 0)' for match in nearer)} AS relevance" if nearer else ""
    less = "".join(f" AND NOT {match}" for match in without)
    return f"(SELECT book_id AS id{more} FROM {TABLE} WHERE {anywhere}{less})"  # noqa: S608 # bound parameters, too
