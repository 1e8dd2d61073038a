"""Imports by command: rows and values of an unusual shape."""

import json

import pytest

from helpers.import_command import EMMA, OTHER, counts
from helpers.support import csv_bytes, jsonl_bytes, own_fields, stored


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
