"""Imports by command: compressed files, standard input, files that cannot be read."""

import gzip

import pytest

from helpers.support import csv_bytes, jsonl_bytes, one_line, stored


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
