"""A large invented catalogue as JSON Lines, with the distributions of a union catalogue.

    python -m benchmarks.large_books 100000 > books.jsonl

Words are made of syllables. `the` is in four of five titles and `of` in half of them, `word1` in
one of ten, `word2` in one of a hundred. One author has five of a hundred books (`A. Common`), one
subject twenty-two (`Fiction`), half the books are English; 1,000 books have 300 authors.
"""

import itertools
import json
import random
import sys
from collections.abc import Iterator

SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu ar el in or un sha tri"
LANGUAGES = "de fr es it nl pt ru sv da fi nb pl cs hu el tr he ar ja zh ko ca ro uk hr sl et lv lt"
DAYS = ("", "-03", "-11-05")
WORDS = 40_000


def _isbn(number: int) -> str:
    digits = f"978{number:09d}"
    return digits + str(-sum(int(d) * (3 if at % 2 else 1) for at, d in enumerate(digits)) % 10)


class Catalogue:
    """Draws books: the same ones for the same size."""

    def __init__(self, size: int):
        self._size, self._chance = size, random.Random(17)  # noqa: S311
        syllables = SYLLABLES.split()
        self._words = [
            "".join(self._chance.choices(syllables, k=self._chance.randint(2, 4)))
            for _ in range(WORDS)
        ]
        self._weights = list(itertools.accumulate(1 / (at + 5) for at in range(WORDS)))

    def __iter__(self) -> Iterator[dict[str, object]]:
        return map(self._book, range(self._size))

    def _text(self, least: int, most: int) -> list[str]:
        number = self._chance.randint(least, most)
        return self._chance.choices(self._words, cum_weights=self._weights, k=number)

    def _among(self, number: int, power: int) -> int:
        """One of so many, the first ones more often than the others."""
        return int(max(number, 10) * self._chance.random() ** power)

    def _maybe(self, share: float, value: object, otherwise: object = None) -> object:
        return value if self._chance.random() < share else otherwise

    def _book(self, number: int) -> dict[str, object]:
        chance, size, words = self._chance, self._size, self._words
        title = self._text(1, 5)
        for word, share in (("the", 0.8), ("of", 0.5), ("word1", 0.1), ("word2", 0.01)):
            if chance.random() < share:
                title.insert(chance.randint(0, len(title)), word)
        authors = {self._among(size * 3 // 10, 2) for _ in range(chance.choice((0, 1, 1, 1, 2)))}
        subjects = {self._among(size // 500, 3) for _ in range(chance.randint(0, 4))}
        year = 2024 - self._among(220, 3)
        return {
            "title": " ".join(title).capitalize(),
            "authors": [
                self._maybe(0.05, "A. Common", f"{words[at % WORDS].capitalize()}, {at}")
                for at in sorted(authors)
            ],
            "subjects": [
                self._maybe(0.11, "Fiction", f"Subject {words[at]}") for at in sorted(subjects)
            ],
            "publisher": self._maybe(0.9, f"Publisher {self._among(size // 200, 2)}"),
            "language": self._maybe(0.49, "en", chance.choice(LANGUAGES.split())),
            "series": self._maybe(0.2, f"Series {self._among(size // 20, 1)}"),
            "published": self._maybe(0.95, f"{year}{chance.choice(DAYS)}"),
            "pages": chance.randint(20, 900),
            "isbn": self._maybe(0.7, _isbn(number)),
            "identifiers": self._maybe(0.3, [{"scheme": "lccn", "value": str(number)}], []),
            "description": " ".join(self._text(8, 60)),
        }


if __name__ == "__main__":
    for book in Catalogue(int(sys.argv[1])):
        print(json.dumps(book, separators=(",", ":")))
