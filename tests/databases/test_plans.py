"""Query plans of lists: indexes, never a table scan for one page."""

import itertools
import re
import shutil
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import text
from werkzeug.datastructures import MultiDict

from bookapi import create_app
from bookapi.books import changes, queries
from bookapi.books.queries import matches, statements
from bookapi.books.schemas import book_schema
from bookapi.db import db, prepared
from bookapi.db.search import expressions
from helpers.database import set_looking_costs
from helpers.instance import DATABASE_URL, settings, wipe
from helpers.support import NO_PRECONDITIONS

TABLES = ("books", "book_authors", "book_subjects", "book_identifiers", "book_words", "terms")
FILTERS = {
    "title": "title=t1",
    "author": "author=a1",
    "publisher": "publisher=p1",
    "subject": "subject=s1",
    "series": "series=r1",
    "isbn": "isbn=9780141439587",
    "language": "language=fr",
    "identifier": "identifier=lccn:3",
    "published_from": "published_from=1995",
    "published_to": "published_to=1805",
    "updated_since": "updated_since=2999-01-01T00:00:00Z",
    "several": "author=a1&author=a2&language=en&published_to=1805",
}
ASCENDING = ("id", "title", "author", "published", "created_at", "updated_at")
DESCENDING = tuple(f"-{name}" for name in ASCENDING)
SEARCHES = ("q=word3", "q=wor*+-word3", 'q="common+word3"')


def _books():
    """Some hundred books: enough for a planner to see what an index is worth."""
    for number in range(300):
        yield {
            "title": f"T{number % 150}",
            "authors": [f"A{number % 40}"] if number % 5 else [],
            "publisher": f"P{number % 30}",
            "subjects": [f"S{number % 50}", f"S{number % 7 + 100}"],
            "series": f"R{number % 60}",
            "language": ("en", "en", "fr", None, "en-GB")[number % 5],
            "published": str(1800 + number % 200) if number % 6 else None,
            "identifiers": [{"scheme": "lccn", "value": str(number)}],
            "description": f"common word{number % 11}",
        }


@pytest.fixture(scope="module")
def catalogue(template, tmp_path_factory):
    """The application with those books, every ninth of them in the trash; its database knows its
    figures.
    """
    folder = tmp_path_factory.mktemp("plans")
    if not DATABASE_URL:
        shutil.copy(Path(template.instance_path) / "bookapi.sqlite", folder)

    def fill(session):
        wipe(session)
        made = [changes.create(session, book_schema.load(book)) for book in _books()]
        for book in made[::9]:
            changes.delete(session, book["id"], NO_PRECONDITIONS)

    app = create_app(settings(folder))
    with app.app_context():
        db.write(fill)
        if db.engine.dialect.name != "sqlite":
            with db.engine.begin() as connection:
                connection.execute(text("ANALYZE TABLE " + ", ".join(TABLES))).all()
        yield app
        db.engine.dispose()


def listed(address):
    """Every statement of a list with its values: both ends of its pages, cursors, counts."""
    listing = queries.parse(MultiDict(parse_qsl(address)))
    shape, sort = listing.shape, listing.sort
    numbers = ("id", "published", "relevance")
    after = {
        f"after_{at}": 5 if name.removeprefix("-") in numbers else "2024-01-01 00:00:00.000000"
        for at, name in enumerate(sort)
    }
    found = expressions(db.dialect.full_text, listing.match, shape.in_trash) if shape.search else {}
    values = {**dict(listing.values), **found, **after, "limit": 10, "offset": 0}
    for either in (False, True):
        yield statements.page(shape, sort, either), values
        yield statements.onward(shape, sort, either), values
    yield statements.count(shape), values


def as_sent(made, values):
    """A statement and its values as the driver takes them."""
    compiled = made.compile(db.engine)
    bound = compiled.construct_params(values, _check=False)
    names = compiled.positiontup
    return str(compiled), bound if names is None else [bound[name] for name in names]


def plan(sql, bound):
    """What the database says about a statement: (table, how) of each step."""
    connection = db.engine.raw_connection()
    try:
        cursor = connection.cursor()
        if db.engine.dialect.name == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", bound)
            return [row[3] for row in cursor.fetchall()]
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}", bound)  # MySQL 9 has another default
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=False)) for row in cursor.fetchall()]
    finally:
        connection.close()


def whole_tables(steps):
    """The tables of ours that are read row by row."""
    if db.engine.dialect.name == "sqlite":
        found = [re.match(r"SCAN (\w+)(?! USING)(?!.*VIRTUAL TABLE)", step) for step in steps]
        return sorted({match[1] for match in found if match} & {*TABLES})
    return sorted({step["table"] for step in steps if step["type"] == "ALL"} & {*TABLES})


def sorted_wholly(steps):
    """Whether all that is found is put in order before the first of it is known."""
    if db.engine.dialect.name == "sqlite":
        return "USE TEMP B-TREE FOR ORDER BY" in steps
    return any("filesort" in (step["Extra"] or "") for step in steps)


def offenders(addresses, is_offence):
    """The statements that a plan offends with, each with the address that asks for it."""
    return [
        f"{address}: {offence}: {sql}"
        for address in addresses
        for sql, bound in itertools.starmap(as_sent, listed(address))
        if (offence := is_offence(plan(sql, bound)))
    ]


# -- lists -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_scans_a_table_in_any_order(catalogue, name):
    addresses = [
        f"{FILTERS[name]}&sort={sort}" for sort in (*ASCENDING, *DESCENDING, "author,-title")
    ]
    assert offenders(addresses, whole_tables) == []


@pytest.mark.parametrize("name", FILTERS)
def test_no_filtered_search_scans_a_table(catalogue, name):
    addresses = [
        f"{FILTERS[name]}&{search}&sort={sort}"
        for search, sort in itertools.product(SEARCHES, ("-relevance", "id", "-author", "title"))
    ]
    assert offenders(addresses, whole_tables) == []


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_with_exclusions_scans_a_table(catalogue, name):
    addresses = [
        f"{FILTERS[name]}&q=-word3&sort={sort}" for sort in ("-relevance", "-id", "author", "title")
    ]
    assert offenders(addresses, whole_tables) == []


@pytest.mark.slow
def test_no_plain_list_or_search_scans_a_table(catalogue):
    plain = [
        f"sort={sort}" for sort in (*ASCENDING, *DESCENDING, "author,-title", "-published,title")
    ]
    searches = [
        f"{search}&sort={sort}"
        for search, sort in itertools.product(
            (*SEARCHES, "q=-word3"),
            ("-relevance", "-relevance,title", "author,-relevance", *ASCENDING, *DESCENDING),
        )
    ]
    assert offenders(plain, whole_tables) == []
    assert offenders(searches, whole_tables) == []


@pytest.mark.parametrize(
    "more",
    [
        *[f"sort={sort}" for sort in ASCENDING],
        "sort=-id",
        "author=a1",
        "published_from=1995",
        "updated_since=2999-01-01T00:00:00Z",
        "q=word3",
        "q=word3&sort=title",
    ],
)
def test_no_list_of_the_trash_scans_the_catalogue(catalogue, more):
    # The trash is small, the catalogue is not.
    assert offenders([f"state=deleted&{more}"], whole_tables) == []


def test_a_plain_sort_uses_an_index(catalogue):
    # Descending ones have ties by id ascending: only books that are equal in the first key are put
    # in order.
    ascending = [f"sort={sort}" for sort in (*ASCENDING, "-id")]
    assert offenders(ascending, sorted_wholly) == []
    if db.engine.dialect.name == "sqlite":
        assert offenders([f"sort={sort}" for sort in DESCENDING], sorted_wholly) == []


@pytest.mark.parametrize(
    "address",
    [
        "published_from=1995&sort=published",
        "published_to=1805&sort=published",
        "updated_since=2024-01-01T00:00:00Z&sort=updated_at",
    ],
)
def test_a_range_of_the_sort_column_needs_no_sorting(catalogue, address):
    # So goes who takes over what has changed: with a cursor, all of it once, whatever its size.
    assert db.engine.dialect.name != "sqlite" or offenders([address], sorted_wholly) == []
    assert offenders([address], whole_tables) == []


# -- what is no list -------------------------------------------------------------------


@pytest.fixture
def asked(catalogue, monkeypatch):
    """A function that reads an address and returns the plans of all its statements."""

    def ask(address):
        seen = []

        def note(statement, dialect):
            sql, bind = compile_once(statement, dialect)

            def noted(values):
                seen.append((sql, bind(values)))
                return seen[-1][1]

            return sql, noted

        with monkeypatch.context() as patch:
            patch.setattr(prepared, "compiled", note)
            answer = catalogue.test_client().get(address)
        assert answer.status_code in (200, 404), (address, answer.get_data())
        return [(sql, plan(sql, bound)) for sql, bound in seen]

    compile_once = prepared.compiled
    return ask


def named(plans, is_offence=whole_tables):
    return [f"{offence}: {sql}" for sql, steps in plans if (offence := is_offence(steps))]


WALKS = {  # an address, and the index that finds its page
    "/books?language=en&sort=title": "ix_books_deleted_at_title_key_id",
    "/books?subject=s1&subject=s101&subject=s102&subject=s103&sort=title": (
        "ix_books_deleted_at_title_key_id"
    ),
    "/books?language=en&sort=-published": "ix_books_deleted_at_published_desc_key_id",
    "/books?q=common&sort=author": "ix_books_deleted_at_author_key_id",
    "/books?language=en&sort=title&cursor=*": "ix_books_deleted_at_title_key_id",
    "/books?language=en&sort=title&page=40": "ix_books_deleted_at_title_key_id",
    "/books?subject=s101&subject=s102&subject=s103&sort=title&page=40": (
        "ix_books_deleted_at_title_key_id"
    ),
    "/books?q=common&facets=author": "ix_book_authors_name_key_book_id",
    "/books?q=com*&author=a1&author=a2": "ix_books_deleted_at_id",
    "/books?sort=author,title&cursor=*": "ix_books_deleted_at_author_key_id",
    "/books?sort=-updated_at": "ix_books_deleted_at_updated_at_id",
    "/books?q=com*&sort=title": "ix_books_deleted_at_title_key_id",
    "/books?q=com*": "ix_books_deleted_at_id",
    "/books?sort=-published": "ix_books_deleted_at_published_desc_key_id",
    "/books?sort=-author": "ix_books_deleted_at_author_desc_key_id",
    "/books?sort=author,title": "ix_books_deleted_at_author_key_id",
    "/books?sort=author,title&page=70": "ix_books_deleted_at_author_key_id",
    "/books?facets=author": "ix_terms_kind_books_term_key",
    "/books/subjects?sort=-count": "ix_terms_kind_books_term_key",
}


@pytest.mark.parametrize("address", WALKS)
def test_a_page_is_found_by_walking_the_index_of_its_order(asked, address, monkeypatch):
    set_looking_costs(monkeypatch, 1)  # the books are few
    plans = asked(f"{address}{'&' if '?' in address else '?'}limit=2")
    assert any(WALKS[address] in str(steps) for _, steps in plans)
    assert named(plans) == []
    if "page=40" in address:
        assert named(plans, sorted_wholly) == []


@pytest.mark.parametrize(
    ("address", "step"),
    [
        ("/books?q=common&language=en", "SEARCH books USING COVERING INDEX ix_books_deleted_at_id"),
        ("/books?subject=s1&language=en", "SEARCH books USING COVERING INDEX ix_books_deleted_at_"),
        (
            "/books?language=en&sort=title&page=30",
            "SEARCH books USING COVERING INDEX ix_books_deleted_at_title_key_id",
        ),
        (
            "/books?q=common&sort=title&page=30",
            "SEARCH books USING COVERING INDEX ix_books_deleted_at_title_key_id",
        ),
        (
            "/books?q=common&author=a1",
            "SEARCH book_authors USING COVERING INDEX ix_book_authors_name_key_book_id",
        ),
        (
            "/books?language=en&facets=decade",
            "SEARCH books USING COVERING INDEX ix_books_deleted_at_published_key_id",
        ),
        (
            "/books?q=common&facets=subject",
            "SEARCH book_subjects USING COVERING INDEX ix_book_subjects_name_key_book_id",
        ),
    ],
)
def test_many_books_are_found_without_their_rows(asked, address, step):
    if DATABASE_URL:
        return  # a server's indexes have not all that is looked at
    plans = asked(f"{address}&limit=2")
    assert any(reported.startswith(step) for _, steps in plans for reported in steps), plans
    assert named(plans) == []


def test_a_page_by_relevance_is_found_level_by_level(asked):
    plans = asked("/books?q=common&limit=2")
    assert named(plans) == []
    assert not any("AS relevance" in sql for sql, _ in plans)
    assert not any("AS relevance" in sql for sql, _ in asked("/books?q=common&limit=2&cursor=*"))


@pytest.mark.parametrize("more", ["", "&sort=id", "&sort=-id"])
def test_a_filtered_search_by_id_ends_with_the_page(asked, more):
    plans = asked(f"/books?q=common&language=en&limit=2{more}")
    assert named(plans) == []
    assert DATABASE_URL or named(plans, sorted_wholly) == []


def test_the_counts_of_one_term_are_looked_up(asked):
    for kind in KINDS[:5]:
        plans = asked(f"/books?{FILTERS[kind]}")
        [counted] = [(sql, steps) for sql, steps in plans if "sum(terms.books)" in sql]
        assert named([counted]) == []
        assert not any("count(*)" in sql for sql, _ in plans)


def test_an_isbn_is_looked_up_by_indexes(asked):
    plans = asked("/books?isbn=9780141439587")
    assert named(plans) == []
    assert not any("DEPENDENT UNION" in str(steps) for _, steps in plans)


def test_one_book_is_looked_up_by_an_index(asked):
    for address in (
        "/books/2",
        "/books/999",
        "/books/isbn/9780141439587",
        "/books/isbn/9780306406157",
    ):
        assert named(asked(address)) == [], address


KINDS = ("language", "author", "subject", "publisher", "series", "decade")


@pytest.mark.parametrize("kind", KINDS)
def test_a_facet_of_few_books_reads_only_those(asked, kind):
    for name, filtered in FILTERS.items():
        if name != "isbn":
            assert named(asked(f"/books?{filtered}&facets={kind}&limit=1&sort=title")) == [], name
    assert named(asked(f"/books?q=word3&facets={kind}&limit=1")) == []


def test_facets_of_an_isbn_read_only_its_books(asked):
    assert named(asked(f"/books?isbn=9780141439587&facets={','.join(KINDS)}")) == []


def test_a_facet_or_terms_of_the_whole_catalogue_are_read_from_indexes(asked):
    addresses = [f"/books?facets={kind}&limit=1&sort=title" for kind in KINDS]
    addresses += [
        f"/books/{kind}s?sort={sort}"
        for kind in KINDS[:4]
        for sort in ("value", "-value", "-count")
    ]
    # The spelling stands in the table beside the index, looked up for the few values that are
    # shown.
    assert {address: found for address in addresses if (found := named(asked(address)))} == {}


def test_a_plainly_sorted_export_needs_no_sorting(catalogue):
    # It would be kept in memory or on a disk as a whole, before its first byte leaves.
    found = {}
    for sort in ASCENDING:
        listing = queries.parse(MultiDict({"sort": sort}), paging=False)
        made = statements.everything(listing.shape, listing.sort, listing.fields)
        if db.engine.dialect.name == "sqlite" and sorted_wholly(steps := plan(*as_sent(made, {}))):
            found[sort] = steps
    assert found == {}


def test_the_catalogue_state_is_read_from_one_row(catalogue):
    assert whole_tables(plan(*as_sent(matches._STATE, {}))) == []
