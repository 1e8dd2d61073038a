"""Lists paged by cursor. docs/api.md, Sorting and pages."""

import base64
import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from bookapi.books import changes
from bookapi.books.models import Book
from bookapi.books.queries import pages
from bookapi.books.schemas import book_schema
from bookapi.db import db, search
from bookapi.text import fold
from helpers.database import set_looking_costs
from helpers.documents import faults, ids, read
from helpers.inventions import bounded

# Ties and nulls in every field that is sorted by; what sorts by code points alone, and keys that
# are cut.
TITLES = [
    "Emma",
    "emma",
    "ÉMMA",
    "Zorba",
    "",
    "?",
    "'",
    "a b",
    "a  B",
    "ab",
    "日本",
    "ß",
    "ss",
    "\U0001f4da",
    "\ue000",
    "Łódź",
    "x" * 1999 + "a",
    "x" * 1999 + "b",
    "x" * 1999 + "A",
    "x" * 600,
]
AUTHORS = [[], ["Austen"], ["austen", "Zola"], ["Zola"], ["é"], ["E", "A"], ["日本"]]
YEARS = [None, "1815", "1815-12", "1815-12-23", "-0720", "-0720-03", "0000", "0001", "9999", None]
BOOKS = [
    {
        "title": TITLES[number % len(TITLES)] or "the same",
        "authors": AUTHORS[number % len(AUTHORS)],
        "published": YEARS[(number * 7) % len(YEARS)],
        "description": "common",
        "language": ("en", "fr")[number % 2],
        "subtitle": "austen" if number % 5 == 0 else None,
        "publisher": "rare" if number % 4 == 0 else None,
    }
    for number in range(43)
]
EPOCH = datetime(2024, 1, 1, 12, tzinfo=UTC)
SINGLE = ("id", "title", "author", "published", "created_at", "updated_at")
SEVERAL = (
    "author,title",
    "-author,published",
    "published,author",
    "-published,-author,title",
    "title,-published,author",
    "title,author,-updated_at",
    "created_at,author,-id",
    "updated_at,-published",
    "author,published,title,created_at",
    "-title,-author,-published,-created_at,-updated_at,-id",
    "title,-id",
    "id,title",
)
SORTS = [*SINGLE, *[f"-{name}" for name in SINGLE], *SEVERAL]
RANKED = (
    "-relevance",
    "relevance",
    "-relevance,title",
    "relevance,-author",
    "author,-relevance",
    "-published,relevance",
    "-relevance,-id",
    "title,relevance",
    "relevance,published,author",
)


def store(app, *records):
    """Books as they are created over HTTP, in one transaction; their instants are alike in
    threes.
    """

    def create(session):
        for record in records:
            made = changes.create(session, book_schema.load(record))
            at = EPOCH + timedelta(microseconds=made["id"] // 3 * 500_000)
            session.execute(
                update(Book)
                .where(Book.id == made["id"])
                .values(created_at=at, updated_at=at + timedelta(days=made["id"] % 2))
            )

    with app.app_context():
        db.write(create)


@pytest.fixture
def shelf(app, admin):
    """An admin's client of the catalogue above."""
    store(app, *BOOKS)
    return admin


def parameters(address):
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def cursor_of(answer):
    following = answer.json["links"].get("next")
    return following and parameters(following)["cursor"]


def walked(client, limit=5, most=60, **query):
    """The ids from the beginning to the end, page by page; a complaint where there is no end."""
    seen, cursor = [], "*"
    for _ in range(most):
        answer = client.get("/books", query_string={**query, "limit": limit, "cursor": cursor})
        seen.append(ids(answer))
        cursor = cursor_of(answer)
        if cursor is None:
            assert all(len(page) == limit for page in seen[:-1]) and len(seen[-1]) <= limit
            return [number for page in seen for number in page]
    return f"no end after {most} pages: {seen[:8]}"


KEYS = {
    "id": lambda book: book["id"],
    "title": lambda book: fold(book["title"]),
    "author": lambda book: fold(book["authors"][0]) if book["authors"] else None,
    "created_at": lambda book: book["created_at"],
    "updated_at": lambda book: book["updated_at"],
    "published": lambda book: _date(book["published"]) if book["published"] else None,
}


def _date(text):
    year, *rest = re.fullmatch(r"(-?\d+)(?:-(\d+))?(?:-(\d+))?", text).groups()
    return int(year), *[int(part or 0) for part in rest]


def in_order(books, sort):
    """The ids in the documented order: nulls last, ties by id, each in either direction."""
    books = sorted(books, key=KEYS["id"])
    for name in reversed(sort.split(",")):
        key = KEYS[name.removeprefix("-")]
        present = [book for book in books if key(book) is not None]
        books = sorted(present, key=key, reverse=name.startswith("-")) + [
            book for book in books if key(book) is None
        ]
    return [book["id"] for book in books]


# Texts of the full length end in a digest: which of them comes first is nobody's business.
def alike(found, books):
    """The ids with those of cut keys as one."""
    cut = {book["id"] for book in books if len(book["title"]) >= 700}
    return [0 if number in cut else number for number in found]


# -- from the beginning to the end -----------------------------------------------------


@pytest.mark.parametrize(
    "sorts", [SORTS[:8], SORTS[8:16], SORTS[16:]], ids=["some", "more", "most"]
)
def test_a_cursor_shows_every_book_once_in_the_order_of_the_pages(shelf, sorts):
    books = shelf.get("/books?limit=100").json["books"]
    for sort in sorts:
        pages = []
        for page in range(1, 6):
            pages += ids(shelf.get(f"/books?sort={sort}&limit=10&page={page}"))
        assert walked(shelf, sort=sort) == pages, sort
        assert alike(pages, books) == alike(in_order(books, sort), books), sort


def test_any_limit_gives_the_same_list(shelf):
    for limit, sort in itertools.product(
        (1, 2, 42, 43, 44, 100), ("author", "-published,title", "-id")
    ):
        assert walked(shelf, limit=limit, sort=sort) == ids(
            shelf.get(f"/books?sort={sort}&limit=100")
        ), (limit, sort)


# The last of these look for nothing in particular: every book that they find is as relevant as any
# other.
@pytest.mark.parametrize(
    "q", ["common", "austen", "aust* common", "common -rare", "emma", "-rare", "-rare -austen", "!"]
)
def test_a_search_can_be_continued_by_cursor_in_every_order(shelf, q):
    lost = []
    for sort in (*RANKED, "title", "-author", "published"):
        whole = ids(shelf.get("/books", query_string={"q": q, "sort": sort, "limit": 100}))
        assert len(whole) > 1 or q == "!"
        if walked(shelf, limit=4, q=q, sort=sort) != whole:
            lost.append(sort)
    assert lost == []


def test_a_search_begins_with_the_most_relevant(shelf):
    whole = ids(shelf.get("/books?q=austen&limit=100"))
    assert walked(shelf, limit=3, q="austen") == whole != sorted(whole)


def test_a_filtered_list_can_be_continued_by_cursor(shelf):
    for query in (
        {"language": "fr"},
        {"author": "zola", "sort": "-title"},
        {"published_to": "0", "sort": "-published"},
        {"publisher": "rare", "sort": "author,-title"},
        {"updated_since": "2024-01-02T00:00:00Z"},
    ):
        whole = ids(shelf.get("/books", query_string={**query, "limit": 100}))
        assert len(whole) > 4 and walked(shelf, limit=3, **query) == whole, query


def test_a_cursor_of_the_trash_goes_through_the_trash(shelf):
    for number in range(1, 42, 2):
        shelf.delete(f"/books/{number}")
    for sort in ("id", "-author", "updated_at"):
        assert sorted(walked(shelf, limit=4, state="deleted", sort=sort)) == list(range(1, 42, 2))
    assert set(walked(shelf, sort="-author")) == set(range(1, 44)) - set(range(1, 42, 2))


def test_an_empty_list_has_no_next_cursor(client):
    answer = client.get("/books?cursor=*&sort=author")
    assert (ids(answer), answer.json["total"], set(answer.json["links"])) == (
        [],
        0,
        {"self", "first"},
    )


# -- while the catalogue changes -------------------------------------------------------


@pytest.mark.parametrize(
    "sort",
    [
        "id",
        "-id",
        "title",
        "-title",
        "author",
        "-author",
        "published",
        "-published",
        "-created_at",
        "author,-title",
    ],
)
def test_cursors_neither_repeat_nor_skip_books_during_changes(shelf, sort):
    before = ids(shelf.get(f"/books?sort={sort}&limit=100"))
    first = shelf.get(f"/books?sort={sort}&limit=10&cursor=*")
    seen, cursor = ids(first), cursor_of(first)
    gone = {
        seen[0],
        seen[-1],
        before[10],
        before[25],
        before[-1],
    }  # the one the cursor stands on among them
    for number in gone:
        assert shelf.delete(f"/books/{number}").status_code == 204
    new = [
        shelf.post("/books", json={**book, "title": book["title"] + suffix}).json["id"]
        for book in (BOOKS[3], BOOKS[7], BOOKS[14])
        for suffix in ("", "!")
    ]
    while cursor:
        answer = shelf.get(f"/books?sort={sort}&limit=10&cursor={cursor}")
        seen, cursor = seen + ids(answer), cursor_of(answer)
    assert len(seen) == len(set(seen))
    assert [number for number in seen if number not in new] == [
        number for number in before if number not in gone or number in before[:10]
    ]


def test_a_changed_book_appears_at_its_new_position(shelf):
    first = shelf.get("/books?sort=updated_at&limit=40&cursor=*")
    shelf.patch(f"/books/{ids(first)[0]}", json={"pages": 5})
    rest = ids(shelf.get(first.json["links"]["next"]))
    assert rest[-1] == ids(first)[0]
    assert len(rest) == 4


def test_new_books_at_the_end_are_found_by_the_last_cursor(shelf):
    page = shelf.get("/books?limit=42&cursor=*")
    assert ids(shelf.get(page.json["links"]["next"])) == [43]
    store(shelf.application, {"title": "one"}, {"title": "two"})
    assert ids(shelf.get(page.json["links"]["next"])) == [43, 44, 45]


# -- links -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["json", "xml"])
def test_cursor_lists_link_to_first_and_next_only(shelf, name):
    headers = {"Accept": f"application/{name}"}
    answer = shelf.get("/books?language=fr&sort=-title&limit=4&cursor=*", headers=headers)
    links = read(answer)["links"]
    assert list(links) == ["self", "first", "next"]
    then = shelf.get(links["next"], headers=headers)
    assert parameters(read(then)["links"]["first"]) == {
        "language": "fr",
        "sort": "-title",
        "limit": "4",
        "cursor": "*",
    }
    assert parameters(read(then)["links"]["self"])["cursor"] == parameters(links["next"])["cursor"]


@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
def test_the_header_has_the_links_in_every_format(shelf, name):
    answer = shelf.get(f"/books?q=common&limit=4&cursor=*&fields=title&format={name}")
    links = {
        relation: parameters(address)
        for address, relation in re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers["Link"])
    }
    assert set(links) == {"first", "next"}
    assert (
        ids(shelf.get("/books", query_string={**links["next"], "format": "json"}))
        == walked(shelf, q="common")[4:8]
    )


def test_json_and_xml_have_the_same_cursors_and_totals(shelf):
    pages = [
        read(shelf.get(f"/books?sort=-author,title&limit=7&cursor=*&format={name}"))
        for name in ("json", "xml")
    ]
    assert [str(page["total"]) for page in pages] == ["43", "43"]
    cursors = [parameters(page["links"]["next"])["cursor"] for page in pages]
    assert cursors[0] == cursors[1] and re.fullmatch("[A-Za-z0-9_-]+", cursors[0])


def test_the_last_page_has_no_next_even_if_it_is_full(shelf):
    page = shelf.get("/books?limit=43&cursor=*")
    assert len(ids(page)) == 43
    assert "next" not in page.json["links"] and 'rel="next"' not in page.headers["Link"]


def test_an_export_rejects_a_cursor(client):
    assert faults(client.get("/books/export?cursor=*")) == ["cursor"]


# -- what is refused -------------------------------------------------------------------


# -- pages are found in other ways than what is behind a cursor --------------------------


def by_pages(client, **query):
    """The ids of all pages of three books."""
    pages = [client.get("/books", query_string={**query, "limit": 3, "page": at}) for at in SOME]
    return [number for page in pages for number in ids(page)]


SOME = range(1, 17)  # more than there are
SEVERAL = ["author,title", "-author,title", "author,-title", "-published,author", "title,-author"]


@pytest.mark.parametrize("sort", [*SEVERAL, "author,-published,-id", "-published,-title,-id"])
def test_pages_by_several_keys_are_those_of_a_cursor(shelf, sort):
    assert (
        by_pages(shelf, sort=sort) == walked(shelf, sort=sort) == walked(shelf, limit=3, sort=sort)
    )


@pytest.mark.parametrize("sort", ["id", "-id", "title", "-title", "-author", "published", "author"])
@pytest.mark.parametrize(
    "query",
    [
        {"language": "en"},
        {"author": ["austen", "zola"]},
        {"publisher": "rare", "language": "fr"},
        {"published_from": "0"},
        {"q": "common"},
        {"q": "common -rare", "language": "en"},
        {"q": "comm* -rar*"},
        {"q": "-rare"},
    ],
    ids=str,
)
def test_pages_found_by_walking_an_index_are_those_of_a_cursor(shelf, query, sort, monkeypatch):
    expected = walked(shelf, sort=sort, **query)
    monkeypatch.setattr(pages, "WALKED_ROWS", 1)
    set_looking_costs(monkeypatch, 0)
    assert by_pages(shelf, sort=sort, **query) == expected
    assert walked(shelf, limit=3, sort=sort, **query) == expected


@pytest.mark.parametrize("query", ["common", "austen", "austen common -rare", "aust*"])
def test_pages_by_relevance_are_those_of_a_cursor(shelf, query):
    assert by_pages(shelf, q=query) == walked(shelf, q=query)


@pytest.mark.parametrize(
    "query", ["common", "austen", "common -rare", "aust* -rare", '"common words" austen', "é*"]
)
def test_books_whose_words_are_looked_at_are_those_of_the_search(shelf, query, monkeypatch):
    expected, looked = walked(shelf, q=query), []

    def finder(match, level):
        looked.append(level)
        return search.finder(match, level)

    monkeypatch.setattr(pages, "finder", finder)
    set_looking_costs(monkeypatch, 0)
    monkeypatch.setattr(pages, "_ends_early", lambda match: False)
    assert by_pages(shelf, q=query) == walked(shelf, limit=3, q=query) == expected
    assert {*looked} == ({"t", "h", "a"} if expected else set())


def made(sort, values):
    return base64.urlsafe_b64encode(json.dumps([sort, values]).encode()).rstrip(b"=").decode()


def values_in(cursor):
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


NOT_OURS = [
    "",
    " ",
    "**",
    "*x",
    "x",
    "0",
    "1",
    "next",
    "=",
    "====",
    "é",
    "\0",
    "AAAA",
    "%",
    "a b",
    "W10",
    "e30",
    "bnVsbA",
    "W" * 9000,
    "=" * 100,
    "W10=",
    "😀",
    made("id", []),
    made("id", [1, 2]),
    made("id", [None]),
    made("id", ["1"]),
    made("id", [1.0]),
    made("id", [True]),
    made("id", [2**63]),
    made("id", [-(2**63) - 1]),
    made("id", [[1]]),
    made("id", [{}]),
    made("id", 1),
    made("id", {"id": 1}),
    made("title,id", ["a", 1]),
    made("-id", [1]),
    made("", [1]),
    made(["id"], [1]),
    made("id,id", [1, 1]),
    made("nonsense", [1]),
    base64.urlsafe_b64encode(b"[" * 2000).decode(),
    base64.urlsafe_b64encode(b'["id",[NaN]]').decode(),
    base64.urlsafe_b64encode(b'["id",[1e400]]').decode(),
    base64.urlsafe_b64encode(b'["id",[1],2]').decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b'["id",[' + b"9" * 4000 + b"]]").decode(),
]


@pytest.mark.parametrize("name", ["json", "xml"])
def test_an_invalid_cursor_is_a_400_that_names_the_parameter(client, name):
    reported = {
        cursor[:50]: client.get("/books", query_string={"cursor": cursor, "format": name})
        for cursor in NOT_OURS
    }
    assert {
        cursor: answer.status_code
        for cursor, answer in reported.items()
        if answer.status_code != 400
    } == {}
    assert {cursor: faults(answer) for cursor, answer in reported.items()} == dict.fromkeys(
        reported, ["cursor"]
    )


UNFIT = {
    "title": [
        [None, 1],
        [1, 1],
        ["a", None],
        ["a", "1"],
        ["a"],
        ["a", 1, 1],
        [["a"], 1],
        [True, 1],
    ],
    "author": [[1, 1], ["a", None], [False, 1], [None, None]],
    "published": [["1815", 1], [18150000.0, 1], [None, None], [2**63, 1]],
    "created_at": [
        [None, 1],
        [0, 1],
        ["", 1],
        ["now", 1],
        ["2024-01-01", 1],
        ["2024-01-01T00:00:00Z", 1],
        ["2024-13-01T00:00:00.000000Z", 1],
        ["2024-01-01 00:00:00.000000Z", 1],
        ["2024-01-01T25:00:00.000000Z", 1],
        ["2024-02-30T00:00:00.000000Z", 1],
        ["٢٠٢٤-01-01T00:00:00.000000Z", 1],
        ["2024-01-01T00:0٠:00.000000Z", 1],
    ],
}


def test_a_cursor_with_impossible_values_is_rejected(client):
    reported = {
        f"{sort} {values}": client.get(
            "/books", query_string={"sort": sort, "cursor": made(f"{sort},id", values)}
        )
        for sort, all_values in UNFIT.items()
        for values in all_values
    }
    assert {
        what: answer.status_code for what, answer in reported.items() if answer.status_code != 400
    } == {}
    assert {fault for answer in reported.values() for fault in faults(answer)} == {"cursor"}


def test_a_cursor_is_valid_for_its_own_sort_only(shelf):
    cursors = {sort: cursor_of(shelf.get(f"/books?sort={sort}&limit=5&cursor=*")) for sort in SORTS}
    # Behind `id` nothing is left to be ordered: `title` and `title,id` are one order.
    meant = {sort: values_in(cursor)[0] for sort, cursor in cursors.items()}
    for sort, other in itertools.product(SORTS, SORTS):
        answer = shelf.get(
            "/books", query_string={"sort": other, "cursor": cursors[sort], "limit": 1}
        )
        wanted = (200, []) if meant[other] == meant[sort] else (400, ["cursor"])
        assert (answer.status_code, faults(answer)) == wanted, (sort, other)


@pytest.mark.parametrize(
    "query, named",
    [
        ("cursor=*&page=1", ["cursor"]),
        ("page=2&cursor=*", ["cursor"]),
        ("cursor=x&page=1", ["cursor"]),
        ("cursor=*&cursor=*", ["cursor"]),
        ("cursor=*&page=0", ["page", "cursor"]),
        ("cursor=*&limit=0", ["limit"]),
        ("cursor=*&sort=x", ["sort"]),
        ("cursor=x&sort=x", ["sort", "cursor"]),
        ("Cursor=*", ["Cursor"]),
        ("cursor=*&sort=relevance", ["sort"]),
    ],
)
def test_a_cursor_with_other_invalid_parameters_is_a_400(client, query, named):
    answer = client.get(f"/books?{query}")
    assert (answer.status_code, faults(answer)) == (400, named)


def test_a_cursor_contains_only_the_position(shelf):
    answer = shelf.get("/books?sort=author,-published&limit=5&cursor=*")
    last = answer.json["books"][-1]
    sort, values = values_in(cursor_of(answer))
    assert sort == "author,-published,id"
    assert (values[0], values[-1]) == ("1" + fold(last["authors"][0]), last["id"])


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "2024-01-01T00:00:00.000000Z",
            "0001-01-01T00:00:00.000000Z",
            "9999-12-31T23:59:59.999999Z",
        ]
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
some_sorts = st.sampled_from([*SORTS, "-relevance", "relevance,author", "author,-relevance"])


def refused_or_read(client, sort, cursor):
    query = {
        "sort": sort,
        "cursor": cursor,
        "limit": 3,
        **({"q": "common"} if "relevance" in sort else {}),
    }
    answer = client.get("/books", query_string=query)
    assert answer.status_code in (200, 400), (query, answer.get_data())
    assert answer.status_code == 200 or faults(answer) == ["cursor"]


@bounded
@given(some_sorts, st.data())
def test_any_cursor_is_accepted_or_rejected_with_a_400(shelf, sort, data):
    names = (
        sort.split(",") if "id" in sort.replace("-", "").split(",") else [*sort.split(","), "id"]
    )
    fitting = {
        "title": st.text(max_size=30),
        "author": st.none() | st.text(max_size=30),
        "published": st.none() | st.integers(-(2**63), 2**63 - 1),
        "id": st.integers(-(2**63), 2**63 - 1),
        "relevance": st.integers(-(2**63), 2**63 - 1),
        "created_at": st.datetimes().map(
            lambda at: f"{at.year:04d}-{at:%m-%dT%H:%M:%S}.{at.microsecond:06d}Z"
        ),
    }
    fitting["updated_at"] = fitting["created_at"]
    values = [
        data.draw(fitting[name.removeprefix("-")] if data.draw(st.integers(0, 9)) else anything)
        for name in names
    ]
    refused_or_read(shelf, sort, made(",".join(names), values))


@bounded
@given(some_sorts, st.data())
def test_a_tampered_cursor_is_accepted_or_rejected_with_a_400(shelf, sort, data):
    whole = cursor_of(
        shelf.get(
            "/books",
            query_string={
                "sort": sort,
                "limit": 3,
                "cursor": "*",
                **({"q": "common"} if "relevance" in sort else {}),
            },
        )
    )
    at = data.draw(st.integers(0, len(whole)))
    refused_or_read(
        shelf,
        sort,
        data.draw(
            st.sampled_from(
                [
                    whole[:at],
                    whole[at:],
                    whole[:at] + "A" + whole[at + 1 :],
                    whole[:at] + "-" + whole[at:],
                    whole + "=",
                    whole * 2,
                ]
            )
        ),
    )
