"""Text in its three forms: stored (`clean`), compared and sorted (`fold`, `key`), and searched
(`words`).

Made here alone, so that JSON, XML, CSV and both databases agree.
"""

import functools
import hashlib
import re
import unicodedata

# Everything outside the Char production of XML 1.0 (fifth edition, section 2.2), lone surrogates
# included.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MAX_MARKS = 100  # combining marks in a row; UAX #15 (Stream-Safe Text Format) has 30
MAX_COMPOSED = 4  # code points that NFC may make one (U+1F82 and its like)

# A folded key longer than this keeps its head for sorting and a digest of the whole for equality.
# 700 characters of utf8mb4 are 2,800 bytes: with an id after them within InnoDB's 3,072 bytes of a
# key.
KEY_LENGTH = 700
_DIGEST_LENGTH = 32

_FOREIGN = re.compile("[^\x00-\x7f]+")
_MANY_FOREIGN = re.compile(f"[^\x00-\x7f]{{{MAX_MARKS + 1}}}")
# Up to so many characters the folded form of a run, the key of a name, is cached.
_SHORT_RUN, _SHORT_NAME = 20, 100


def clean(text: str) -> str | None:
    """The stored form: Unicode NFC, trimmed; None when nothing is left.

    Raises ValueError for a character that XML 1.0 forbids, and for more than MAX_MARKS combining
    marks in a row, which no language has: NFC takes time in the square of their number.
    """
    if not text.isprintable() and (found := FORBIDDEN.search(text)):  # those are not printable
        raise ValueError(
            f"must not have the character U+{ord(found[0]):04X}, which XML 1.0 forbids"
        )
    if not text.isascii():
        if _MANY_FOREIGN.search(text) and _has_many_marks(text):
            raise ValueError(f"must not have more than {MAX_MARKS} combining marks in a row")
        text = unicodedata.normalize("NFC", text)
    return text.strip() or None


def _has_many_marks(text: str) -> bool:
    run = 0
    for character in text:
        # By category: some marks have no combining class of their own, but are decomposed into
        # marks that have one.
        run = run + 1 if unicodedata.category(character)[0] == "M" else 0
        if run > MAX_MARKS:
            return True
    return False


def printable(text: str) -> str:
    """The text with every character that XML 1.0 forbids replaced: for a message to the client that
    sent it.
    """
    return FORBIDDEN.sub("\ufffd", text)


# Letters that Unicode does not decompose, though a search takes their stroke for an accent: the
# Default Unicode Collation Element Table (UTS #10) gives them the primary weight of these.
_BASE_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)


def fold(text: str) -> str:
    """The form for comparing and sorting: no case, no accents, one space between words.

    Unicode's compatibility caseless match (The Unicode Standard, D146) less the non-spacing marks.
    """
    return " ".join(_without_case(text).split())


def _without_case(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Runs of other characters are folded by themselves: ASCII on either side changes nothing.
    return _FOREIGN.sub(_folded, text).casefold()


def _folded(found: re.Match[str]) -> str:
    run = found[0]
    return _fold_short(run) if len(run) <= _SHORT_RUN else _fold_all(run)


def _fold_all(text: str) -> str:
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join([c for c in text.translate(_BASE_LETTERS) if unicodedata.category(c) != "Mn"])


_fold_short = functools.lru_cache(4096)(_fold_all)


def key(text: str) -> str:
    """`fold` in at most KEY_LENGTH characters, fit for an index: equal exactly where the folds are.

    Only a digest makes a key of the full length, so that no short text has the key of a long one.
    """
    return _short_key(text) if len(text) <= _SHORT_NAME else _key(text)


def _key(text: str) -> str:
    folded = fold(text)
    if len(folded) < KEY_LENGTH:
        return folded
    digest = hashlib.sha256(folded.encode()).hexdigest()[:_DIGEST_LENGTH]
    return folded[: KEY_LENGTH - _DIGEST_LENGTH] + digest


_short_key = functools.lru_cache(4096)(_key)


# Scripts without spaces between words: each character is a word, and a run of them a phrase.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff"
    "\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)


def _of_categories(categories: str, *blocks: tuple[int, int]) -> str:
    return "".join(
        chr(code)
        for start, end in blocks
        for code in range(start, end)
        if unicodedata.category(chr(code)) in categories.split()
    )


# Indic scripts write vowels as spacing marks, which Python's \w excludes; unspaced ones have
# punctuation, too.
_MARKS = _of_categories("Mc", (0x0900, 0x0E00), (0x1B00, 0x1C50), (0xA800, 0xAC00))
_PUNCTUATION = _of_categories(
    "Po Pd Ps Pe Pc Sc Sk Sm So Zs",
    (0x0E00, 0x0F00),
    (0x1000, 0x10A0),
    (0x1780, 0x1800),
    (0x2E80, 0x3400),
)
_WORD = re.compile(f"(?:[^\\W_{_UNSPACED}]|[{_MARKS}])+|(?![{_PUNCTUATION}])[{_UNSPACED}]")
# In ASCII a table does: everything but letters and digits becomes a space.
_SPACED = bytes(code if chr(code).isalnum() and code < 128 else 32 for code in range(256))
# Modifier letters that romanization puts inside names, and invisible characters.
_MODIFIERS = re.compile("[\u02b0-\u02ff\u200b-\u200f\u2060\ufeff\u00ad]")


def words(text: str) -> list[str]:
    """The words of a text for searching, in order: folded; in scripts without spaces each character
    is a word.
    """
    folded = _without_case(text)
    if folded.isascii():
        return folded.encode().translate(_SPACED).decode().split()
    return _WORD.findall(_MODIFIERS.sub("", unicodedata.normalize("NFC", folded)))


def stands_alone(word: str) -> bool:
    """Whether a word of `words` is a character of a script without spaces between words."""
    return len(word) == 1 and not word.isascii() and re.match(f"[{_UNSPACED}]", word) is not None
