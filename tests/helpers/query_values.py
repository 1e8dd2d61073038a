"""Values for queries, lent by the records of a catalogue and spelt in other ways."""

import random
import unicodedata
from collections import Counter

from bookapi.text import words
from helpers.known_texts import by_script, isbns_of, texts_of


class Values:
    def __init__(self, records, instants, seed):
        self.random = random.Random(seed)
        self.records, self.instants = (
            records,
            [*instants, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+14:00"],
        )
        self.values = {
            "title": [record["title"] for record in records],
            "author": [name for record in records for name in record["authors"]],
            "subject": [name for record in records for name in record["subjects"]],
            **{
                name: [record[name] for record in records if record[name]]
                for name in ("publisher", "series", "language", "published")
            },
            "isbn": [number for record in records for number in isbns_of(record)],
            "identifier": [
                f"{other['scheme']}:{other['value']}"
                for record in records
                for other in record["identifiers"]
            ],
        }
        texts = [text for record in records for text in texts_of(record)]
        counts = Counter(word for text in texts for word in words(text))
        self.common = [word for word, _ in counts.most_common(150)]
        self.rare = [word for word, count in counts.items() if count <= 2]
        self.some = [word for word, count in counts.items() if 2 < count <= 40]
        self.scripts = by_script(
            token for text in texts for token in text.split() if not token.isascii()
        )
        self.texts = [text for text in texts if len(words(text)) > 2]

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def one(self, name):
        """A value that books have; half the time each value is as likely as any other, however many
        books have it.
        """
        values = self.values[name]
        return self.random.choice(values if self.chance(50) else list(dict.fromkeys(values)))

    def _spelt(self, text):
        """The text in a spelling that means the same: other case, other accents, other spaces."""
        folded = "".join(
            c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn"
        )
        place = self.random.randrange(len(text) + 1)
        letter = text[place - 1 : place]
        accented = (
            text[:place] + "\u0301" + text[place:]
            if letter.isalpha() and letter.isascii()
            else text
        )
        made = self.random.choice(
            (
                text,
                text,
                text.lower(),
                text.upper(),
                text.swapcase(),
                folded,
                accented,
                unicodedata.normalize("NFD", text),
                text.replace(" ", "  "),
                f" {text}\t",
            )
        )
        return made if made.strip() else text

    def _absent(self, name):
        value = self.one(name)
        return self.random.choice(
            (
                value + "x",
                value[::-1] + "?",
                value[:-1] or "?",
                value + " %",
                "no book has this",
                value.replace("a", "_"),
                "\u0301",
                "%",
                "*",
                "日",
                "''",
                "\\",
            )
        )

    def _adjacent(self, most):
        """Some words next to each other, as they are written somewhere."""
        parts = self.random.choice(self.texts).split()
        number = self.random.randint(1, min(most, len(parts)))
        start = self.random.randint(0, len(parts) - number)
        return " ".join(parts[start : start + number])
