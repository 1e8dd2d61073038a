"""Imports by command: JSON, XML and JSON Lines."""

import pytest

from helpers.import_command import EMMA, counts
from helpers.support import csv_bytes, jsonl_bytes, one_line, stored

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
