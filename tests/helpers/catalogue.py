"""A catalogue of a hundred thousand books, made of the excerpts in tests/data.

The first 10,000 are those of the Library of Congress. The others combine the words, authors,
publishers, series and subjects of several of these records, and now and then a rare word, so that
words, authors and subjects are as common and as rare as in a real catalogue. The same number always
gives the same books.
"""

import json
import random

from bookapi.books.fields import isbn
from helpers.data import open_catalogue

SEED = 1907
TITLES = ("Poems", "Works", "Essays")  # of many books
RARE = {"language": "wln", "year": "1473", "series": ["A series of few books"]}


def source_records():
    """The records of the Library of Congress, as they stand."""
    with open_catalogue("loc-10k.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


def large_catalogue(count):
    """Records for an import: `count` of them, one without a title as the only one that is no
    book.
    """
    chance, sources = random.Random(SEED), source_records()
    yield from sources
    yield {"title": "", "authors": ["A record without a title"]}
    for number in range(count - len(sources) - 1):
        yield _combined(number, *chance.sample(sources, 3), chance)


def _combined(number, one, other, third, chance):
    record = {
        "title": _title(number, one, other, chance),
        "authors": third["authors"],
        "publisher": other["publisher"],
        "year": one["year"],
        "language": third["language"],
        "series": one["series"],
        "subjects": [*one["subjects"][:2], *third["subjects"][:1]],
    }
    if number % 20_000 == 0:
        record.update(RARE)
    if number % 3 == 0:
        record["isbn"] = [_isbn(number)]
    return record


def _title(number, one, other, chance):
    if chance.random() < 0.002:
        return chance.choice(TITLES)
    first, second = one["title"].split(), other["title"].split()
    words = [*first[: len(first) // 2 + 1], *second[len(second) // 2 :]]
    if chance.random() < 0.2:
        words.append(f"{chance.choice('bcdfgklmnprstvz')}{number:x}q")  # in no other title
    return " ".join(words)[:1000]


def _isbn(number):
    nine = f"{number:09d}"
    check = -sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    return isbn.parse(nine + "0123456789X"[check])
