"""What is asked of the service: each work is a cycle of requests, sent in turn over and over."""

import json
import random
from collections.abc import Callable
from itertools import cycle
from typing import NamedTuple
from urllib.parse import urlencode

from . import books

JSON, XML = "application/json", "application/xml"
LIMIT = 20
VARIETY = 2000  # different requests of a work, at most
COLD_PAGES = 50
CREATED = 200  # different books that are created again and again, each time with another ISBN
SHARES = {"one": 60, "list": 25, "filter": 7, "search": 3, "create": 5}  # of the mix, in percent


class Catalogue(NamedTuple):
    """What the requests are about: how many books there are; `cookie` signs in where that is
    needed."""

    books: int
    cookie: Callable[[], str]

    def pages(self) -> int:
        return -(-self.books // LIMIT)


class Work(NamedTuple):
    """`requests` makes the cycle; `settings` are those of the service that is asked."""

    requests: Callable[[Catalogue], list[str]]
    settings: dict[str, str] = {}


def request(method: str, path: str, *headers: str, body: str = "") -> str:
    """A whole request, the same for every server: its Host has no port."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", body])


def get_list(accept: str = JSON, **parameters: str | int) -> str:
    """The request for a list."""
    return request("GET", f"/books?{urlencode(parameters)}", f"Accept: {accept}")


def _ones(catalogue: Catalogue) -> list[str]:
    step = -(-catalogue.books // VARIETY)
    return [
        request("GET", f"/books/{number}", f"Accept: {JSON}")
        for number in range(1, catalogue.books + 1, step)
    ]


def _filters(catalogue: Catalogue) -> list[str]:
    return [
        get_list(author=name, sort="title") for name in books.authors(catalogue.books)[:VARIETY]
    ]


def _cold(accept: str) -> Work:
    def requests(catalogue: Catalogue) -> list[str]:
        return [
            get_list(accept, limit=LIMIT, page=page)
            for page in range(1, min(COLD_PAGES, catalogue.pages()) + 1)
        ]

    return Work(requests, {"ANSWER_CACHE_BYTES": "0"})


def _creates(catalogue: Catalogue) -> list[str]:
    cookie = catalogue.cookie()
    bodies = [json.dumps({**book, "isbn": books.ISBN}) for book in books.generate(CREATED)]
    return [
        request(
            "POST",
            "/books",
            f"Accept: {JSON}",
            f"Content-Type: {JSON}",
            f"Content-Length: {len(body)}",
            f"Cookie: {cookie}",
            body=body,
        )
        for body in bodies
    ]


def _mix(catalogue: Catalogue) -> list[str]:
    """Works in the order of one shuffled hundred, again and again, each with its own cycle."""
    order = [name for name, share in SHARES.items() for _ in range(share)]
    random.Random(books.SEED).shuffle(order)  # noqa: S311 # to be the same each time
    cycles = {name: cycle(WORKS[name].requests(catalogue)) for name in SHARES}
    return [next(cycles[name]) for name in order * (VARIETY // len(order))]


# Reads before what changes the catalogue.
WORKS = {
    "list": Work(lambda catalogue: [get_list(limit=LIMIT)]),
    "xml": Work(lambda catalogue: [get_list(XML, limit=LIMIT)]),
    "page100": Work(lambda catalogue: [get_list(limit=100)]),
    "one": Work(_ones),
    "deep": Work(lambda catalogue: [get_list(limit=LIMIT, page=catalogue.pages())]),
    "filter": Work(_filters),
    "search": Work(lambda catalogue: [get_list(q=word, limit=LIMIT) for word in books.RARE_WORDS]),
    "cold-list": _cold(JSON),
    "cold-xml": _cold(XML),
    "mix": Work(_mix),
    "create": Work(_creates),
}
