"""Invented books, as many as are wanted: the same ones, byte for byte, on every machine.

Only `Random.random` is used, whose numbers Python promises never to change for a seed.
"""

import itertools
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

SEED = 20240229
# stands for a new ISBN in a request to create a book; thirteen characters, as what it becomes
ISBN = "NUMBERED_ISBN"
RARE_WORDS = [
    head + tail
    for head, tail in itertools.product(
        ("balq", "corv", "drex", "fenz", "gulm", "haxt", "jovr", "kelw", "lumb", "mysk"),
        (
            "andrix",
            "obert",
            "ulane",
            "imoth",
            "ershaw",
            "ondale",
            "aquin",
            "ysteria",
            "ophane",
            "uvium",
        ),
    )
]

_ADJECTIVES = (
    "Silent",
    "Last",
    "Hidden",
    "Golden",
    "Second",
    "Broken",
    "Northern",
    "Patient",
    "Éternal",
    "Wide",
    "Small",
    "Distant",
    "Common",
    "Forgotten",
    "Burning",
    "Invisible",
    "Crooked",
    "Early",
    "Winter",
    "Naïve",
)
_NOUNS = (
    "River",
    "House",
    "Garden",
    "Machine",
    "Letter",
    "Road",
    "Island",
    "Mirror",
    "Café",
    "Harbour",
    "Library",
    "Clock",
    "Orchard",
    "Shadow",
    "Bridge",
    "Engine",
    "Field",
    "Language",
    "Night",
    "Journey",
    "Theory",
    "Kitchen",
    "Sea",
)
_PLACES = (
    "Lisbon",
    "Kraków",
    "Zürich",
    "the Coast",
    "Reykjavík",
    "the Valley",
    "São Paulo",
    "the North",
    "Kyōto",
    "Bern",
    "Tromsø",
    "the Plains",
    "Москва",
    "東京",
    "Αθήνα",
    "the Islands",
    "Malmö",
    "Québec",
)
_FIRST = (
    "Anna",
    "Søren",
    "Maria",
    "Łukasz",
    "Grace",
    "Zoë",
    "Omar",
    "Ingrid",
    "José",
    "Mei",
    "Peter",
    "Amara",
    "Yusuf",
    "Clara",
    "Dmitri",
    "Fiona",
    "Hiroshi",
    "Leïla",
    "Noah",
    "Ursula",
    "Björn",
    "Chinua",
    "Edith",
    "Tomáš",
    "Иван",
)
_LAST = (
    "Berg",
    "Okafor",
    "Lindqvist",
    "Moreau",
    "Tanaka",
    "O’Brien",
    "García",
    "Novák",
    "Smith",
    "Haddad",
    "Kowalski",
    "Schäfer",
    "Rossi",
    "Silva",
    "Ng",
    "Petrov",
    "Eriksen",
    "Dubois",
    "Khan",
    "Müller",
    "Walker",
    "Ionescu",
    "Costa",
    "Ødegård",
    "Baker",
    "Mbeki",
    "Yılmaz",
    "Hall",
    "Fischer",
    "de la Cruz",
)
_INITIALS = "ABCDEFGHIJKLMNOPRSTVW"
_PUBLISHERS = (
    "Harbour Press",
    "Meridian & Sons",
    "Éditions du Port",
    "North Light",
    "Old Mill Books",
    "Verlag Süd",
    "Paper Lantern",
    "University of the Coast Press",
    "Third Floor",
    "Casa Aberta",
)
_LANGUAGES = ("en", "en", "en", "en-GB", "de", "fr", "es", "pt-BR", "pl", "ja")
_SUBJECTS = (
    "Fiction",
    "History",
    "Travel",
    "Poetry",
    "Science",
    "Cooking",
    "Biography",
    "Essays",
    "Crime",
    "Philosophy",
    "Children",
    "Music",
    "Economics",
    "Nature",
    "Fantasy",
    "Mathematics",
    "Art",
    "Politics",
)
_WHO = (
    "A retired teacher",
    "The youngest of five sisters",
    "A clockmaker",
    "An unpaid translator",
    "The new doctor",
    "A family from the hills",
    "An old sailor",
    "The keeper of the archive",
    "A girl named Zoë",
    "Nobody in the town",
)
_DOES = (
    "finds",
    "loses",
    "inherits",
    "repairs",
    "describes",
    "follows",
    "is told to guard",
    "sells",
    "remembers",
    "invents",
)
_WHAT = (
    "a map that nobody can read",
    "the only bridge across the river",
    "forty letters without a sender",
    "a small house near the harbour",
    "the recipe of a forgotten dish",
    "an engine that runs on rain",
    "a language with nine speakers",
    "the diary of a stranger",
    "a debt of 300 złoty",
    "the last train to the coast",
)
_WHEN = (
    "in the first winter after the war",
    "while the town is asleep",
    "and has one week to decide",
    "without telling anyone why",
    "for the second time",
    "as the water rises",
    "long before the story begins",
)


def isbn13(twelve: str) -> str:
    """The ISBN-13 that begins with these twelve digits."""
    return twelve + str(
        -sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(twelve)) % 10
    )


def new_isbn(number: int) -> str:
    """The ISBN of that number, below 900,000,000; no generated book has it."""
    return isbn13(f"97{9_100_000_000 + number}")


def author(number: int) -> str:
    """The author of that number; there are 15,750 of them, then they come again."""
    rest, first = divmod(number, len(_FIRST))
    rest, last = divmod(rest, len(_LAST))
    return f"{_FIRST[first]} {_INITIALS[rest % len(_INITIALS)]}. {_LAST[last]}"


def authors(count: int) -> list[str]:
    """Everyone who may have written one of `count` books."""
    return [
        author(number)
        for number in range(min(max(1, count // 5), len(_FIRST) * len(_LAST) * len(_INITIALS)))
    ]


class _Dice:
    def __init__(self):
        self._random = random.Random(SEED).random  # noqa: S311 # to be the same each time

    def below(self, end: int) -> int:
        return int(self._random() * end)

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]

    def some_of(self, choices: Sequence[str], most: int) -> list[str]:
        """From one to `most` of them, each once."""
        return list(dict.fromkeys(self.one_of(choices) for _ in range(1 + self.below(most))))

    def percent(self, chance: int) -> bool:
        return self._random() * 100 < chance


def generate(count: int) -> Iterator[dict]:
    """`count` books as clients send them, each with its own ISBN."""
    dice, writers = _Dice(), authors(count)
    for number in range(count):
        yield _book(number, dice, writers)


def _book(number: int, dice: _Dice, writers: list[str]) -> dict:
    book = {
        "title": f"The {dice.one_of(_ADJECTIVES)} {dice.one_of(_NOUNS)} of {dice.one_of(_PLACES)}",
        "authors": dice.some_of(writers, 3),
        # A multiplier without a factor in common with 10 ** 9 scatters the numbers and keeps them
        # apart.
        "isbn": isbn13(f"978{number * 387_420_489 % 10**9:09d}"),
        "publisher": dice.one_of(_PUBLISHERS),
        "published": _date(dice),
        "language": dice.one_of(_LANGUAGES),
        "pages": 40 + dice.below(900),
        "subjects": dice.some_of(_SUBJECTS, 4),
        "description": _description(dice),
    }
    if dice.percent(30):
        book["subtitle"] = f"{dice.one_of(_WHO)} and {dice.one_of(_WHAT)}"
    if dice.percent(15):
        book["series"] = f"{dice.one_of(_PLACES)} {dice.one_of(('Quartet', 'Trilogy', 'Stories'))}"
        book["series_number"] = str(1 + dice.below(4))
    return book


def _date(dice: _Dice) -> str:
    """A year, a month or a day."""
    whole = f"{1850 + dice.below(174)}-{1 + dice.below(12):02d}-{1 + dice.below(28):02d}"
    return whole[: (4, 7, 10)[dice.below(3)]]


def _description(dice: _Dice) -> str:
    """From two to five sentences, then one with a rare word: each of the hundred is in about 1 %
    of the books."""
    sentences = [
        f"{dice.one_of(_WHO)} {dice.one_of(_DOES)} {dice.one_of(_WHAT)} {dice.one_of(_WHEN)}."
        for _ in range(2 + dice.below(4))
    ]
    return " ".join([*sentences, f"With a note on the {dice.one_of(RARE_WORDS)}."])


def write(count: int, path: Path) -> None:
    """The books as a file of JSON Lines."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for book in generate(count):
            file.write(json.dumps(book, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
