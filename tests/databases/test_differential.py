"""SQLite and MariaDB answer a thousand queries on the same catalogue identically.

DATABASE_URL names the MariaDB; SQLite gets an instance of its own.
"""

import itertools
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from bookapi.books.queries.filters import FILTERS
from bookapi.books.queries.listing import FACETS
from bookapi.books.queries.sorting import SORTS
from bookapi.books.schemas import FIELDS
from bookapi.text import key
from helpers import queries
from helpers.data import CATALOGUES
from helpers.nasty_books import LONG, NASTY, nasty_books
from helpers.support import jsonl_bytes
from helpers.two_databases import two_databases

SHOWN = 5  # differences in a report, and ids or terms in one of them
INSTANTS = ("created_at", "updated_at")  # no two databases are filled in the same microsecond
COMPARED = tuple(name for name in FIELDS if name not in INSTANTS)
TRASHED = (*range(3, 10_000, 701), 10_003, 10_020)
CHANGED = range(5, 10_000, 977)


class Side:
    """One of the two databases, with a client that is signed in as an admin."""

    def __init__(self, name, app, client):
        self.name, self.app, self.client = name, app, client

    def load(self, path):
        """Have the command import a file."""
        result = self.app.test_cli_runner().invoke(args=["books", "import", str(path)])
        assert result.exit_code == 0, result.output
        return result.stdout

    def export(self, **parameters):
        """The lines of an export, of what can be compared."""
        answer = self.client.get(
            "/books/export", query_string={"fields": ",".join(COMPARED), **parameters}
        )
        return answer.get_data().splitlines()

    def answers(self, query, path="/books"):
        """What is told to a query, and to the links that it follows."""
        answers = [self.client.get(query.address(path))]
        for relation in query.follow:
            address = (answers[-1].json.get("links") or {}).get(relation)
            if address is None:
                break
            answers.append(self.client.get(address))
        return [reported(answer) for answer in answers]


def reported(answer):
    """What of an answer is the same on every database."""
    body = answer.json
    for book in body.get("books", []):
        for name in INSTANTS:
            book.pop(name, None)
    links = body.pop("links", {})
    return {
        "status": answer.status_code,
        "ids": [book["id"] for book in body.get("books", [])],
        **body,
        "links": {relation: _parameters(address) for relation, address in links.items()},
    }


def _parameters(address):
    pairs = parse_qsl(urlsplit(address).query, keep_blank_values=True)
    hidden = any(name in dict(pairs).get("sort", "") for name in INSTANTS)
    return [
        (name, "…" if name == "cursor" and hidden and value != "*" else value)
        for name, value in pairs
    ]


class Sides:
    """The two databases, filled alike."""

    def __init__(self, pair, folder):
        self.pair = self.sqlite, self.mariadb = pair
        nasty = folder / "nasty.jsonl"
        nasty.write_bytes(jsonl_bytes(*nasty_books()))
        self.reports = [
            [side.load(CATALOGUES / "loc-10k.jsonl.gz") for side in self.pair],
            [side.load(nasty) for side in self.pair],
        ]
        between = self._records(self.sqlite)[10_000][
            "created_at"
        ]  # both had the first file, neither the second
        for side in self.pair:
            for book_id in TRASHED:
                assert side.client.delete(f"/books/{book_id}").status_code == 204
            for book_id in CHANGED:
                title = f"{NASTY[book_id % len(NASTY)]} again"
                assert (
                    side.client.patch(f"/books/{book_id}", json={"title": title}).status_code == 200
                )
        records = self._records(self.sqlite) + self._records(self.sqlite, state="deleted")
        self.queries = queries.generate(records, [between])

    @staticmethod
    def _records(side, **parameters):
        answer = side.client.get("/books/export", query_string={"format": "jsonl", **parameters})
        return [json.loads(line) for line in answer.get_data().splitlines()]


@pytest.fixture(scope="module")
def sides(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("differential")
    with two_databases(request, folder) as pair:
        yield Sides([Side(*each) for each in pair], folder)


# -- reports ---------------------------------------------------------------------------


def difference(ours, theirs):
    """Where two answers differ, in a few words; None where they do not."""
    for name in {**ours, **theirs}:
        one, other = ours.get(name), theirs.get(name)
        if one == other:
            continue
        if isinstance(one, list) and isinstance(other, list) and name != "errors":
            at = next(
                (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
                min(len(one), len(other)),
            )
            return (
                f"{name} from place {at}: {one[at : at + SHOWN]!r} on SQLite ({len(one)} in all), "
                f"{other[at : at + SHOWN]!r} on MariaDB ({len(other)})"
            )
        if isinstance(one, dict) and isinstance(other, dict):
            return f"{name}: {difference(one, other)}"
        return f"{name}: {one!r} on SQLite, {other!r} on MariaDB"
    return None


def expect_none(differences, asked):
    """Fail with the first few differences, readable."""
    if differences:
        pytest.fail(
            "\n".join([f"{len(differences)} of {asked} differ", *differences[:SHOWN]]),
            pytrace=False,
        )


def compared(sides, asked, path="/books"):
    """A line for each query that the two answer in different ways."""
    for query in asked:
        ours, theirs = (side.answers(query, path) for side in sides.pair)
        for step, (one, other) in enumerate(itertools.zip_longest(ours, theirs, fillvalue={})):
            if found := difference(one, other):
                way = "".join(f" → {relation}" for relation in query.follow[:step])
                yield f"{query.address(path)}{way}\n    {found}"
                break


# -- the comparison --------------------------------------------------------------------


@pytest.mark.two_databases
def test_both_databases_import_the_same_books(sides):
    assert [ours for ours, _ in sides.reports] == [theirs for _, theirs in sides.reports]
    assert {side.client.get("/books?limit=1").json["total"] for side in sides.pair} == {
        10_000 + len(NASTY) + len(LONG) - len(TRASHED)
    }


@pytest.mark.two_databases
@pytest.mark.parametrize("about", queries.NUMBERS)
def test_both_databases_answer_every_query_identically(sides, about):
    asked = sides.queries[about]
    expect_none(list(compared(sides, asked)), len(asked))


@pytest.mark.two_databases
@pytest.mark.parametrize(
    "sort", ["id", "-title", "author,-published", "-published", "-updated_at,title"]
)
def test_both_databases_page_through_the_whole_list_identically(sides, sort):
    ways = [
        queries.Query((("sort", sort), ("limit", "100"), way, ("fields", "id")), ("next",) * 1000)
        for way in (("page", "1"), ("cursor", "*"))
    ]
    expect_none(list(compared(sides, ways)), len(ways))


@pytest.mark.two_databases
@pytest.mark.parametrize("sort", ["title", "-title", "title,-id", "-title,author"])
def test_long_titles_with_a_common_prefix_are_sorted_by_page_and_by_cursor(sides, sort):
    alike = {"publisher": LONG[0][:500], "sort": sort}
    for side in sides.pair:
        books = json.loads(b"".join(side.export(**alike, fields="title")))["books"]
        expected = [
            book["id"]
            for book in sorted(books, key=lambda book: key(book["title"]), reverse=sort[0] == "-")
        ]
        for way in (("page", "1"), ("cursor", "*")):
            walked = side.answers(
                queries.Query((*alike.items(), ("limit", "2"), way), ("next",) * 9)
            )
            assert [book_id for page in walked for book_id in page["ids"]] == expected, (
                side.name,
                way,
            )


@pytest.mark.two_databases
@pytest.mark.parametrize("kind", ["authors", "subjects", "publishers", "languages"])
def test_both_databases_list_the_same_terms_on_every_page(sides, kind):
    address, asked, differences = f"/books/{kind}?limit=100", 0, []
    while address:
        answers = [side.client.get(address) for side in sides.pair]
        if found := difference(*map(reported, answers)):
            differences.append(f"{address}\n    {found}")
        address, asked = answers[0].json["links"].get("next"), asked + 1
    expect_none(differences, asked)


@pytest.mark.two_databases
@pytest.mark.parametrize("sort", ["-value", "count", "-count"])
@pytest.mark.parametrize("kind", ["authors", "subjects", "publishers", "languages"])
def test_both_databases_sort_terms_identically(sides, kind, sort):
    asked = [
        queries.Query((("sort", sort), ("limit", limit), ("page", page)), follow)
        for limit, page, follow in (
            ("100", "1", ("next",)),
            ("7", "60", ()),
            ("100", "1", ("last", "prev")),
        )
    ]
    expect_none(list(compared(sides, asked, f"/books/{kind}")), len(asked))


@pytest.mark.two_databases
@pytest.mark.parametrize(
    "sort", ["id", "-title", "author,-title", "-published,author", "created_at", "-updated_at"]
)
@pytest.mark.parametrize("name", ["jsonl", "xml"])
def test_both_databases_export_the_same_lines(sides, name, sort):
    ours, theirs = [side.export(sort=sort, format=name) for side in sides.pair]
    assert difference({"lines": ours}, {"lines": theirs}) is None
    assert sum(map(len, ours)) > 1_000_000


# -- the queries -----------------------------------------------------------------------


def _records():
    """Books enough to invent queries over."""
    empty = {**dict.fromkeys(FIELDS), "authors": [], "subjects": [], "identifiers": []}
    return [
        {**empty, **book, "id": number, "isbn": None}
        for number, book in enumerate(nasty_books(), 1)
    ] + [{**empty, "id": 0, "title": "Emma", "isbn": "9780141439587"}]


def test_the_1000_generated_queries_are_reproducible():
    records = _records()
    made = queries.generate(records)
    assert made == queries.generate(records) != queries.generate(records, seed=queries.SEED + 1)
    assert sum(len(set(asked)) for asked in made.values()) == 1000


def test_the_generated_queries_use_every_parameter_sort_and_facet():
    given = [
        pair
        for asked in queries.generate(_records()).values()
        for query in asked
        for pair in query.parameters
    ]
    assert {*FILTERS, "q", "sort", "limit", "page", "cursor", "fields", "facets", "state"} <= {
        *dict(given)
    }
    named = {(name, part.lstrip("-")) for name, value in given for part in value.split(",")}
    assert {*(("sort", name) for name in SORTS), *(("facets", name) for name in FACETS)} <= named
