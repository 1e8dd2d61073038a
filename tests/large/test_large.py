"""A hundred thousand books on SQLite: pages, searches and facets compared with plain Python."""

import itertools
import random
import re
from collections import Counter
from contextlib import closing
from urllib.parse import urlencode

import pytest
from sqlalchemy import event

from bookapi import create_app
from bookapi.books.fields import dates
from bookapi.books.queries.listing import FACETS
from bookapi.db import db
from bookapi.db.sqlite import sqlite3
from bookapi.text import key, stands_alone, words
from helpers.instance import SECRET, settings
from helpers.known_texts import by_script, isbns_of, script, texts_of, valid_isbn
from helpers.large import BOOKS, CONDITIONS, GUTENBERG, IDS, MADE, SEED, Library, reported, year_of
from helpers.nasty_books import LONG, NASTY
from helpers.support import sqlite_url

pytestmark = pytest.mark.large

COMMONEST = 20
STEPS = 100  # instructions of SQLite's machine between two calls of a progress handler
# instructions: a walk through the index of a hundred thousand books takes several times as many
LITTLE = 10_000


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The hundred thousand books, in an instance of their own."""
    folder = tmp_path_factory.mktemp("large")
    app = create_app(settings(folder, DATABASE_URL=sqlite_url(folder), SECRET_KEY=SECRET))
    yield Library(app, folder)
    with app.app_context():
        db.engine.dispose()


# -- plain Python's order and choice -----------------------------------------------------

KEYS = {
    "id": lambda book: book["id"],
    "title": lambda book: key(book["title"]),
    "author": lambda book: key(book["authors"][0]) if book["authors"] else None,
    "published": lambda book: dates.sort_key(book["published"]) if book["published"] else None,
    "created_at": lambda book: book["created_at"],
    "updated_at": lambda book: book["updated_at"],
}


def ordered(records, sort):
    """The ids in the order of a sort: nulls last, ties by id."""
    books = sorted(records, key=KEYS["id"])
    for name in reversed(sort.split(",")):  # each sort keeps the order of what is equal to it
        value = KEYS[name.lstrip("-")]
        known = [book for book in books if value(book) is not None]
        known.sort(key=value, reverse=name.startswith("-"))
        books = known + [book for book in books if value(book) is None]
    return [book["id"] for book in books]


# -- pages and cursors -------------------------------------------------------------------


def test_every_valid_record_is_imported_once(library):
    ids = [book["id"] for book in library.records]
    assert len(ids) == len(set(ids)) == library.get("/books", limit=1)["total"] == BOOKS
    nasty = len(NASTY) + len(LONG)
    assert [report.splitlines()[-1] for report in library.reports] == [
        f"{MADE} read, {MADE - 1} created, 0 updated, 0 unchanged, 1 rejected",
        f"{GUTENBERG} read, {GUTENBERG} created, 0 updated, 0 unchanged, 0 rejected",
        f"{nasty} read, {nasty} created, 0 updated, 0 unchanged, 0 rejected",
    ]


@pytest.mark.parametrize("sort", ["id", "title", "author", "-published", "updated_at"])
def test_pages_and_cursors_cover_the_list_without_gaps_or_repeats(library, sort):
    expected = ordered(library.records, sort)
    assert library.by_pages(sort=sort) == expected
    assert library.by_cursor(sort=sort) == expected


@pytest.mark.parametrize(
    "sort",
    [
        "-id",
        "-title",
        "title,-id",
        "-author",
        "published",
        "author,-title",
        "-published,title",
        "published,author,-id",
        "-created_at",
        "-author,published,-title",
    ],
)
def test_any_page_has_the_books_of_its_position(library, sort):
    expected = ordered(library.records, sort)
    last = -(-BOOKS // 100)
    shown = {
        page: [
            book["id"] for book in library.get("/books", sort=sort, limit=100, page=page)["books"]
        ]
        for page in (1, 2, *range(97, last, 97), last - 1, last, last + 1)
    }
    assert shown == {page: expected[100 * page - 100 : 100 * page] for page in shown}


@pytest.mark.parametrize("sort", ["author,-title", "-published,title", "title,-author,-id"])
@pytest.mark.parametrize("parameters, is_meant", CONDITIONS[1:], ids=IDS[1:])
def test_a_filtered_list_is_sorted_by_several_keys(library, parameters, is_meant, sort):
    expected = ordered(filter(is_meant, library.records), sort)[:2000]
    if len(expected) < 2000:
        assert library.by_pages(sort=sort, **parameters) == expected
        assert library.by_cursor(sort=sort, **parameters) == expected
    else:
        assert library.found(sort=sort, **parameters)[:2000] == expected


# -- searches ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(library):
    """Two hundred words of the catalogue: common, rare, anything between, and in other scripts than
    Latin.
    """
    text, chance = library.text, random.Random(SEED)
    plain = [word for word in text.vocabulary if not valid_isbn(word)]
    by_number = sorted(plain, key=lambda word: (-len(text.books[word]), word))
    rare = [word for word in plain if len(text.books[word]) == 1]
    scripts = by_script(word for word in plain if not word.isascii())
    chosen = [*by_number[:40], *chance.sample(rare, 40), *chance.sample(plain, 60)]
    turns = itertools.cycle(scripts)
    while len(chosen) < 200:
        chosen.append(chance.choice(scripts[next(turns)]))
    return chosen


def unlike(library, expected):
    """The searches that find other books than they should, with what is too much and what is
    missing.
    """
    wrong = {}
    for query, books in expected.items():
        found = library.found(q=query, sort="id")
        if found != sorted(books):
            wrong[query] = {
                "too much": sorted({*found} - books)[:5],
                "missing": sorted(books - {*found})[:5],
            }
    return wrong


def test_a_word_finds_exactly_the_books_that_contain_it(library, drawn):
    assert len({*map(script, drawn)}) > 8
    assert unlike(library, {word: library.text.word(word) for word in drawn}) == {}


def test_long_words_with_a_common_prefix_are_distinguished(library):
    plain = [word for word in library.text.vocabulary if not valid_isbn(word)]
    longest = [
        sorted((word for word in plain if word.isascii() == ascii), key=len)[-60:]
        for ascii in (True, False)
    ]
    assert (
        unlike(library, {word: library.text.word(word) for word in itertools.chain(*longest)}) == {}
    )


def test_a_prefix_finds_exactly_the_books_with_such_a_word(library, drawn):
    beginnings = {
        word[: max(1, len(word) - 1 - at % 3)]
        for at, word in enumerate(drawn)
        if not stands_alone(word)
    }
    assert (
        unlike(library, {f"{part}*": library.text.beginning(part) for part in sorted(beginnings)})
        == {}
    )


def test_a_phrase_finds_exactly_the_books_that_contain_it(library):
    chance, phrases = random.Random(SEED), {}
    while len(phrases) < 200:
        parts = chance.choice(texts_of(chance.choice(library.records))).replace('"', " ").split()
        start = chance.randrange(len(parts))
        piece = " ".join(parts[start : start + chance.randint(2, 4)])
        if len(words(piece)) > 1:
            phrases[f'"{piece}"'] = library.text.phrase(words(piece))
    assert unlike(library, phrases) == {}


def test_all_words_are_required_and_excluded_words_are_absent(library, drawn):
    text, some = library.text, drawn[:40]
    pairs = list(zip(some, some[1:], strict=False))
    assert (
        unlike(
            library, {f"{one} {other}": text.word(one) & text.word(other) for one, other in pairs}
        )
        == {}
    )
    assert (
        unlike(
            library, {f"{one} -{other}": text.word(one) - text.word(other) for one, other in pairs}
        )
        == {}
    )


def test_the_total_of_a_search_is_the_number_of_books_that_it_finds(library, drawn):
    totals = {word: library.get("/books", q=word, limit=1)["total"] for word in drawn}
    assert totals == {word: len(library.text.word(word)) for word in drawn}


@pytest.mark.parametrize("query", ["shakespeare", "histoire", "日本", "1812"])
def test_a_search_is_paged_whole_by_page_and_by_cursor(library, query):
    paged = library.by_pages(q=query)
    assert paged == library.by_cursor(q=query) == library.found(q=query)
    assert sorted(paged) == sorted(library.text.phrase(words(query)))


# -- facets and totals -------------------------------------------------------------------


def _decade(book):
    if not book["published"]:
        return []
    year = year_of(book) // 10 * 10
    return [f"-{-year:04d}" if year < 0 else f"{year:04d}"]


VALUES = {
    "author": lambda book: book["authors"],
    "subject": lambda book: book["subjects"],
    "publisher": lambda book: [book["publisher"]],
    "series": lambda book: [book["series"]],
    "location": lambda book: [book.get("location")],
    "language": lambda book: [book["language"]],
    "decade": _decade,
}


def counted(name, books):
    """How many of the books have each value, by what is compared of it; the commonest first."""
    same = (lambda value: value) if name in ("language", "decade") else key
    counts = Counter(
        value for book in books for value in {same(value) for value in VALUES[name](book) if value}
    )
    order = (lambda value: int(value)) if name == "decade" else (lambda value: value)
    return sorted(counts.items(), key=lambda pair: (-pair[1], order(pair[0])))


@pytest.mark.parametrize("parameters, is_meant", CONDITIONS, ids=IDS)
def test_facets_and_totals_agree_with_plain_python(library, parameters, is_meant):
    books = list(filter(is_meant, library.records))
    answer = library.get("/books", facets=",".join(FACETS), limit=1, fields="id", **parameters)
    assert answer["total"] == len(books)
    assert {name: reported(name, counts) for name, counts in answer["facets"].items()} == {
        name: counted(name, books)[:COMMONEST] for name in FACETS
    }


@pytest.mark.parametrize("query", ["of", "shakespeare", "日本"])
def test_facets_of_a_search_count_the_books_it_finds(library, query):
    found = library.text.phrase(words(query))
    books = [book for book in library.records if book["id"] in found]
    answer = library.get("/books", q=query, facets=",".join(FACETS), limit=1, fields="id")
    assert {name: reported(name, counts) for name, counts in answer["facets"].items()} == {
        name: counted(name, books)[:COMMONEST] for name in FACETS
    }


@pytest.mark.parametrize("name", ["author", "publisher", "language"])
def test_term_lists_show_every_value_with_its_number_of_books(library, name):
    by_count = counted(name, library.records)
    by_value = sorted(by_count)
    last = -(-len(by_count) // 100)
    for sort, expected in (("value", by_value), ("-count", by_count), ("-value", by_value[::-1])):
        for page in (1, 2, last // 2 or 1, last):
            answer = library.get(f"/books/{name}s", sort=sort, limit=100, page=page)
            assert reported(name, answer["terms"]) == expected[100 * page - 100 : 100 * page], (
                sort,
                page,
            )
            assert answer["total"] == len(by_count)


# -- what it costs -----------------------------------------------------------------------


class Watch:
    """The same catalogue behind an application whose connections tell what SQLite does."""

    def __init__(self, app):
        self.client, self.steps, self.statements = app.test_client(), 0, []
        with app.app_context():
            event.listen(db.engine, "connect", self._begin)

    def _begin(self, connection, _):
        connection.set_progress_handler(self._more, STEPS)
        connection.set_trace_callback(self.statements.append)

    def _more(self):
        self.steps += STEPS

    def get(self, address, **parameters):
        """The answer, and how many steps of SQLite's machine it took."""
        before = self.steps
        answer = self.client.get(address, query_string=parameters or None)
        assert answer.status_code == 200, (address, parameters, answer.get_data())
        return answer, self.steps - before


@pytest.fixture(scope="module")
def watch(library):
    """What SQLite does for an answer."""
    app = create_app(
        settings(library.folder, DATABASE_URL=sqlite_url(library.folder), SECRET_KEY=SECRET)
    )
    yield Watch(app)
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    "parameters", [{}, {"language": "fr"}, {"q": "of"}, {"q": "-of"}], ids=urlencode
)
@pytest.mark.parametrize(
    "sort", ["id", "title", "-title", "author", "-published", "updated_at", "author,-title"]
)
def test_the_last_page_costs_little_more_than_the_first(watch, parameters, sort):
    asked = {"sort": sort, "fields": "id", **parameters}
    total = watch.get("/books", limit=99, **asked)[0].json["total"]  # counted once, for all pages
    first, last = (
        watch.get("/books", limit=100, page=page, **asked)[1] for page in (1, -(-total // 100))
    )
    assert last <= 3 * first + 2 * LITTLE


ANY = [{}, {"language": "fr"}, {"q": "of"}, {"updated_since": "2000-01-01T00:00:00Z"}]


@pytest.mark.parametrize("parameters", ANY, ids=urlencode)
@pytest.mark.parametrize("sort", ["id", "-title", "author", "-published", "updated_at"])
def test_a_cursor_page_costs_little_more_than_the_first(watch, parameters, sort):
    answer, first = watch.get("/books", sort=sort, limit=100, fields="id", cursor="*", **parameters)
    costs = []
    for _ in range(20):
        answer, cost = watch.get(answer.json["links"]["next"])
        costs.append(cost)
    assert (
        max(costs) <= 3 * first + 2 * BOOKS
    )  # the books of one year have no order but by id: they are sorted


def _rare(values):
    """The first value that few books have."""
    counts = Counter(values)
    return next(value for value in counts if value and counts[value] <= 5)


FEW = {
    "nobody": lambda books, text: {"author": "nobody at all"},
    "title": lambda books, text: {"title": _rare(book["title"] for book in books)},
    "author": lambda books, text: {
        "author": _rare(name for book in books for name in book["authors"])
    },
    "publisher": lambda books, text: {"publisher": _rare(book["publisher"] for book in books)},
    "series": lambda books, text: {"series": _rare(book["series"] for book in books)},
    "isbn": lambda books, text: {"isbn": _rare(book["isbn"] for book in books)},
    "further isbn": lambda books, text: {
        "isbn": _rare(n for book in books for n in isbns_of(book)[1:])
    },
    "identifier": lambda books, text: {
        "identifier": f"isbn:{_rare(n for book in books for n in isbns_of(book)[1:])}"
    },
    "language": lambda books, text: {"language": _rare(book["language"] for book in books)},
    "published": lambda books, text: dict.fromkeys(
        ("published_from", "published_to"), str(_rare(map(year_of, books)))
    ),
    "updated_since": lambda books, text: {"updated_since": books[-5]["updated_at"]},
    "q": lambda books, text: {
        "q": next(word for word in text.vocabulary[5000:] if len(text.word(word)) == 2)
    },
}


@pytest.mark.parametrize("way", [{"page": 1}, {"cursor": "*"}], ids=["page", "cursor"])
@pytest.mark.parametrize("kind", FEW)
def test_a_query_for_few_books_costs_little_in_every_sort(library, watch, kind, way):
    parameters = FEW[kind](library.records, library.text)
    reported = {
        sort: watch.get("/books", sort=sort, fields="id", **parameters, **way)
        for sort in (
            "id",
            "-id",
            "title",
            "-title",
            "author",
            "-published",
            "updated_at",
            "author,-title",
        )
    }
    assert {answer.json["total"] for answer, _ in reported.values()} <= {*range(6)}
    assert {sort: cost for sort, (_, cost) in reported.items() if cost > LITTLE} == {}


def walks(library, statements):
    """What of the plans of these statements is a walk through the table of books."""
    with closing(sqlite3.connect(library.folder / "bookapi.sqlite")) as connection:
        plans = [
            detail
            for statement in dict.fromkeys(statements)
            if statement.startswith("SELECT")
            for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    assert plans
    return [detail for detail in plans if re.match(r"SCAN books\b", detail)]


@pytest.mark.parametrize("kind", FEW)
def test_no_list_of_few_books_scans_the_books_table(library, watch, kind):
    parameters = FEW[kind](library.records, library.text)
    watch.statements.clear()
    for sort in ("id", "-title", "author", "published,title"):
        for way in ({"page": 1}, {"cursor": "*"}, {"facets": "language,author"}):
            watch.get("/books", sort=sort, limit=3, **parameters, **way)
        watch.get("/books/export", sort=sort, **parameters)[0].get_data()
    assert walks(library, watch.statements) == []


@pytest.mark.parametrize(
    "address",
    [
        "/books?limit=3",
        "/books?limit=3&sort=-title",
        "/books?limit=3&sort=author,-title",
        "/books?limit=3&cursor=*",
        "/books?limit=3&page=900&sort=-published",
        "/books?limit=3&q=of",
        "/books?limit=3&q=-of",
        "/books?limit=3&q=sha*",
        "/books?limit=3&language=en",
        "/books?limit=3&published_from=1900&sort=title",
        "/books?limit=3&q=of&language=fr",
        "/books?limit=3&facets=author",
        "/books?limit=3&facets=language",
        "/books?limit=3&facets=decade,publisher,series",
        "/books/authors?sort=-count",
        "/books/publishers",
        "/books/languages",
        "/books/subjects",
        "/books/7",
        "/books/isbn/9780141439587",
        "/books/export?language=xh",
        "/books/export?language=xh&sort=-title",
    ],
)
def test_no_query_scans_the_books_table(library, watch, address):
    watch.statements.clear()
    answer = watch.client.get(address)
    assert answer.status_code in (200, 404) and answer.get_data()
    assert walks(library, watch.statements) == []
