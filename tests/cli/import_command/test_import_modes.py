"""Imports by command: modes, strict imports, dry runs."""

import pytest

from helpers.import_command import EMMA, OTHER, counts
from helpers.support import csv_bytes, jsonl_bytes, stored


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
