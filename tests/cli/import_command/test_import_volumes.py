"""Imports by command: volumes of a set, and records of one book."""

from helpers.import_command import EMMA, OTHER, counts
from helpers.support import csv_bytes, jsonl_bytes, stored

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
