"""The import command: formats, columns, conversions and reports."""

import codecs
import csv
import gzip
import json

import pytest

from helpers.support import csv_bytes, jsonl_bytes, one_line, own_fields, stored

EMMA, OTHER = "9780141439587", "9780306406157"


@pytest.fixture
def load(runner, tmp_path):
    """A function that imports bytes and returns (report, result); `fails` is the exit status that
    is expected.
    """

    def run(content, *options, name="books.csv", fails=0):
        path, report = tmp_path / name, tmp_path / "report.json"
        path.write_bytes(content)
        report.unlink(missing_ok=True)
        result = runner.invoke(
            args=["books", "import", str(path), "--report", str(report), *options]
        )
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(
            result.exception
        )
        assert result.exit_code == fails, result.output
        return (json.loads(report.read_text()) if report.exists() else None), result

    return run


@pytest.fixture
def load_one(load, client):
    """A function that imports one book with one more cell; returns the book as stored and the
    report.
    """

    def run(header, cell, *options):
        report, _ = load(csv_bytes(["title", header], ["Emma", cell]), *options)
        [book] = stored(client)
        return book, report

    return run


def counts(report):
    """(created, updated, unchanged, rejected)"""
    return tuple(report[name] for name in ("created", "updated", "unchanged", "rejected"))


# -- columns ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header, field, cell, value",
    [
        ("Author", "authors", "Jane Austen", ["Jane Austen"]),
        ("Book-Author", "authors", "Jane Austen", ["Jane Austen"]),
        ("AUTHORS", "authors", "Jane Austen | Ann Other", ["Jane Austen", "Ann Other"]),
        ("ISBN", "isbn", EMMA, EMMA),
        ("ISBN-13", "isbn", EMMA, EMMA),
        ("isbn10", "isbn", "0141439580", EMMA),
        ("Publisher", "publisher", "Murray", "Murray"),
        ("original_publication_year", "published", "1815", "1815"),
        ("Year-Of-Publication", "published", "1815", "1815"),
        ("publication_date", "published", "1815-12-23", "1815-12-23"),
        ("year", "published", "1815", "1815"),
        ("language_code", "language", "en", "en"),
        ("  num_pages", "pages", "474", 474),
        ("Number of Pages", "pages", "474", 474),
        ("Series", "series", "Classics", "Classics"),
        ("series number", "series_number", "3", "3"),
        ("Edition", "edition", "2nd", "2nd"),
        ("Description", "description", "A young woman.", "A young woman."),
        ("Genres", "subjects", "Fiction | Love", ["Fiction", "Love"]),
        (
            "identifiers",
            "identifiers",
            "lccn:1 | oclc:2:3",
            [{"scheme": "lccn", "value": "1"}, {"scheme": "oclc", "value": "2:3"}],
        ),
        ("image_url", "cover_url", "https://example.org/a.jpg", "https://example.org/a.jpg"),
    ],
)
def test_columns_are_recognized_by_their_usual_names(load_one, header, field, cell, value):
    book, report = load_one(header, cell)
    assert book[field] == value
    assert report["ignored"] == report["warnings"] == []


@pytest.mark.parametrize("header", ["title", "Title", "TITLE ", "Book-Title", "book title"])
def test_the_title_column_is_recognized_by_its_usual_names(load, client, header):
    load(csv_bytes([header, "year"], ["Emma", "1815"]))
    assert [book["title"] for book in stored(client)] == ["Emma"]


def test_unknown_columns_are_reported_once_in_order(load):
    report, result = load(
        csv_bytes(["rating", "title", "Mood"], [4, "Emma", "a"], [5, "Persuasion", "b"])
    )
    assert report["ignored"] == ["rating", "Mood"]
    assert result.stderr.count("rating") == 1


def test_read_only_columns_are_ignored_silently(load, client):
    report, _ = load(
        csv_bytes(["id", "title", "version", "created_at", "updated_at"], [77, "Emma", 9, "x", "y"])
    )
    [book] = stored(client)
    assert (book["id"], book["version"]) == (1, 1)
    assert report["ignored"] == report["warnings"] == []


def test_a_column_option_overrides_the_usual_column(load, client):
    content = csv_bytes(["title", "original_title"], ["Emma (Classics, #1)", "Emma"])
    report, _ = load(content, "--column", "title=original_title")
    assert [book["title"] for book in stored(client)] == ["Emma"]
    assert report["ignored"] == ["title"]


def test_a_column_option_for_a_missing_column_stores_nothing(load, client):
    _, result = load(csv_bytes(["title"], ["Emma"]), "--column", "authors=Written by", fails=1)
    assert "Written by" in one_line(result.stderr)
    assert stored(client) == []


@pytest.mark.parametrize(
    "option, text",
    [
        ("--column", "titel=Name"),
        ("--column", "id=Number"),
        ("--column", "title"),
        ("--column", "title="),
        ("--split", "author=,"),
        ("--split", "authors="),
        ("--encoding", "utf-99"),
        ("--mode", "replace"),
        ("--on-error", "ignore"),
        ("--format", "docx"),
    ],
)
def test_an_invalid_option_is_wrong_usage(load, client, option, text):
    _, result = load(csv_bytes(["title"], ["Emma"]), option, text, fails=2)
    assert option in result.stderr
    assert stored(client) == []


def test_the_first_filled_column_of_a_field_is_used(load, client):
    load(csv_bytes(["isbn", "isbn13", "year", "title"], ["", EMMA, "1815", "Emma"]))
    [book] = stored(client)
    assert (book["isbn"], book["published"]) == (EMMA, "1815")


@pytest.mark.parametrize(
    "header, cell, options, value",
    [
        ("authors", "Ann One, Bo Two", ["--split", "authors=, "], ["Ann One", "Bo Two"]),
        ("authors", "Ann One/Bo Two", ["--split", "authors=/"], ["Ann One", "Bo Two"]),
        ("authors", "Ann One , , Bo Two,", ["--split", "authors=,"], ["Ann One", "Bo Two"]),
        ("authors", "Austen, Jane", [], ["Austen, Jane"]),
        ("subjects", r"a \| b | c", [], ["a | b", "c"]),
        ("subjects", "a|b", [], ["a|b"]),
        ("subjects", "", [], []),
    ],
)
def test_the_split_option_splits_cells(load_one, header, cell, options, value):
    assert load_one(header, cell, *options)[0][header] == value


# -- cells -----------------------------------------------------------------------------


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


# -- modes -----------------------------------------------------------------------------


def test_upsert_updates_the_book_with_the_isbn_and_keeps_other_fields(load, client):
    load(csv_bytes(["title", "isbn", "publisher"], ["Ema", EMMA, "Murray"]))
    report, _ = load(csv_bytes(["isbn", "title"], ["0141439580", "Emma"]))
    [book] = stored(client)
    assert counts(report) == (0, 1, 0, 0)
    assert (book["title"], book["publisher"], book["version"]) == ("Emma", "Murray", 2)


def test_upsert_finds_a_book_without_isbn_by_its_first_identifier(load, client):
    load(csv_bytes(["title", "identifiers"], ["EMMA", "lccn:1 | oclc:2"]))
    report, _ = load(csv_bytes(["title", "identifiers"], ["Emma", "lccn:1"], ["Other", "oclc:3"]))
    assert counts(report) == (1, 1, 0, 0)
    assert [book["title"] for book in stored(client)] == ["Emma", "Other"]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ([], ("Murray", ["Jane Austen"])),
        (["--empty", "keep"], ("Murray", ["Jane Austen"])),
        (["--empty", "clear"], (None, [])),
    ],
)
def test_an_empty_cell_changes_nothing_unless_it_is_to_clear(load, client, options, left):
    header = ["title", "isbn", "publisher", "authors"]
    load(csv_bytes(header, ["Emma", EMMA, "Murray", "Jane Austen"]))
    load(csv_bytes(header, ["Emma", EMMA, "", ""]), *options)
    [book] = stored(client)
    assert (book["publisher"], book["authors"]) == left


@pytest.mark.parametrize(
    ("options", "left"), [([], None), (["--empty", "keep"], "Murray"), (["--empty", "clear"], None)]
)
def test_null_in_json_of_our_own_clears_unless_it_is_not_to(load, client, options, left):
    load(csv_bytes(["title", "isbn", "publisher"], ["Emma", EMMA, "Murray"]))
    load(jsonl_bytes({"title": "Emma", "isbn": EMMA, "publisher": None}), *options, name="a.jsonl")
    assert [book["publisher"] for book in stored(client)] == [left]


def test_create_mode_rejects_existing_books(load, client):
    load(csv_bytes(["title", "isbn"], ["Ema", EMMA]))
    report, _ = load(
        csv_bytes(["title", "isbn"], ["Emma", EMMA], ["Other", OTHER]),
        "--mode",
        "create",
        "--on-error",
        "skip",
    )
    assert counts(report) == (1, 0, 0, 1)
    assert [book["title"] for book in stored(client)] == ["Ema", "Other"]


def test_on_error_abort_stores_nothing_if_one_record_is_bad(load, client):
    report, result = load(
        csv_bytes(["title", "pages"], ["Emma", 1], ["", 2], ["Other", "x"]), "--strict", fails=1
    )
    assert stored(client) == []
    assert [
        (reported["record"], reported["line"], reported["field"]) for reported in report["errors"]
    ] == [
        (2, 3, "title"),
        (3, 4, "pages"),
    ]
    assert counts(report)[-1] == 2 and "nothing was stored" in result.stderr


def test_on_error_skip_stores_the_good_records(load, client):
    report, result = load(
        csv_bytes(["title", "pages"], ["Emma", 1], ["", 2], ["Other", 3]), "--on-error", "skip"
    )
    assert counts(report) == (2, 0, 0, 1)
    assert [book["title"] for book in stored(client)] == ["Emma", "Other"]


@pytest.mark.parametrize(
    "header, cell, field",
    [
        ("isbn", "9780141439588", "isbn"),
        ("rating", "4", "rating"),
        ("published", "uuuu", "published"),
        ("pages", "0", "pages"),
        ("language", "en/fr", "language"),
        ("edition", "x" * 201, "edition"),
    ],
)
def test_strict_rejects_what_would_be_read_leniently(load, client, header, cell, field):
    report, _ = load(csv_bytes(["title", header], ["Emma", cell]), "--strict", fails=1)
    assert (counts(report), report["errors"][0]["field"]) == ((0, 0, 0, 1), field)
    assert stored(client) == []


def test_strict_accepts_valid_values_and_ignores_read_only_columns(load, client):
    report, _ = load(
        csv_bytes(["id", "title", "isbn", "version"], [4, "Emma", EMMA, 2]), "--strict"
    )
    assert counts(report) == (1, 0, 0, 0)
    assert [book["isbn"] for book in stored(client)] == [EMMA]


def test_a_dry_run_reports_and_stores_nothing(load, client):
    report, result = load(
        csv_bytes(["title", "isbn"], ["Emma", EMMA], ["Other", "bad"]), "--dry-run"
    )
    assert (counts(report), len(report["warnings"])) == ((2, 0, 0, 0), 1)
    assert stored(client) == []


def test_a_dry_run_uses_up_no_ids(load, client):
    load(csv_bytes(["title"], ["Emma"]), "--dry-run")
    load(csv_bytes(["title"], ["Emma"]))
    assert [book["id"] for book in stored(client)] == [1]


def test_importing_the_same_file_again_changes_nothing(load, client):
    content = csv_bytes(
        ["title", "isbn", "authors", "identifiers"],
        ["Emma", EMMA, "Jane Austen", ""],
        ["Other", "", "", "lccn:1 | oclc:2"],
    )
    load(content)
    before = stored(client)
    report, _ = load(content)
    assert counts(report) == (0, 0, 2, 0)
    assert stored(client) == before


# -- volumes of a set ------------------------------------------------------------------

VOLUMES = csv_bytes(
    ["title", "isbn"], ["Volume one", EMMA], ["Volume two", EMMA], ["Volume three", EMMA]
)


def test_volumes_with_a_common_isbn_are_all_kept(load, client):
    report, _ = load(VOLUMES)
    assert [(book["title"], book["isbn"]) for book in stored(client)] == [
        ("Volume one", EMMA),
        ("Volume two", None),
        ("Volume three", None),
    ]
    assert [book["identifiers"] for book in stored(client)][1:] == [
        [{"scheme": "isbn", "value": EMMA}]
    ] * 2
    assert [(reported["record"], reported["field"]) for reported in report["warnings"]] == [
        (2, "isbn"),
        (3, "isbn"),
    ]


def test_volumes_with_a_common_isbn_are_unchanged_when_imported_again(load, client):
    load(VOLUMES)
    before = stored(client)
    report, _ = load(VOLUMES)
    assert counts(report) == (0, 0, 3, 0)
    assert stored(client) == before


def test_a_record_of_the_same_isbn_and_title_is_the_same_book(load, client):
    report, _ = load(
        csv_bytes(["title", "isbn", "pages"], ["Emma", EMMA, "1"], ["EMMA", "0141439580", "2"])
    )
    assert counts(report) == (1, 1, 0, 0)
    assert [(book["pages"], book["version"]) for book in stored(client)] == [(2, 1)]


def test_a_second_record_of_one_id_is_rejected_whatever_else_it_has(load, client):
    load(csv_bytes(["title", "isbn"], ["Emma", EMMA]))
    [emma] = stored(client)
    again = jsonl_bytes({**emma, "pages": 1}, {**emma, "pages": 2}, {**emma, "title": "Other"})
    report, _ = load(again, "--on-error", "skip", name="books.jsonl")
    assert counts(report) == (0, 1, 0, 2)
    assert [(each["kind"], each["record"]) for each in report["errors"]] == [
        ("record-repeated", 2),
        ("record-repeated", 3),
    ]
    assert [book["pages"] for book in stored(client)] == [1]


def test_a_row_that_was_added_to_an_export_may_repeat_one_of_it(load, client):
    load(csv_bytes(["title", "isbn"], ["Emma", EMMA]))
    [emma] = stored(client)
    added = jsonl_bytes(emma, {"title": "Emma", "isbn": EMMA, "pages": 2})
    report, _ = load(added, name="books.jsonl")
    assert counts(report) == (0, 1, 1, 0)
    assert [kind["kind"] for kind in report["counts"]] == ["record-repeated"]
    assert [book["pages"] for book in stored(client)] == [2]


def test_volumes_far_apart_in_a_file_are_kept_and_unchanged_when_imported_again(load, client):
    rows = [[f"Book {number}", ""] for number in range(1200)]
    content = csv_bytes(
        ["title", "isbn", "identifiers"],
        ["Volume one", EMMA, "n:one"],
        *[[*row, f"n:{number}"] for number, row in enumerate(rows)],
        ["Volume two", EMMA, "n:two"],
    )
    assert counts(load(content)[0]) == (1202, 0, 0, 0)
    assert counts(load(content)[0]) == (0, 0, 1202, 0)


def test_volumes_with_their_own_and_a_set_isbn_are_different_books(load, client):
    volumes = [
        {"title": "Volume one", "isbn": [EMMA, "9780451526533"]},
        {"title": "Volume two", "isbn": [OTHER, "9780451526533"]},
    ]
    load(jsonl_bytes(*volumes), name="books.jsonl")
    assert [(book["title"], book["isbn"]) for book in stored(client)] == [
        ("Volume one", EMMA),
        ("Volume two", OTHER),
    ]


def test_lines_are_counted_as_they_stand_in_the_file(load):
    content = b'pages,title\r\n1,"Two\r\nlines"\r\n\r\n2,\r\n'
    report, _ = load(content, fails=1)
    assert [(reported["record"], reported["line"]) for reported in report["errors"]] == [(2, 5)]


def test_the_report_has_the_documented_fields(load):
    report, result = load(csv_bytes(["title", "rating", "isbn"], ["Emma", 4, "bad"]))
    assert set(report) == {
        "read",
        "created",
        "updated",
        "unchanged",
        "rejected",
        "stored",
        "profile",
        "encoding",
        "delimiter",
        "columns",
        "errors",
        "warnings",
        "counts",
        "ignored",
    }
    assert set(report["warnings"][1]) == {"record", "line", "kind", "field", "detail", "value"}
    assert report["counts"] == [
        {"kind": "no-column", "field": "authors", "count": 1},
        {"kind": "isbn-invalid", "field": "isbn", "count": 1},
    ]
    assert report["columns"] == [
        {"column": "title", "field": "title"},
        {"column": "rating", "field": None},
        {"column": "isbn", "field": "isbn"},
    ]


def test_the_report_has_the_first_hundred_of_a_kind_and_counts_all(load):
    rows = [["Emma", "x", ""]] * 1100 + [["", "", "y"]]
    report, result = load(csv_bytes(["title", "pages", "language"], *rows), "--on-error", "skip")
    assert (report["read"], report["rejected"]) == (1101, 1)
    assert (len(report["warnings"]), len(report["errors"])) == (101, 1)
    assert {(kind["kind"], kind["count"]) for kind in report["counts"]} == {
        ("pages-unreadable", 1100),
        ("language-unreadable", 1),
        ("title-missing", 1),
    }
    assert len(result.stderr.splitlines()) < 40


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_report_has_each_rejected_record_to_be_corrected_and_sent_again(
    runner, client, tmp_path, suffix
):
    source, report = tmp_path / "books.csv", tmp_path / f"report.{suffix}"
    source.write_bytes(csv_bytes(["title", "pages"], ["Emma", 1], ["", 2], ["Other", "x"]))
    arguments = ["books", "import", str(source), "--on-error", "skip", "--report", str(report)]
    assert runner.invoke(args=arguments).exit_code == 0
    if suffix == "csv":
        rows = list(csv.DictReader(report.read_text().splitlines()))
        assert [(row["severity"], row["kind"], row["pages"]) for row in rows] == [
            ("error", "title-missing", "2"),
            ("warning", "pages-unreadable", ""),
        ]
        text = report.read_text().replace("title-missing,title,is missing,,,2", ",,,,Persuasion,2")
        report.write_text(text)
        result = runner.invoke(args=["books", "import", str(report), "--strict"])
        assert result.exit_code == 0, result.output
        assert ("Persuasion", 2) in [(book["title"], book["pages"]) for book in stored(client)]
        assert len(stored(client)) == 3
    else:
        error, warning = map(json.loads, report.read_text().splitlines())
        assert (error["record"], error["original"]) == (2, {"title": "", "pages": "2"})
        assert warning["severity"] == "warning"


def test_a_corrected_report_adds_a_record_of_several_faults_once(runner, client, tmp_path):
    """Its first warning is about the file, and so has no record."""
    source, report = tmp_path / "books.csv", tmp_path / "report.csv"
    source.write_bytes(csv_bytes(["title", "pages", "language", "shop"], ["Emma", "x", "?", ""]))
    arguments = ["--strict", "--on-error", "skip", "--report", str(report), "--skip-column", "none"]
    assert runner.invoke(args=["books", "import", str(source), *arguments]).exit_code == 0
    text = report.read_text().replace("Emma,x,?,", "Emma,9,en,").replace("shop", "call_number")
    report.write_text(text)
    result = runner.invoke(args=["books", "import", str(report), "--strict"])
    assert result.exit_code == 0, result.output
    assert [(book["title"], book["pages"]) for book in stored(client)] == [("Emma", 9)]


def test_a_report_that_cannot_be_written_fails_before_anything_is_stored(runner, client, tmp_path):
    (tmp_path / "books.csv").write_bytes(csv_bytes(["title"], ["Emma"]))
    paths = [str(tmp_path / "books.csv"), "--report", str(tmp_path / "none" / "r")]
    result = runner.invoke(args=["books", "import", *paths])
    assert result.exit_code == 1 and one_line(result.stderr)
    assert stored(client) == []


# -- files -----------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_detected_from_the_header(load, client, delimiter):
    load(
        csv_bytes(
            ["title", "authors", "pages"],
            ["Emma, or: not; so", "Austen, Jane", 474],
            delimiter=delimiter,
        )
    )
    [book] = stored(client)
    assert (book["title"], book["authors"], book["pages"]) == (
        "Emma, or: not; so",
        ["Austen, Jane"],
        474,
    )


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "utf-16", "utf-8-sig", "UTF-8", "mac-roman"]
)
def test_the_encoding_option_is_used(load, client, encoding):
    load(csv_bytes(["title"], ["Les Mis\u00e9rables"], encoding=encoding), "--encoding", encoding)
    assert [book["title"] for book in stored(client)] == ["Les Mis\u00e9rables"]


def test_capitals_alone_are_taken_for_windows_1252(load, client):
    rows = [["Ö", "ÅÄÖ"], ["ÄÖÜ", "É"]]
    report, _ = load(csv_bytes(["title", "authors"], *rows, encoding="cp1252"))
    assert report["encoding"] == "windows-1252"
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


CYRILLIC = [
    ["Война и мир", "Лев Толстой"],
    ["Мёртвые души", "Николай Гоголь"],
    ["Отцы и дети", "Иван Тургенев"],
]


@pytest.mark.parametrize("written", ["cp1251", "koi8-r"])
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
@pytest.mark.parametrize("beside", ["", "London: Penguin Books, a novel of manners in paperback"])
def test_cyrillic_is_recognised_in_capitals_too(load, client, written, case, beside):
    rows = [[case(title), case(author)] for title, author in CYRILLIC]
    table = [[*row, beside] for row in rows]
    load(csv_bytes(["title", "authors", "publisher"], *table, encoding=written))
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


def test_a_single_record_in_cyrillic_capitals_is_no_japanese(load, client):
    rows = [["ВОЙНА И МИР", "ТОЛСТОЙ"]]
    report, _ = load(csv_bytes(["title", "authors"], *rows, encoding="cp1251"))
    assert report["encoding"] == "cp1251"
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


@pytest.mark.parametrize("written", ["shift_jis", "euc_jp"])
def test_japanese_is_recognised(load, client, written):
    rows = [["吾輩は猫である", "夏目漱石"], ["ｺｰﾋｰ と 雪国", "川端康成"], ["人間失格", "太宰治"]]
    load(csv_bytes(["title", "authors"], *rows, encoding=written))
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


@pytest.mark.parametrize(
    "written, read",
    [
        ("cp1252", "utf-8"),
        ("utf-8", "ascii"),
        ("utf-16", "utf-8"),
        ("utf-8", "utf-16"),
    ],
)
@pytest.mark.parametrize("name", ["books.csv", "books.jsonl"])
def test_a_file_in_another_encoding_is_rejected_as_a_whole(load, client, written, read, name):
    text = {
        "books.csv": "title\nEmma\nLes Mis\u00e9rables\n",
        "books.jsonl": '{"title": "Emma"}\n{"title": "Les Mis\u00e9rables"}\n',
    }[name]
    load(text.encode(written), "--encoding", read, name=name, fails=1)
    assert stored(client) == []


def test_a_wrong_encoding_is_reported_in_one_line(load):
    written = csv_bytes(["title"], ["Les Mis\u00e9rables"], encoding="cp1252")
    _, result = load(written, "--encoding", "utf-8", fails=1)
    assert "utf-8" in one_line(result.stderr)
    assert "books.csv" in result.stderr


@pytest.mark.parametrize(
    "name, content",
    [
        ("books.csv", csv_bytes(["title"], ["Emma"])),
        ("books.jsonl", jsonl_bytes({"title": "Emma"})),
    ],
)
def test_a_byte_order_mark_is_not_part_of_the_first_column(load, client, name, content):
    report, _ = load(codecs.BOM_UTF8 + content, name=name)
    assert [book["title"] for book in stored(client)] == ["Emma"]
    assert report["ignored"] == []


@pytest.mark.parametrize("name", ["books.csv.gz", "books.csv", "books"])
def test_gzip_is_detected_whatever_the_file_name(load, client, name):
    load(gzip.compress(csv_bytes(["title"], ["Emma"])), name=name)
    assert [book["title"] for book in stored(client)] == ["Emma"]


@pytest.mark.parametrize(
    "content, options",
    [
        (csv_bytes(["title"], ["Emma"]), []),
        (gzip.compress(csv_bytes(["title"], ["Emma"])), []),
        (jsonl_bytes({"title": "Emma"}), ["--format", "jsonl"]),
    ],
    ids=["csv", "gzip", "jsonl"],
)
def test_a_dash_means_standard_input(runner, client, content, options):
    result = runner.invoke(args=["books", "import", "-", *options], input=content)
    assert result.exit_code == 0, result.output
    assert [book["title"] for book in stored(client)] == ["Emma"]


def _damaged(content):
    half = bytearray(content)
    half[10:30] = b"\xff" * 20
    return bytes(half)


ZIPPED = gzip.compress(csv_bytes(["title"], *[[f"Book {number * 7919}"] for number in range(500)]))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b",,\n",
        b'title\n"Emma',
        b'title\n"Emma"x\n',
        b"title\nEmma\x00\nOther\n",
        b"title\n" + b"x" * 1_100_000,
        ZIPPED[: len(ZIPPED) // 2],
        ZIPPED[:-8] + bytes(8),
        _damaged(ZIPPED),
        ZIPPED[:5],
    ],
    ids=[
        "empty",
        "blank",
        "nameless",
        "open quote",
        "text after a quote",
        "NUL",
        "endless cell",
        "half a gzip",
        "wrong sum",
        "spoilt gzip",
        "gzip's head",
    ],
)
def test_a_damaged_file_stores_nothing(load, client, content):
    _, result = load(content, fails=1)
    assert stored(client) == []
    assert result.stderr.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("name", ["none.csv", "", "none/books.csv"])
def test_an_unreadable_file_is_reported_in_one_line(runner, tmp_path, name):
    result = runner.invoke(args=["books", "import", str(tmp_path / name)])
    assert result.exit_code == 1
    assert str(tmp_path / name) in one_line(result.stderr)


@pytest.mark.parametrize(
    "row, left_over",
    [
        (["Emma", "1815", "left over"], ["left over"]),
        (["Emma", "1815", "", "x"], ["x"]),
        (["Emma", "1815", *["x"] * 10_000], ["x"] * 10_000),
    ],
)
def test_cells_beyond_the_header_are_left_out_with_a_warning(load, client, row, left_over):
    content = csv_bytes(["title", "year"], ["Other", "1800"], row)
    report, _ = load(content, "--strict", fails=1)
    assert [(error["record"], error["kind"]) for error in report["errors"]] == [
        (2, "cells-left-over")
    ]
    report, _ = load(content)
    assert counts(report) == (2, 0, 0, 0) and report["errors"] == []
    [warning] = [each for each in report["warnings"] if each["kind"] == "cells-left-over"]
    assert (warning["record"], warning["line"]) == (2, 3)
    assert (
        json.dumps(left_over).startswith(warning["value"]) and "the 2 columns" in warning["detail"]
    )
    assert [book["title"] for book in stored(client)] == ["Other", "Emma"]


def test_cells_under_no_name_at_the_end_of_the_header_are_left_over_too(load, client):
    report, _ = load(csv_bytes(["title", "year", ""], ["Emma", "1815", ""], ["Ema", "1", "x"]))
    assert [each["record"] for each in report["warnings"] if each["kind"] == "cells-left-over"] == [
        2
    ]


@pytest.mark.parametrize("row", [["Emma"], ["Emma", "1815", ""], ["Emma", "1815", "", ""]])
def test_a_row_with_missing_or_extra_empty_cells_is_accepted(load, client, row):
    report, _ = load(csv_bytes(["title", "year"], row))
    assert counts(report) == (1, 0, 0, 0)
    assert [book["title"] for book in stored(client)] == ["Emma"]


def test_a_missing_cell_leaves_the_field_unchanged(load, client):
    load(csv_bytes(["isbn", "title", "publisher"], [EMMA, "Emma", "Murray"]))
    load(csv_bytes(["isbn", "title", "publisher"], [EMMA, "Emma"]))
    assert [book["publisher"] for book in stored(client)] == ["Murray"]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b"7",
        b'"Emma"',
        b'{"title": "Emma", "title": "Ema"}',
        b'{"title": NaN}',
        b'{"title": "Emma"',
        b'{"title": "\xff"}',
        b'{"pages": 3}',
        b'{"title": null}',
        b'{"title": true}',
        b'{"title": {"a": 1}}',
        b"[" * 100,
        b'{"title": "\\ud800"}',
    ],
)
def test_a_malformed_line_is_rejected_alone(load, client, line):
    content = jsonl_bytes({"title": "Before"}) + line + b"\n\n" + jsonl_bytes({"title": "After"})
    report, _ = load(content, "--on-error", "skip", name="books.jsonl")
    assert [book["title"] for book in stored(client)] == ["Before", "After"]
    assert {(reported["record"], reported["line"]) for reported in report["errors"]} == {(2, 2)}


@pytest.mark.parametrize(
    "record, fields",
    [
        ({"title": ["Emma"]}, {"title": "Emma"}),
        ({"title": "Emma", "series": ["A", "B"]}, {"series": "A"}),
        (
            {"title": "Emma", "isbn": [EMMA, "0-306-40615-2"]},
            {"isbn": EMMA, "identifiers": [{"scheme": "isbn", "value": OTHER}]},
        ),
        ({"title": "Emma", "isbn": 9780141439587}, {"isbn": EMMA}),
        ({"title": "Emma", "isbn": 141439580}, {"isbn": EMMA}),
        ({"title": "Emma", "year": 1815}, {"published": "1815"}),
        ({"title": "Emma", "year": -720.0}, {"published": "-0720"}),
        ({"title": "Emma", "pages": "474"}, {"pages": 474}),
        ({"title": "Emma", "authors": "Jane Austen"}, {"authors": ["Jane Austen"]}),
        ({"title": "Emma", "authors": None}, {"authors": []}),
        ({"title": "Emma", "language": ["eng", "fre"]}, {"language": "en"}),
        (
            {"title": "Emma", "identifiers": ["lccn:1"]},
            {"identifiers": [{"scheme": "lccn", "value": "1"}]},
        ),
    ],
)
def test_json_values_of_other_types_are_converted(load, client, record, fields):
    load(jsonl_bytes(record), name="books.jsonl")
    [book] = stored(client)
    assert {name: book[name] for name in fields} == fields
    assert own_fields(book)["title"] == "Emma"


# -- documents -------------------------------------------------------------------------

RECORDS = (
    {
        "title": "Emma & <Co>",
        "isbn": EMMA,
        "authors": ["Jane Austen", "An Other"],
        "pages": 474,
        "description": "a\r\nb",
        "identifiers": [{"scheme": "n", "value": "1"}],
    },
    {"title": "=1+1", "subjects": ["a | b"], "identifiers": [{"scheme": "n", "value": "2"}]},
)


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.csv", "a.jsonl", "a.json.gz", "a.xml.gz"])
def test_importing_an_exported_file_changes_nothing(load, runner, client, tmp_path, name):
    load(jsonl_bytes(*RECORDS), name="first.jsonl")
    before = stored(client)
    assert runner.invoke(args=["books", "export", str(tmp_path / name)]).exit_code == 0
    report, _ = load((tmp_path / name).read_bytes(), "--strict", name=name)
    assert (counts(report), report["ignored"]) == ((0, 0, 2, 0), [])
    assert stored(client) == before


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.json", b"{}"),
        ("a.json", b"[1"),
        ("a.json", b"7"),
        ("a.xml", b"<book/>"),
        ("a.xml", b"<!DOCTYPE a><a/>"),
        ("a.xml", b"<catalogue>"),
    ],
)
def test_a_document_that_is_not_a_list_of_books_fails_in_one_line(load, client, name, content):
    _, result = load(content, "--on-error", "skip", name=name, fails=1)
    assert "nothing was stored" in one_line(result.stderr) and stored(client) == []


def test_xml_declares_its_own_encoding(load, client):
    body = "<catalogue><books><book><title>\u7d05</title></book></books></catalogue>".encode(
        "utf-16"
    )
    load(body, name="a.xml")
    load(body, "--encoding", "latin-1", name="a.xml", fails=1)
    assert [book["title"] for book in stored(client)] == ["\u7d05"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.json", b'[{"title": "Before"}, {"title": NaN},\n{"title": "After"}]'),
        (
            "a.xml",
            b"<catalogue><books><book><title>Before</title></book><book><title/></book>\n"
            b"<book><title>After</title></book></books></catalogue>",
        ),
    ],
)
def test_an_invalid_record_of_a_document_is_rejected_alone(load, client, name, content):
    report, _ = load(content, "--on-error", "skip", name=name)
    assert counts(report) == (2, 0, 0, 1)
    assert [reported["record"] for reported in report["errors"]] == [2]


def test_a_rejected_record_is_not_said_to_be_cut_or_left_out(load):
    rows = [["x" * 2001, ""], ["a\x01", ""], ["Emma", "soon"]]
    report, _ = load(csv_bytes(["title", "pages"], *rows), "--strict", fails=1)
    assert [error["detail"] for error in report["errors"]] == [
        "may have at most 2000 characters",
        "is not a text, or has a character that XML forbids",
        "is not a number of pages that can be read",
    ]


@pytest.mark.parametrize("end", [b"\x1a", b"\x1a\r\n"])
def test_the_end_of_a_file_of_dos_is_no_record(load, client, end):
    report, _ = load(b"title,pages\r\nEmma,3\r\n" + end)
    assert (counts(report), report["read"], report["warnings"]) == ((1, 0, 0, 0), 1, [])


def test_the_place_in_a_line_of_json_is_no_other_line(load):
    report, _ = load(b'{"title": "A"}\n{"title": "B"\n', "--on-error", "skip", name="a.jsonl")
    [error] = report["errors"]
    assert (error["line"], error["detail"].partition(" at ")[2]) == (2, "its character 15")
