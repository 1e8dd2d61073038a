"""Random sequences of requests: the same ones each time for the same seed, on any database."""

import json
import random
from typing import NamedTuple

from bookapi.books.schemas import FIELDS
from helpers import documents, queries
from helpers.data import naughty_strings
from helpers.inventions import with_check_digit
from helpers.nasty_books import NASTY
from helpers.support import csv_bytes

LENGTH = 20  # requests in a sequence
ISBNS = [with_check_digit(f"97801414395{number:02d}") for number in range(40)]
TEXTS = [*NASTY, *naughty_strings()]
LISTED = ["Ada", "ADA", "Čapek, Karel", "capek, karel", "ß", "SS", "日本語", "𝔸", "O'Neill"]
DATES = ["1815", "1815-12", "1815-12-23", "-0044-03-15", "0001", "9999-12-31", "1815-13", "soon"]
LANGUAGES = ["en", "en-GB", "eng", "zh-Hant", "x-klingon", "no such", ""]
KINDS = ["authors", "subjects", "publishers", "languages"]
ACCEPTED = ["application/json"] * 3 + ["application/xml"] * 2 + ["text/html", "text/csv"]
WRONG = {
    "title": [None, "", 7, "x" * 5001, ["a"]],
    "pages": [0, -1, "many", 2**70, 1.5],
    "isbn": ["978-0-14-143958-8", "x", 9780141439587],
    "authors": ["Ada", [None], [""], ["x"] * 300],
    "identifiers": [[{"scheme": "A b", "value": "1"}], [{"scheme": "doi"}], "doi:1"],
    "cover_url": ["javascript:alert(1)", "http://", "x"],
    "colour": ["red"],
    "version": [0, "1", 99],
    "id": [1, 2**63],
}


class Request(NamedTuple):
    """A request. `match`: If-Match is sent with the tag that the same database gave for this path,
    the latest or the first."""

    method: str
    path: str
    body: bytes | None = None
    kind: str | None = None
    headers: dict[str, str] = {}
    match: str | None = None
    signed_in: bool = True


class Inventor:
    """Invents requests. `newest`: the highest id of a book so far."""

    def __init__(self, seed):
        self._chance, self._seed, self.newest, self._keys = random.Random(seed), seed, 0, []
        self._ways = (
            *[self._create] * 3,
            *[self._change] * 4,
            *[self._query] * 4,
            *[self._remove] * 2,
            *[self._read] * 3,
            self._create_many,
            self._by_isbn,
            self._import,
            self._terms,
            self._account,
        )

    def sequence(self):
        """Requests, each invented when it is asked for."""
        for _ in range(LENGTH):
            yield self._pick(self._ways)()

    def _pick(self, choices):
        return self._chance.choice(choices)

    def _some(self, choices, most):
        return [self._pick(choices) for _ in range(self._chance.randint(0, most))]

    def _is(self, probability):
        return self._chance.random() < probability

    def _id(self):
        """An id, mostly of a book of this sequence."""
        most = max(self.newest + 1, 1)
        return self._chance.randint(max(1, most - 8), most) if self._is(0.9) else 2**40

    def book(self):
        """Fields of a book, now and then a wrong one."""
        makers = {
            "title": lambda: self._pick(TEXTS),
            "subtitle": lambda: self._pick([None, self._pick(TEXTS)]),
            "authors": lambda: self._some(LISTED + TEXTS[:60], 4),
            "isbn": lambda: self._pick([None, self._pick(ISBNS)]),
            "publisher": lambda: self._pick(LISTED),
            "published": lambda: self._pick(DATES[: 8 if self._is(0.1) else 6]),
            "language": lambda: self._pick(LANGUAGES[: 7 if self._is(0.1) else 5]),
            "series": lambda: self._pick([None, *LISTED]),
            "pages": lambda: self._chance.randint(1, 999),
            "description": lambda: "\n".join(self._some(TEXTS, 6)) or None,
            "subjects": lambda: self._some(LISTED, 4),
            "identifiers": lambda: [
                {"scheme": scheme, "value": self._pick(["1", "a", "A", "é"])}
                for scheme in self._some(["doi", "oclc", "calibre"], 2)
            ],
            "copies": lambda: self._chance.randint(0, 9),
            "location": lambda: self._pick(LISTED),
        }
        chosen = ["title", *self._chance.sample(sorted(makers), self._chance.randint(0, 6))]
        made = {name: makers[name]() for name in chosen}
        if self._is(0.1):
            name = self._pick(sorted(WRONG))
            made[name] = self._pick(WRONG[name])
        return made

    def _headers(self):
        return {"Accept": self._pick(ACCEPTED)}

    def _with_key(self):
        headers = self._headers()
        if self._is(0.3):
            reused = self._keys and self._is(0.4)
            key = self._pick(self._keys) if reused else f"{self._seed}-{len(self._keys)}"
            self._keys.append(key)
            headers["Idempotency-Key"] = key
        return headers

    def _sent(self, method, path, data, root="book", **more):
        name = self._pick(["json", "json", "xml"])
        try:
            body = documents.write(name, data, root)
        except (ValueError, KeyError, TypeError):  # what XML cannot say
            name, body = "json", json.dumps(data).encode()
        return Request(method, path, body, documents.TYPES[name], **more)

    def _create(self):
        return self._sent("POST", "/books", self.book(), headers=self._with_key())

    def _create_many(self):
        books = [self.book() for _ in range(self._chance.randint(0, 5))]
        root = "catalogue"
        return self._sent("POST", "/books", {"books": books}, root, headers=self._with_key())

    def _change(self):
        method, path = self._pick(["PUT", "PATCH"]), f"/books/{self._id()}"
        book = self.book()
        if method == "PATCH" and self._is(0.7):
            book.pop("title")
        if self._is(0.15):
            book["version"] = self._chance.randint(1, 3)
        match = self._pick([None, None, "latest", "first", "*"])
        return self._sent(method, path, book, match=match, headers=self._headers())

    def _by_isbn(self):
        book = {**self.book(), "isbn": self._pick(ISBNS)}
        return self._sent("PUT", f"/books/isbn/{book['isbn']}", book, headers=self._headers())

    def _remove(self):
        path = f"/books/{self._id()}"
        if self._is(0.4):
            return Request("POST", f"{path}/restore", headers=self._with_key())
        match = self._pick([None, "latest", "first"])
        return Request("DELETE", path, match=match, headers=self._headers())

    def _read(self):
        book = f"/books/{self._id()}"
        path = self._pick(
            [book] * 4
            + [f"{book}?state=deleted", f"{book}/history", f"/books/isbn/{self._pick(ISBNS)}"]
            + [f"/books/changes?after={self._chance.randint(0, self.newest + 1)}", "/", "/books"]
            + [f"/books/export?format={self._pick(['json', 'xml', 'csv', 'jsonl'])}"]
        )
        return Request("GET", path, headers=self._headers(), signed_in=self._is(0.6))

    def _query(self):
        path = self._pick(QUERIES).address("/books")
        return Request("GET", path, headers=self._headers(), signed_in=self._is(0.6))

    def _terms(self):
        sort = self._pick(["value", "-value", "count", "-count", "colour"])
        limit = self._chance.randint(1, 50)
        path = f"/books/{self._pick(KINDS)}?sort={sort}&limit={limit}"
        return Request("GET", path, headers=self._headers(), signed_in=self._is(0.6))

    def _import(self):
        books = [
            {name: value for name, value in self.book().items() if name in FIELDS}
            for _ in range(self._chance.randint(1, 6))
        ]
        options = [
            f"{name}={self._pick(values)}"
            for name, values in {
                "on_error": ["abort", "skip", "skip"],
                "dry_run": ["true", "false", "false"],
                "mode": ["upsert", "upsert", "create"],
                "strict": ["true", "false"],
                "empty": ["keep", "clear"],
            }.items()
            if self._is(0.5)
        ]
        path = "/books/import" + ("?" + "&".join(options) if options else "")
        if self._is(0.5):
            lines = "".join(json.dumps(book) + "\n" for book in books)  # numbers of any size
            kind, body = "application/x-ndjson", lines.encode()
        else:
            names = sorted({name for book in books for name in book} - {"identifiers"})
            rows = [
                [" | ".join(map(str, cell)) if isinstance(cell, list) else cell for cell in row]
                for row in ([book.get(name, "") for name in names] for book in books)
            ]
            rows = [["" if cell is None else str(cell) for cell in row] for row in rows]
            kind, body = "text/csv", csv_bytes(names, *rows)
        return Request("POST", path, body, kind, headers=self._with_key())

    def _account(self):
        name = self._pick(["ada", "Ada", "zoë", "admin", "a b", ""])
        account = {"username": name, "password": self._pick(["short", "a long enough password"])}
        number = self._chance.randint(1, 6)
        return self._pick(
            [
                self._sent("POST", "/auth/users", account, "user"),
                self._sent("PATCH", f"/auth/users/{number + 2}", {"role": "admin"}, "user"),
                Request("DELETE", f"/auth/users/{number + 2}"),
                Request("GET", "/auth/users", headers={"Accept": "application/json"}),
                Request("GET", f"/auth/users/{number}", headers={"Accept": "application/json"}),
                Request("GET", "/auth/events?limit=5", headers={"Accept": "application/json"}),
            ]
        )


def _queries():
    lent = {
        **{"authors": LISTED, "subjects": LISTED, "identifiers": [{"scheme": "doi", "value": "A"}]},
        **{"language": "en", "published": "1815", "description": "one two three"},
    }
    records = [
        {**dict.fromkeys(FIELDS), **lent, "id": number, "title": title}
        | {"isbn": ISBNS[number % 40], "publisher": LISTED[number % 9], "series": LISTED[3]}
        for number, title in enumerate(TEXTS[:300], 1)
    ]
    return [query for asked in queries.generate(records).values() for query in asked]


QUERIES = _queries()
