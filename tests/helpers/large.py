"""A hundred thousand books, and what plain Python finds in them.

The books are made by `helpers.catalogue`, with Project Gutenberg's and some nasty text, imported
by the command.
"""

import itertools
import json
from bisect import bisect_left
from collections import defaultdict
from urllib.parse import urlencode

from bookapi.books.fields import dates
from bookapi.text import key, words
from helpers.catalogue import large_catalogue
from helpers.data import CATALOGUES
from helpers.known_texts import isbns_of, texts_of
from helpers.nasty_books import LONG, NASTY, nasty_books
from helpers.support import jsonl_bytes

SEED = 1907
MADE, GUTENBERG = 95_000, 5_000
BOOKS = MADE - 1 + GUTENBERG + len(NASTY) + len(LONG)  # one record is no book


class Library:
    """The catalogue behind its public ways, and the same books as plain records."""

    def __init__(self, app, folder):
        self.app, self.client, self.folder = app, app.test_client(), folder
        nasty = folder / "nasty.jsonl"
        nasty.write_bytes(jsonl_bytes(*nasty_books()))
        made = folder / "made.jsonl"
        made.write_bytes(jsonl_bytes(*large_catalogue(MADE)))
        self.command("init")
        self.reports = [
            self.command("books", "import", str(path), *options)
            for path, *options in (
                (made, "--on-error", "skip"),
                (CATALOGUES / "gutenberg-5k.csv.gz",),
                (nasty,),
            )
        ]
        exported = folder / "all.jsonl"
        self.command("books", "export", str(exported))
        with open(exported, encoding="utf-8") as lines:
            self.records = [json.loads(line) for line in lines]
        self.text = PlainText(self.records)

    def command(self, *arguments):
        """What a console command says when it is done."""
        result = self.app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 0, result.output
        return result.stdout

    def get(self, address, **parameters):
        """The answer to a list, or to the address of one."""
        answer = self.client.get(address, query_string=parameters or None)
        assert answer.status_code == 200, (address, parameters, answer.get_data())
        return answer.json

    def found(self, **parameters):
        """The ids of all books of a list, in its order."""
        answer = self.client.get(
            "/books/export", query_string={**parameters, "fields": "id", "format": "jsonl"}
        )
        return [json.loads(line)["id"] for line in answer.get_data().splitlines()]

    def by_pages(self, **parameters):
        """The ids on every page, by number, from the first one to the last."""
        return self._along({"page": 1}, parameters)

    def by_cursor(self, **parameters):
        """The ids behind each cursor, from the beginning to the end."""
        return self._along({"cursor": "*"}, parameters)

    def _along(self, begin, parameters):
        address, ids = (
            f"/books?{urlencode({'limit': 100, 'fields': 'id', **begin, **parameters})}",
            [],
        )
        while address:
            reported = self.get(address)
            ids += [book["id"] for book in reported["books"]]
            address = reported["links"].get("next")
        return ids


class PlainText:
    """Which records have which words, found without any database."""

    def __init__(self, records):
        self.texts = {
            record["id"]: [
                *(words(text) for text in texts_of(record)),
                *([n] for n in isbns_of(record)),
            ]
            for record in records
        }
        self.books = defaultdict(set)
        for book_id, texts in self.texts.items():
            for word in itertools.chain.from_iterable(texts):
                self.books[word].add(book_id)
        self.vocabulary = sorted(self.books)

    def word(self, word):
        """The books that have the word."""
        return self.books.get(word, set())

    def beginning(self, prefix):
        """The books that have a word with this beginning."""
        start = bisect_left(self.vocabulary, prefix)
        alike = itertools.takewhile(lambda word: word.startswith(prefix), self.vocabulary[start:])
        return set().union(*(self.books[word] for word in alike))

    def phrase(self, phrase):
        """The books that have these words next to each other in one text."""
        candidates = set.intersection(*(set(self.word(word)) for word in phrase))
        return {
            book_id
            for book_id in candidates
            if any(has_phrase(text, phrase) for text in self.texts[book_id])
        }


def has_phrase(text, phrase):
    return any(text[at : at + len(phrase)] == phrase for at in range(len(text) - len(phrase) + 1))


def year_of(book):
    return dates.sort_key(book["published"]) // 10000 if book["published"] else None


def is_or_has(name, value):
    return lambda book: book[name] is not None and key(book[name]) == key(value)


def speaks(tag):
    return lambda book: (book["language"] or "").split("-")[0] == tag


# Parameters and which records they are about. The values are of these catalogues, in another
# spelling.
CONDITIONS = [
    ({}, lambda book: True),
    ({"language": "fr"}, speaks("fr")),
    ({"language": "xho"}, speaks("xh")),
    (
        {"author": "DICKENS, CHARLES, 1812-1870"},
        lambda book: "Dickens, Charles, 1812-1870" in book["authors"],
    ),
    ({"author": "nobody at all"}, lambda book: False),
    (
        {"publisher": "oxford university press,"},
        is_or_has("publisher", "Oxford University Press,"),
    ),
    (
        {"published_from": "1890", "published_to": "1899"},
        lambda book: year_of(book) in range(1890, 1900),
    ),
    (
        {"published_from": "2000", "language": "en"},
        lambda book: (year_of(book) or 0) >= 2000 and speaks("en")(book),
    ),
    ({"title": "poems"}, is_or_has("title", "Poems")),
]
IDS = [urlencode(parameters) or "all" for parameters, _ in CONDITIONS]


def reported(name, counts):
    """The same of an answer."""
    same = (lambda value: value) if name in ("language", "decade") else key
    return [(same(term["value"]), term["count"]) for term in counts]
