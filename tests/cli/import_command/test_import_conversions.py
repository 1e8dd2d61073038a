"""Imports by command: how cells become values."""

import pytest

from helpers.import_command import EMMA, OTHER
from helpers.support import csv_bytes, stored


@pytest.mark.parametrize(
    "cell",
    [
        EMMA,
        "978-0-14-143958-7",
        "978 0 14 143958 7",
        "0141439580",
        "141439580",
        "0-14-143958-0",
        '="0141439580"',
        f'="{EMMA}"',
        "0141439580 (alk. paper)",
        "0141439580 :",
        f"{EMMA} (pbk.) : $9.99",
        "978\u20110\u201114\u2011143958\u20117",
        " 0141439580 ",
    ],
)
def test_isbns_are_read_in_common_spellings(load_one, cell):
    book, report = load_one("isbn", cell)
    assert book["isbn"] == EMMA
    assert report["warnings"] == []


def test_an_isbn_that_ends_in_a_small_x_keeps_its_check_digit(load_one):
    assert load_one("isbn", "39592720x")[0]["isbn"] == "9780395927205"


@pytest.mark.parametrize(
    "cell",
    [
        "9.78043902348e+12",
        "9.78E+12",
        "9780141439588",
        "0141439581",
        "B00009EF82",
        "none",
        "14143958",
        "(pbk.)",
        "\u0660\u0661\u0664\u0661\u0664\u0663\u0669\u0665\u0668\u0660",
        "=1+1",
        "76783609419.0",
    ],
)
def test_an_invalid_isbn_is_dropped_with_a_warning(load_one, cell):
    book, report = load_one("isbn", cell)
    assert book["isbn"] is None
    assert [
        (reported["record"], reported["line"], reported["field"], reported["value"])
        for reported in report["warnings"]
    ] == [(1, 2, "isbn", cell)]


@pytest.mark.parametrize(
    "header", [["isbn", "isbn13", "identifiers"], ["identifiers", "isbn", "isbn13"]]
)
def test_a_second_isbn_is_added_to_the_identifiers(load, client, header):
    cells = {"isbn": EMMA, "isbn13": OTHER, "identifiers": "lccn:1"}
    load(csv_bytes(["title", *header], ["Emma", *[cells[name] for name in header]]))
    [book] = stored(client)
    assert book["isbn"] == EMMA
    assert book["identifiers"] == [
        {"scheme": "lccn", "value": "1"},
        {"scheme": "isbn", "value": OTHER},
    ]


def test_a_second_isbn_is_kept_if_the_identifiers_column_is_empty(load, client):
    load(csv_bytes(["title", "isbn", "isbn13", "identifiers"], ["Emma", EMMA, OTHER, ""]))
    assert [book["identifiers"] for book in stored(client)] == [
        [{"scheme": "isbn", "value": OTHER}]
    ]


@pytest.mark.parametrize(
    "cell, published",
    [
        ("2008.0", "2008"),
        ("2008", "2008"),
        ("-720.0", "-0720"),
        ("-720", "-0720"),
        ("8", "0008"),
        ("800.0", "0800"),
        ("1999-05", "1999-05"),
        ("1999-05-07", "1999-05-07"),
        ("c1999.", "1999"),
        ("[2000]", "2000"),
        ("", None),
        ("1999-05-07T10:20:30Z", "1999-05-07"),
        ("-0044-03-15", "-0044-03-15"),
        ("0000", "0000"),
    ],
)
def test_years_are_read_in_common_spellings(load_one, cell, published):
    book, report = load_one("published", cell)
    assert book["published"] == published
    assert report["warnings"] == []


@pytest.mark.parametrize(
    "cell, published",
    [
        ("uuuu", None),
        ("19uu", None),
        ("199u", None),
        ("18uu", None),
        ("0", None),
        ("0.0", None),
        ("199|", None),
        ("11/31/2000", "2000"),
        ("9/6/2006", "2006"),
    ],
)
def test_an_incomplete_year_is_reported(load_one, cell, published):
    book, report = load_one("published", cell)
    assert book["published"] == published
    assert [(reported["field"], reported["value"]) for reported in report["warnings"]] == [
        ("published", cell)
    ]


@pytest.mark.parametrize(
    "cell, language, warnings",
    [
        ("eng", "en", 0),
        ("EN_us", "en-US", 0),
        ("ger", "de", 0),
        ("fre", "fr", 0),
        ("chi", "zh", 0),
        ("enm", "enm", 0),
        ("", None, 0),
        ("en/fr", "en", 1),
        ("fre, eng", "fr", 1),
        ("en;de", "en", 1),
    ],
)
def test_a_language_is_stored_in_its_canonical_form(load_one, cell, language, warnings):
    book, report = load_one("language", cell)
    assert book["language"] == language
    assert len(report["warnings"]) == warnings


@pytest.mark.parametrize(
    "cell, pages, warnings",
    [("352", 352, 0), ("0", None, 1), ("0.0", None, 1), ("", None, 0), ("352.0", 352, 0)],
)
def test_zero_pages_mean_an_unknown_number_of_pages(load_one, cell, pages, warnings):
    book, report = load_one("pages", cell)
    assert book["pages"] == pages
    assert len(report["warnings"]) == warnings


@pytest.mark.parametrize(
    "header, cell",
    [
        ("pages", "many"),
        ("pages", "-1"),
        ("pages", "100001"),
        ("pages", "1e3"),
        ("pages", "35.5"),
        ("published", "2005-13"),
        ("published", "2001-02-29"),
        ("published", "soon"),
        ("language", "9780674842113"),
        ("cover_url", "javascript:alert(1)"),
        ("identifiers", "without a colon"),
        ("description", "bell \x07"),
    ],
)
def test_a_cell_that_cannot_be_read_rejects_the_record_only_if_strict(load, client, header, cell):
    report, _ = load(csv_bytes(["title", header], ["Emma", cell]), "--strict", fails=1)
    assert [
        (reported["record"], reported["line"], reported["field"]) for reported in report["errors"]
    ][:1] == [(1, 2, header)]
    assert stored(client) == []
    report, _ = load(csv_bytes(["title", header], ["Emma", cell]))
    assert [
        (reported["record"], reported["line"], reported["field"]) for reported in report["warnings"]
    ] == [(1, 2, header)]
    assert [book["title"] for book in stored(client)] == ["Emma"]


def test_overlong_text_is_cut_but_an_overlong_title_is_rejected(load, client):
    report, _ = load(
        csv_bytes(["title", "edition"], ["Emma", "x" * 201], ["y" * 2001, ""]), "--on-error", "skip"
    )
    assert [len(book["edition"]) for book in stored(client)] == [200]
    assert [reported["field"] for reported in report["warnings"] + report["errors"]] == [
        "edition",
        "title",
    ]


@pytest.mark.parametrize("title", ["'=1+1", "'@home", "'-", "'+1", "''=x"])
def test_the_apostrophe_before_a_formula_is_removed(load, client, title):
    load(csv_bytes(["title"], [title]))
    assert [book["title"] for book in stored(client)] == [title[1:]]


@pytest.mark.parametrize("title", ["'Tis Pity", "'", "''", "\u2018=", "'\u200b="])
def test_other_leading_apostrophes_are_kept(load, client, title):
    load(csv_bytes(["title"], [title]))
    assert [book["title"] for book in stored(client)] == [title]


def test_text_is_normalized_and_trimmed(load_one):
    book, _ = load_one("publisher", "  E\u0301ditions \u00a0")
    assert book["publisher"] == "\u00c9ditions"
