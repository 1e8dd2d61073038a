"""Files that are cut or damaged: the place is named, `abort` stores nothing, `skip` exactly what is
whole.
"""

import gzip
import random
import re

import pytest

from helpers.support import csv_bytes, jsonl_bytes, stored

WHOLE = [f"Book {number}" for number in range(40)]
ROWS = csv_bytes(["title", "subtitle"], *[[title, "é" * 20] for title in WHOLE])
LINES = jsonl_bytes(*[{"title": title} for title in WHOLE])
LIST = b"[" + LINES.replace(b"\n", b",").rstrip(b",") + b"]"
XML = (
    b"<catalogue><books>"
    + b"".join(b"<book><title>%s</title></book>" % title.encode() for title in WHOLE)
    + b"</books></catalogue>"
)
NOISE = random.Random(1).randbytes(300_000).hex().encode()  # so that gzip has several blocks
LONG = b"title,subtitle\n" + b"".join(
    b"Long %d,%s\n" % (n, NOISE[n * 900 :][:900]) for n in range(600)
)
GZIP = gzip.compress(LONG)


def at(content, title, more=0):
    """Where the record of a title begins."""
    return content.index(title.encode()) + more


# name of the file, its bytes, the titles that are whole, the place that is named
CASES = {
    "CSV cut in a quoted field": ("a.csv", ROWS + b'"Cut', WHOLE, "line 42"),
    "CSV cut in a character": ("a.csv", ROWS + "Cut,é".encode()[:-1], WHOLE, "line 42"),
    "CSV with a quote that never closes": (
        "a.csv",
        ROWS[: at(ROWS, "Book 20")] + b'"' + ROWS[at(ROWS, "Book 20") :],
        WHOLE[:20] + WHOLE[21:],
        "line 22",
    ),
    "JSON Lines cut in a record": ("a.jsonl", LINES[:-5], WHOLE[:-1], "line 40"),
    "JSON Lines cut in a character": (
        "a.jsonl",
        LINES + '{"title": "é'.encode()[:-1],
        WHOLE,
        "line 41",
    ),
    "JSON cut in a record": ("a.json", LIST[:-5], WHOLE[:-1], "record 40|line 1"),
    "JSON cut between records": ("a.json", LIST[:-1], WHOLE, "record 41|line 1"),
    "XML cut in a record": ("a.xml", XML[: at(XML, "Book 30", 3)], WHOLE[:30], "record 31|line 1"),
    "XML cut in a character": (
        "a.xml",
        XML[: at(XML, "Book 39")] + "é".encode()[:1],
        WHOLE[:39],
        "record (39|40)",
    ),
}


@pytest.fixture
def bring(runner, tmp_path):
    def run(name, content, *options):
        path = tmp_path / name
        path.write_bytes(content)
        result = runner.invoke(args=["books", "import", str(path), *options])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "line 0" not in result.output and "record 0" not in result.output
        return result

    return run


@pytest.mark.parametrize("case", CASES)
def test_a_broken_file_is_refused_with_the_place_or_read_but_for_that(bring, client, case):
    name, content, titles, place = CASES[case]
    refused = bring(name, content)
    assert refused.exit_code == 1 and re.search(place, refused.output), refused.output
    assert "nothing was stored" in refused.output and stored(client) == []
    read = bring(name, content, "--on-error", "skip")
    assert read.exit_code == 0 and re.search(place, read.output), read.output
    assert [book["title"] for book in stored(client)] == titles


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_gzip_file_that_is_damaged_in_the_middle_is_read_up_to_there(bring, client, damage):
    half = len(GZIP) // 2
    content = GZIP[:half] if damage == "cut" else GZIP[:half] + b"\xff" * 9999
    refused = bring("a.csv.gz", content)
    assert refused.exit_code == 1 and "gzip" in refused.output and stored(client) == []
    assert re.search(r"record \d+", refused.output), refused.output
    read = bring("a.csv.gz", content, "--on-error", "skip")
    assert read.exit_code == 0, read.output
    titles = [book["title"] for book in stored(client)]
    assert 100 < len(titles) < 600 and titles == [f"Long {n}" for n in range(len(titles))]


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.xml", "a.xlsx", "a.csv.gz"])
def test_an_empty_file_is_refused(bring, client, name):
    content = gzip.compress(b"") if name.endswith(".gz") else b""
    for options in ([], ["--on-error", "skip"]):
        refused = bring(name, content, *options)
        assert refused.exit_code == 1 and "the file is empty" in refused.output
    assert stored(client) == []
