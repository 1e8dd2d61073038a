"""Real catalogues, imported, exported in three formats, and compared field by field.

What is expected is computed here from the source alone, independently of the service.
"""

import csv
import json
import shutil
import unicodedata
from pathlib import Path

import pytest
from lxml import etree

from bookapi import create_app
from bookapi.db import db
from helpers import data
from helpers.data import open_catalogue
from helpers.instance import DATA, DATABASE_URL, add_accounts, settings, wipe
from helpers.support import csv_bytes

pytestmark = pytest.mark.slow

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


def goodbooks():
    for row in csv.DictReader(open_catalogue("goodbooks-1k.csv.gz")):
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


def gutenberg():
    for row in csv.DictReader(open_catalogue("gutenberg-5k.csv.gz")):
        yield {
            **EMPTY,
            "title": text(row["title"]),
            "authors": [text(row["author"])] if row["author"] else [],
            "language": row["language"].split("/")[0] or None,
        }


def library_of_congress():
    taken = {}
    for line in open_catalogue("loc-10k.jsonl.gz"):
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


CATALOGUES = {
    "goodbooks": (goodbooks, "goodbooks-1k.csv.gz", ["--split", "authors=, "]),
    "gutenberg": (gutenberg, "gutenberg-5k.csv.gz", []),
    "library of congress": (library_of_congress, "loc-10k.jsonl.gz", []),
}


class Imported:
    """A catalogue that was imported and exported: what is expected, the report, and the exported
    files.
    """

    def __init__(self, app, name, folder):
        expected, source, options = CATALOGUES[name]
        self.name, self.expected = name, list(expected())
        invoke = app.test_cli_runner().invoke
        report = folder / "report.json"
        path = str(data.CATALOGUES / source)
        self.results = [invoke(args=["books", "import", path, "--report", str(report), *options])]
        self.report = json.loads(report.read_text())
        self.files = {suffix: folder / f"export.{suffix}" for suffix in ("jsonl", "csv", "xml")}
        self.results += [
            invoke(args=["books", "export", str(path)]) for path in self.files.values()
        ]


@pytest.fixture(scope="module", params=CATALOGUES)
def imported(request, template, tmp_path_factory):
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
    yield Imported(app, request.param, folder)
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
                dict(zip(("scheme", "value"), item.split(":", 1), strict=False))
                for item in lists["identifiers"]
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


def test_every_command_succeeds_without_errors(imported):
    assert [result.exit_code for result in imported.results] == [0] * 4
    assert imported.report["rejected"] == 0 and imported.report["errors"] == []


@pytest.mark.parametrize("suffix", READERS)
def test_every_field_of_every_book_equals_the_source(imported, suffix):
    books = list(READERS[suffix](imported.files[suffix]))
    assert len(books) == len(imported.expected)
    for number, (book, expected) in enumerate(zip(books, imported.expected, strict=False), 1):
        for field, value in expected.items():
            if value is not ...:
                assert book[field] == value, f"book {number}, {field}"


def test_lenient_conversions_are_reported(imported):
    reported = {entry["field"] for entry in imported.report["warnings"]}
    assert (
        reported
        == {
            "goodbooks": {"isbn"},
            "gutenberg": {"language", "isbn"},
            "library of congress": {"isbn", "published", "series", "edition", "language"},
        }[imported.name]
    )
    assert all(entry["value"] for entry in imported.report["warnings"] if "record" in entry)


def test_exactly_the_valid_isbns_are_kept(imported):
    numbers = [book["isbn"] for book in jsonl_books(imported.files["jsonl"]) if book["isbn"]]
    assert len(numbers) == len(set(numbers))
    assert (imported.report["created"], len(numbers)) == {
        "goodbooks": (1000, 976),
        "gutenberg": (5000, 0),
        "library of congress": (10000, LOC_ISBNS),
    }[imported.name]


def test_unknown_columns_are_reported(imported):
    ignored = {
        "goodbooks": "average_rating",
        "gutenberg": "has_text",
        "library of congress": "lccn",
    }[imported.name]
    assert ignored in imported.report["ignored"]
    assert len(set(imported.report["ignored"])) == len(imported.report["ignored"])


GOODREADS = [
    # The columns of Goodreads' "export library" that matter here; ISBNs are formulas there.
    ["Book Id", "Title", "Author", "Additional Authors", "ISBN", "ISBN13", "My Rating"]
    + ["Publisher", "Number of Pages", "Year Published", "Original Publication Year"],
    ["1", "Emma (Novels, #4)", "Jane Austen", "A. Editor, B. Editor"]
    + ['="0141439580"', '="9780141439587"', "0", "Example Press", "474", "2003", "1815"],
    ["2", "Range", "David   Example", "", '="080442957X"', '="9780804429573"', "0"]
    + ["", "352", "2019", "2019"],
    ["3", "Untold", "Somebody", "", '=""', '=""', "0", "", "352", "2019", "2019"],
]


def test_a_goodreads_export_with_formula_cells_is_imported(runner, tmp_path):
    path = tmp_path / "goodreads_library_export.csv"
    path.write_bytes(csv_bytes(*GOODREADS))
    assert runner.invoke(args=["books", "import", str(path)]).exit_code == 0
    runner.invoke(args=["books", "export", str(tmp_path / "a.jsonl")])
    assert [
        (book["isbn"], book["pages"], book["published"])
        for book in jsonl_books(tmp_path / "a.jsonl")
    ] == [("9780141439587", 474, "2003"), ("9780804429573", 352, "2019"), (None, 352, "2019")]


@pytest.mark.parametrize("repeated", [1, 3, 20])
def test_letters_that_were_taken_for_windows_1252_twice_make_no_japanese(
    runner, tmp_path, repeated
):
    path = tmp_path / "books.csv"
    rows = [[f"Book {number}", "Somebody"] for number in range(30)]
    rows += [["Die MÃ?Â¼hle", "Karin GÃ?Â¤nsler"], ["Le pÃ?Â¨re", "Anne PrÃ?Â©"]] * repeated
    path.write_bytes(csv_bytes(["title", "authors"], *rows, encoding="cp1252"))
    assert "windows-1252" in runner.invoke(args=["books", "import", str(path)]).stderr
    runner.invoke(args=["books", "export", str(tmp_path / "a.jsonl")])
    assert jsonl_books(tmp_path / "a.jsonl")[30]["title"] == "Die MÃ?Â¼hle"


@pytest.mark.parametrize(
    "name",
    ["Zoë", "¿Quién?", "Châtelet, Émilie", "Güneş Öz", "Ñandú", "ZoÃ?", "Señor´s"],
)
def test_few_western_letters_are_never_taken_for_another_script(runner, tmp_path, name):
    path = tmp_path / "books.csv"
    rows = [[f"Book {number}", "Somebody"] for number in range(30)]
    written = csv_bytes(["title", "authors"], *rows, *[["Book", name]] * 5, encoding="cp1254")
    path.write_bytes(written)
    assert "windows-1252" in runner.invoke(args=["books", "import", str(path)]).stderr


@pytest.mark.parametrize("options", [[], ["--encoding", "cp1252"]])
def test_a_catalogue_in_windows_1252_is_read(runner, tmp_path, options):
    path = tmp_path / "books.csv"
    rows = [[f"Book {number}", f"Zoë Châtelet {number}"] for number in range(500)]
    path.write_bytes(csv_bytes(["title", "authors"], *rows, encoding="cp1252"))
    read = runner.invoke(args=["books", "import", str(path), *options])
    assert read.exit_code == 0 and read.stdout.startswith("500 read")
    assert "windows-1252" in read.stderr
    runner.invoke(args=["books", "export", str(tmp_path / "a.jsonl")])
    assert [book["authors"] for book in jsonl_books(tmp_path / "a.jsonl")] == [
        [author] for _, author in rows
    ]


@pytest.mark.parametrize(
    "name",
    ["comma_in_quotes", "empty_crlf", "json", "newlines", "quotes_and_newlines", "simple_crlf"],
)
def test_csv_spectrum_files_are_imported_as_their_json(runner, tmp_path, name):
    """Of the first column made titles; a table without a title says so by record."""
    expected = json.loads(data.read_text(f"csv/{name}.json"))
    first = next(iter(expected[0]))
    path = str(DATA / "csv" / f"{name}.csv")
    result = runner.invoke(args=["books", "import", path, "--column", f"title={first}"])
    assert result.exit_code == 0, result.output
    runner.invoke(args=["books", "export", str(tmp_path / "a.jsonl")])
    assert [book["title"] for book in jsonl_books(tmp_path / "a.jsonl")] == [
        record[first] for record in expected
    ]
