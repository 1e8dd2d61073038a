"""Imports by command: which column is read as which field."""

import pytest

from helpers.import_command import EMMA
from helpers.support import csv_bytes, one_line, stored


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
