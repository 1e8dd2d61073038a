"""What text is to this service: how it is stored, and what of it is compared.

Two functions carry it all, so that JSON, XML, CSV and both databases agree by construction:
`clean` makes the stored form, `fold` the compared one.
"""
import hashlib
import re
import unicodedata

# Everything outside the Char production of XML 1.0 (fifth edition, section 2.2), lone surrogates included.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

MOST_COMPOSED = 4  # code points that NFC may make one (U+1F82 and its like)

# A folded key longer than this keeps its head for sorting and a digest of the whole for equality.
# 700 characters of utf8mb4 are 2,800 bytes: with an id behind them, inside InnoDB's 3,072 bytes a key.
KEY_LENGTH = 700
_DIGEST_LENGTH = 32


def clean(text: str) -> str | None:
    """The stored form: Unicode NFC, trimmed; None when nothing is left.

    Raises ValueError where a character is one that XML 1.0 cannot carry.
    """
    found = FORBIDDEN.search(text)
    if found:
        raise ValueError(f"may not hold the character U+{ord(found[0]):04X}, which XML 1.0 forbids")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.strip() or None


def printable(text: str) -> str:
    """The text with every character that XML 1.0 forbids replaced, for telling a client what it sent."""
    return FORBIDDEN.sub("\ufffd", text)


def fold(text: str) -> str:
    """What is compared and sorted by: no case, no accents, one space between words.

    Unicode's compatibility caseless match (The Unicode Standard, D146) less the non-spacing marks.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Mn").split())


def key(text: str) -> str:
    """`fold` in at most KEY_LENGTH characters, fit for an index: equal exactly where the folds are.

    Only a digest makes a key of the full length, so that no short text has the key of a long one.
    """
    folded = fold(text)
    if len(folded) < KEY_LENGTH:
        return folded
    digest = hashlib.sha256(folded.encode()).hexdigest()[:_DIGEST_LENGTH]
    return folded[:KEY_LENGTH - _DIGEST_LENGTH] + digest
