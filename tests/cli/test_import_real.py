"""Real catalogues: imported whole, exported in three formats, and compared with the source field by field.

What is expected is worked out here from the source alone, by other means than the service's own.
"""

import csv
import gzip
import io
import itertools
import json
import shutil
import unicodedata
from pathlib import Path

import pytest
from lxml import etree

from bookapi import create_app
from bookapi.db import db
from helpers.instance import DATABASE_URL, add_accounts, settings, wipe

GUTENBERG_CUT = 5000
LOC_ISBNS = 6873
TEXTS = (
    "title",
    "subtitle",
    "publisher",
    "published",
    "language",
    "series",
    "series_number",
    "edition",
    "description",
    "cover_url",
)
LISTS = ("authors", "subjects", "identifiers")
EMPTY = {
    **dict.fromkeys(TEXTS),
    "isbn": None,
    "pages": None,
    "authors": [],
    "subjects": [],
    "identifiers": [],
}
LANGUAGES = {
    "": None,
    "eng": "en",
    "ger": "de",
    "spa": "es",
    "fre": "fr",
    "rus": "ru",
    "ita": "it",
    "chi": "zh",
    "jpn": "ja",
    "heb": "he",
    "ind": "id",
    "ara": "ar",
    "por": "pt",
    "dut": "nl",
    "pol": "pl",
    "kor": "ko",
    "gre": "el",
    "swe": "sv",
    "hun": "hu",
    "per": "fa",
    "arm": "hy",
    "ukr": "uk",
    "tha": "th",
    "tur": "tr",
    "rum": "ro",
    "cat": "ca",
    "cze": "cs",
    "bul": "bg",
    "urd": "ur",
    "lat": "la",
    "hin": "hi",
    "nor": "no",
    "dan": "da",
    "vie": "vi",
    "mul": "mul",
    "fil": "fil",
}


def text(value):
    return unicodedata.normalize("NFC", value).strip() or None


def isbn13(digits):
    """The thirteen digits of ten or thirteen whose check digit holds, else None."""
    digits = digits.replace("-", "").upper()
    if len(digits) == 13 and digits.isdigit() and digits[:3] in ("978", "979"):
        total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
        return digits if total % 10 == 0 else None
    if len(digits) == 10 and digits[:9].isdigit() and (digits[9].isdigit() or digits[9] == "X"):
        total = sum(
            (10 if digit == "X" else int(digit)) * (10 - place)
            for place, digit in enumerate(digits)
        )
        if total % 11 == 0:
            body = "978" + digits[:9]
            return body + str(
                -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body)) % 10
            )
    return None


def goodbooks(shared):
    for row in csv.DictReader(_opened(shared, "goodbooks-10k.csv.gz")):
        year = row["original_publication_year"]
        language = row["language_code"]
        yield {
            **EMPTY,
            "title": text(row["title"]),
            "cover_url": row["image_url"],
            "authors": [text(name) for name in row["authors"].split(", ") if name.strip()],
            "isbn": row["isbn"] and isbn13(row["isbn"].zfill(10)) or None,
            "language": LANGUAGES.get(language, language),
            "published": ("-" if float(year) < 0 else "") + f"{abs(int(float(year))):04d}"
            if year
            else None,
        }


def gutenberg(shared):
    for row in itertools.islice(
        csv.DictReader(_opened(shared, "gutenberg-1.csv.gz")), GUTENBERG_CUT
    ):
        yield {
            **EMPTY,
            "title": text(row["title"]),
            "authors": [text(row["author"])] if row["author"] else [],
            "language": row["language"].split("/")[0] or None,
        }


def library_of_congress(shared):
    taken = {}
    for line in _opened(shared, "loc-10k.jsonl.gz"):
        source = json.loads(line)
        numbers = dict.fromkeys(
            filter(None, (isbn13(value.split(" ")[0].strip(":;,(")) for value in source["isbn"]))
        )
        own, *further = numbers or [None]
        book = {
            **EMPTY,
            "title": text(source["title"]),
            "authors": [text(name) for name in source["authors"]],
            "isbn": own,
            "identifiers": [{"scheme": "isbn", "value": number} for number in further],
            "publisher": text(source["publisher"]),
            "edition": (text(source["edition"]) or "")[:200].strip() or None,
            "published": source["year"]
            if source["year"].isdigit() and len(source["year"]) == 4
            else None,
            "language": LANGUAGES.get(source["language"], ...),
            "series": text((source["series"] or [""])[0]),
            "subjects": [text(subject) for subject in source["subjects"]],
        }
        if own in taken:  # the same title again: the same book
            assert taken[own]["title"] == book["title"]
            taken[own].update(book)
        else:
            if own:
                taken[own] = book
            yield book


def _opened(shared, name):
    return io.TextIOWrapper(
        gzip.open(shared / "data" / "catalogues" / name), encoding="utf-8", newline=""
    )


def _cut(shared, folder):
    """The first rows of Gutenberg's catalogue, as they stand."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(
        itertools.islice(csv.reader(_opened(shared, "gutenberg-1.csv.gz")), GUTENBERG_CUT + 1)
    )
    path = folder / "gutenberg.csv"
    path.write_bytes(out.getvalue().encode())
    return path


def _whole(name):
    return lambda shared, folder: shared / "data" / "catalogues" / name


CATALOGUES = {
    "goodbooks": (goodbooks, _whole("goodbooks-10k.csv.gz"), ["--split", "authors=, "]),
    "gutenberg": (gutenberg, _cut, []),
    "library of congress": (library_of_congress, _whole("loc-10k.jsonl.gz"), []),
}


class Imported:
    """A catalogue that was imported and exported: what is expected, the report, and the exported files."""

    def __init__(self, app, shared, name, folder):
        expected, source, options = CATALOGUES[name]
        self.name, self.expected = name, list(expected(shared))
        invoke = app.test_cli_runner().invoke
        report = folder / "report.json"
        path = str(source(shared, folder))
        self.results = [invoke(args=["books", "import", path, "--report", str(report), *options])]
        self.report = json.loads(report.read_text())
        self.files = {suffix: folder / f"export.{suffix}" for suffix in ("jsonl", "csv", "xml")}
        self.results += [
            invoke(args=["books", "export", str(path)]) for path in self.files.values()
        ]


@pytest.fixture(scope="module", params=CATALOGUES)
def imported(request, shared, template, tmp_path_factory):
    """Each catalogue in a database of its own (on a server: in the one there is, emptied)."""
    folder = tmp_path_factory.mktemp("real")
    with template.app_context():
        if DATABASE_URL:
            db.write(wipe)
            db.write(add_accounts, template.password_hash)
        else:
            db.engine.dispose()
            shutil.copy(Path(template.instance_path) / "bookapi.sqlite", folder)
    app = create_app(settings(folder))
    yield Imported(app, shared, request.param, folder)
    with app.app_context():
        db.engine.dispose()


def jsonl_books(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def csv_books(path):
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cells = {
                name: (
                    cell[1:]
                    if cell[:1] == "'" and cell.lstrip("'")[:1] in tuple("=+-@\t\r")
                    else cell
                )
                or None
                for name, cell in row.items()
            }
            lists = {name: cells[name].split(" | ") if cells[name] else [] for name in LISTS}
            lists["identifiers"] = [
                dict(zip(("scheme", "value"), item.split(":", 1))) for item in lists["identifiers"]
            ]
            yield {**cells, **lists, "pages": cells["pages"] and int(cells["pages"])}


def xml_books(path):
    for _, element in etree.iterparse(path, tag="book"):
        book = {**EMPTY, **{child.tag: child.text for child in element}}
        yield {
            **book,
            **{name: [_item(item) for item in element.iterfind(f"{name}/*")] for name in LISTS},
        }


def _item(element):
    return {child.tag: child.text for child in element} if len(element) else element.text


READERS = {"jsonl": jsonl_books, "csv": csv_books, "xml": xml_books}


def test_every_command_is_done_without_a_word_about_failure(imported):
    assert [result.exit_code for result in imported.results] == [0] * 4
    assert imported.report["rejected"] == 0 and imported.report["errors"] == []


@pytest.mark.parametrize("suffix", READERS)
def test_every_field_of_every_book_is_what_the_source_says(imported, suffix):
    books = list(READERS[suffix](imported.files[suffix]))
    assert len(books) == len(imported.expected)
    for number, (book, expected) in enumerate(zip(books, imported.expected), 1):
        for field, value in expected.items():
            if value is not ...:
                assert book[field] == value, f"book {number}, {field}"


def test_what_was_read_leniently_was_told(imported):
    told = {entry["field"] for entry in imported.report["warnings"]}
    assert (
        told
        == {
            "goodbooks": {"isbn"},
            "gutenberg": {"language"},
            "library of congress": {"isbn", "published", "series", "edition"},
        }[imported.name]
    )
    assert all(entry["value"] for entry in imported.report["warnings"])


def test_every_isbn_that_can_be_known_is_kept_and_no_other(imported):
    numbers = [book["isbn"] for book in jsonl_books(imported.files["jsonl"]) if book["isbn"]]
    assert len(numbers) == len(set(numbers))
    assert (imported.report["created"], len(numbers)) == {
        "goodbooks": (10000, 9277),
        "gutenberg": (GUTENBERG_CUT, 0),
        "library of congress": (10000, LOC_ISBNS),
    }[imported.name]


def test_the_columns_that_are_not_ours_were_named(imported):
    ignored = {
        "goodbooks": "average_rating",
        "gutenberg": "has_text",
        "library of congress": "lccn",
    }[imported.name]
    assert ignored in imported.report["ignored"]
    assert len(set(imported.report["ignored"])) == len(imported.report["ignored"])


def test_a_goodreads_library_with_its_formula_cells_comes_in(runner, shared, tmp_path):
    path = shared / "data" / "catalogues" / "goodreads-library-export.csv"
    assert runner.invoke(args=["books", "import", str(path)]).exit_code == 0
    runner.invoke(args=["books", "export", str(tmp_path / "a.jsonl")])
    assert [
        (book["isbn"], book["pages"], book["published"])
        for book in jsonl_books(tmp_path / "a.jsonl")
    ] == [("9780142402498", 160, "1945"), ("9780735214484", 352, "2019"), (None, 352, "2019")]


def test_a_catalogue_in_windows_1252_is_refused_as_utf_8_and_read_when_it_is_named(runner, shared):
    path = str(shared / "data" / "catalogues" / "goodreads-11k-odd.csv.gz")
    refused = runner.invoke(args=["books", "import", path, "--dry-run"])
    assert refused.exit_code == 1 and "encoding" in refused.stderr
    read = runner.invoke(
        args=["books", "import", path, "--dry-run", "--encoding", "cp1252", "--on-error", "skip"]
    )
    assert read.exit_code == 0 and read.stdout.startswith("5564 read")


@pytest.mark.parametrize(
    "name",
    ["comma_in_quotes", "empty_crlf", "json", "newlines", "quotes_and_newlines", "simple_crlf"],
)
def test_the_csv_of_other_projects_reads_as_they_say(runner, shared, tmp_path, name):
    """Of the first column made titles; a table without a title says so by record."""
    expected = json.loads((shared / "data" / "csv" / f"{name}.json").read_text())
    first = next(iter(expected[0]))
    path = str(shared / "data" / "csv" / f"{name}.csv")
    result = runner.invoke(args=["books", "import", path, "--column", f"title={first}"])
    assert result.exit_code == 0, result.output
    runner.invoke(args=["books", "export", str(tmp_path / "a.jsonl")])
    assert [book["title"] for book in jsonl_books(tmp_path / "a.jsonl")] == [
        record[first] for record in expected
    ]
