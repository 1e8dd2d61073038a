"""Imports by command: what is reported."""

import csv
import json

import pytest

from helpers.support import csv_bytes, one_line, stored


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
