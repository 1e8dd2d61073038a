"""What is known of a record: its texts, their scripts, its ISBNs."""

import unicodedata

from bookapi.books.fields import isbn


def texts_of(record):
    """The texts of a record in which words are searched."""
    texts = (
        record["title"],
        record["subtitle"],
        *record["authors"],
        record["series"],
        record["publisher"],
        *record["subjects"],
        record["description"],
    )
    return [text for text in texts if text]


def isbns_of(record):
    """The ISBNs of a record, further ones too."""
    further = [other["value"] for other in record["identifiers"] if other["scheme"] == "isbn"]
    return [number for number in (record["isbn"], *further) if number]


def script(text):
    """The script of the first letter of a text, as the names of its characters begin: LATIN, CJK,
    HEBREW, …
    """
    letter = next((c for c in text if c.isalpha()), None)
    return unicodedata.name(letter, "NONE").split()[0].split("-")[0] if letter else None


def by_script(texts):
    """The texts in scripts other than Latin, by script."""
    found = {}
    for text in texts:
        found.setdefault(script(text), []).append(text)
    return {name: found[name] for name in sorted({*found} - {None, "LATIN", "NONE", "MODIFIER"})}


def isbn10(digits):
    """The ten digits of an ISBN that begins with 978."""
    total = sum(int(digit) * (10 - place) for place, digit in enumerate(digits[3:12]))
    return digits[3:12] + "0123456789X"[-total % 11]


def valid_isbn(text):
    """Whether a search takes the text for an ISBN."""
    try:
        return bool(isbn.parse(text))
    except ValueError:
        return False
