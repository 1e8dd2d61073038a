"""Export: every matching book in a complete file, which can be imported again."""

import csv
import gzip
import io
import json

import pytest
from lxml import etree

from bookapi.books import commands
from bookapi.books.schemas import FIELDS
from helpers.support import READ_ONLY, csv_bytes, jsonl_bytes, one_line, stored

BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen"],
        "isbn": "9780141439587",
        "language": "en",
        "published": "1815-12-23",
        "publisher": "Murray",
        "pages": 474,
        "subjects": ["Fiction", "Love stories"],
        "edition": "1",
        "identifiers": [
            {"scheme": "lccn", "value": "1"},
            {"scheme": "url", "value": "https://example.org/?a=1"},
        ],
        "series": "Classics",
        "series_number": "7",
        "cover_url": "https://example.org/a.jpg",
        "subtitle": "a novel",
    },
    {
        "title": "Les Mis\u00e9rables",
        "authors": ["Victor Hugo"],
        "language": "fr",
        "published": "1862",
    },
    {"title": "The Iliad", "authors": ["Homer"], "published": "-0720", "language": "en-GB"},
    {
        "title": "=1+1",
        "authors": ["@home", "+one | two", "a \\| b", "|"],
        "subjects": ["-", "'=quoted", "''", "\\"],
        "description": 'He said "no",\r\nand\n\tleft; <b>&amp;</b>\rend',
        "publisher": "'Tis",
    },
    {
        "title": "\u202eright to left\u202c \U0001f4da \u6f22\u5b57",
        "authors": ["\u0410\u043d\u043d\u0430"],
        "series": "-1",
    },
]
EMPTY = {"authors": [], "subjects": [], "identifiers": []}


@pytest.fixture
def filled(runner, client):
    """The catalogue with some books in it, each with something that a format trips over."""
    result = runner.invoke(
        args=["books", "import", "-", "--format", "jsonl"], input=jsonl_bytes(*BOOKS)
    )
    assert result.exit_code == 0, result.output
    return stored(client)


@pytest.fixture
def export(runner, tmp_path):
    """A function that exports to a file of that name and returns its bytes."""

    def run(name, *options):
        result = runner.invoke(args=["books", "export", str(tmp_path / name), *options])
        assert result.exit_code == 0, result.output
        return (tmp_path / name).read_bytes()

    return run


def from_json(content):
    return json.loads(content)["books"]


def from_jsonl(content):
    return [json.loads(line) for line in content.decode().split("\n") if line]


def from_xml(content):
    books = []
    for element in etree.fromstring(content).iterfind("books/book"):
        book = {**dict.fromkeys(FIELDS), **EMPTY}
        for child in element:
            book[child.tag] = _value(child)
        books.append(book)
    return books


def _value(element):
    if element.tag in EMPTY:
        return [
            {part.tag: part.text for part in item} if len(item) else item.text for item in element
        ]
    return int(element.text) if element.tag in ("id", "pages", "version") else element.text


@pytest.mark.parametrize(
    "name, read",
    [("a.json", from_json), ("a.jsonl", from_jsonl), ("a.ndjson", from_jsonl), ("a.xml", from_xml)],
)
def test_a_file_holds_every_book_with_every_field(filled, export, name, read):
    assert read(export(name)) == filled


def test_csv_has_the_documented_columns_and_one_row_for_each_book(filled, export):
    header, *rows = csv.reader(io.StringIO(export("a.csv").decode(), newline=""))
    assert header == list(FIELDS)
    assert [row[FIELDS.index("id")] for row in rows] == [str(book["id"]) for book in filled]


def test_csv_joins_lists_and_writes_identifiers_with_their_scheme(filled, export):
    row = next(csv.DictReader(io.StringIO(export("a.csv").decode(), newline="")))
    assert row["subjects"] == "Fiction | Love stories"
    assert row["identifiers"] == "lccn:1 | url:https://example.org/?a=1"


def test_csv_cells_are_protected_from_formulas(filled, export):
    rows = list(csv.reader(io.StringIO(export("a.csv").decode(), newline="")))
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r") and cell]
    assert rows[4][FIELDS.index("title")] == "'=1+1"


def test_xml_is_a_catalogue_without_a_doctype(filled, export):
    content = export("a.xml")
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert etree.fromstring(content).tag == "catalogue" and b"<!DOCTYPE" not in content


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.xml", "a.csv"])
def test_an_empty_catalogue_is_exported_too(client, export, name):
    content = export(name)
    assert content == {
        "a.json": b'{"books":[]}',
        "a.jsonl": b"",
        "a.csv": ",".join(FIELDS).encode() + b"\r\n",
    }.get(name, b'<?xml version="1.0" encoding="UTF-8"?>\n<catalogue><books></books></catalogue>')


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods"])
def test_a_format_that_is_read_only_is_no_name_for_an_export(runner, tmp_path, name):
    result = runner.invoke(args=["books", "export", str(tmp_path / name)])
    assert result.exit_code == 2 and "can only be imported" in result.stderr
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["json", "jsonl", "xml", "csv"])
def test_the_command_and_the_service_export_the_same_bytes(filled, export, client, name):
    answer = client.get("/books/export", query_string={"format": name})
    assert answer.status_code == 200
    assert answer.get_data() == export(f"a.{name}")


def test_the_format_may_be_named(filled, export):
    assert from_json(export("books.txt", "--format", "json")) == filled
    assert from_jsonl(export("books")) == filled


def test_a_name_with_gz_is_compressed(filled, export):
    assert from_jsonl(gzip.decompress(export("a.jsonl.gz"))) == filled


def test_a_dash_means_standard_output(filled, runner):
    result = runner.invoke(args=["books", "export", "-", "--format", "jsonl"])
    assert result.exit_code == 0
    assert from_jsonl(result.stdout_bytes) == filled


@pytest.mark.parametrize(
    "filters, titles",
    [
        (["language=en"], ["Emma", "The Iliad"]),
        (["language=eng"], ["Emma", "The Iliad"]),
        (["language=en-GB"], ["The Iliad"]),
        (["author=jane austen"], ["Emma"]),
        (["author=Homer", "author=VICTOR HUGO"], ["Les Mis\u00e9rables", "The Iliad"]),
        (["title=les miserables"], ["Les Mis\u00e9rables"]),
        (["title==1+1"], ["=1+1"]),
        (["isbn=0-14-143958-0"], ["Emma"]),
        (["language=en", "author=Homer"], ["The Iliad"]),
        (["language=en", "sort=-title"], ["The Iliad", "Emma"]),
        (["author=Nobody"], []),
    ],
)
def test_filters_work_as_over_http(filled, export, filters, titles):
    options = [part for text in filters for part in ("--filter", text)]
    assert [book["title"] for book in from_jsonl(export("a.jsonl", *options))] == titles


@pytest.mark.parametrize(
    "text",
    [
        "colour=red",
        "isbn=12",
        "sort=colour",
        "limit=3",
        "page=2",
        "language=english please",
        "title=",
    ],
)
def test_an_invalid_filter_is_wrong_usage(filled, runner, tmp_path, text):
    result = runner.invoke(args=["books", "export", str(tmp_path / "a.csv"), "--filter", text])
    assert result.exit_code == 2
    assert text.partition("=")[0] in result.stderr
    assert not (tmp_path / "a.csv").exists()


# -- whole or not there ----------------------------------------------------------------


@pytest.fixture
def breaking(monkeypatch, filled):
    """An export that breaks off after some books."""

    def some(listing):
        yield from filled
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commands.queries, "export", lambda listing: ((1, 2), some(listing)))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv.gz"])
def test_a_failed_export_leaves_the_older_file_unchanged(breaking, runner, tmp_path, name):
    (tmp_path / name).write_bytes(b"the older one")
    result = runner.invoke(args=["books", "export", str(tmp_path / name)])
    assert result.exit_code == 1 and "No space left" in one_line(result.stderr)
    assert (tmp_path / name).read_bytes() == b"the older one"


def files_in(folder):
    """The names of its files, but those that SQLite keeps while the database is open."""
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if not name.endswith(("-shm", "-wal")))


def test_a_failed_export_leaves_no_file(breaking, runner, tmp_path):
    before = files_in(tmp_path)
    assert runner.invoke(args=["books", "export", str(tmp_path / "a.xml")]).exit_code == 1
    assert files_in(tmp_path) == before


def test_an_export_replaces_an_older_file_and_leaves_no_temporary_file(filled, export, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"the older one")
    before = files_in(tmp_path)
    assert from_jsonl(export("a.jsonl")) == filled
    assert files_in(tmp_path) == before


def test_an_export_leaves_other_files_unchanged(filled, export, tmp_path):
    (tmp_path / "a.jsonl.part").write_bytes(b"somebody's own")
    export("a.jsonl")
    assert (tmp_path / "a.jsonl.part").read_bytes() == b"somebody's own"


@pytest.mark.parametrize("name", ["", "none/a.csv"])
def test_an_unwritable_path_is_reported_in_one_line(filled, runner, tmp_path, name):
    result = runner.invoke(args=["books", "export", str(tmp_path / name)])
    assert result.exit_code == 1
    assert str(tmp_path / name) in one_line(result.stderr)


# -- there and back --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.csv.gz", "a.jsonl.gz"])
@pytest.mark.parametrize("strict", [[], ["--strict"]])
def test_importing_an_export_changes_no_book(
    filled, export, runner, client, tmp_path, name, strict
):
    named = [book for book in filled if book["isbn"] or book["identifiers"]]
    content = export(name, "--filter", "author=Jane Austen")
    assert content and len(named) == 1
    result = runner.invoke(args=["books", "import", str(tmp_path / name), *strict])
    assert result.stdout.strip() == "1 read, 0 created, 0 updated, 1 unchanged, 0 rejected"
    assert stored(client) == filled


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json", "a.xml"])
def test_an_export_imported_again_changes_nothing(filled, export, runner, client, tmp_path, name):
    export(name)
    result = runner.invoke(args=["books", "import", str(tmp_path / name), "--strict"])
    assert result.exit_code == 0, result.output
    assert stored(client) == filled


def test_an_export_with_reordered_columns_can_be_imported(filled, export, runner, client, tmp_path):
    header, *rows = csv.reader(
        io.StringIO(export("a.csv", "--filter", "isbn=9780141439587").decode(), newline="")
    )
    (tmp_path / "b.csv").write_bytes(csv_bytes(header[::-1], *[row[::-1] for row in rows]))
    result = runner.invoke(args=["books", "import", str(tmp_path / "b.csv"), "--strict"])
    assert "1 unchanged" in result.stdout
    assert set(READ_ONLY) < set(header)
