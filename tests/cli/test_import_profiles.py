"""Exports of other programs, recognised by their columns: what comes in, and that it does so
once."""

import json

import pytest

from bookapi.books.imports import profiles
from helpers.instance import DATA
from helpers.support import stored

EXPORTS = {
    "calibre_catalog.csv": ("calibre", 3),
    "calibredb_for_machine.json": ("calibre", 3),
    "goodreads.csv": ("goodreads", 5),
    "librarything.tsv": ("librarything", 3),
    "librarything.json": ("librarything", 2),
    "storygraph.csv": ("storygraph", 4),
    "bookwyrm.csv": ("bookwyrm", 3),
    "openlibrary_editions.jsonl": ("openlibrary", 3),
    "zotero.csv": ("zotero", 2),
    "koha_report.csv": ("koha", 3),
    "libib.csv": ("libib", 2),
    "openreads.csv": ("openreads", 2),
    "book_catalogue.csv": ("bookcatalogue", 2),
    "inventaire.csv": ("inventaire", 2),
    "hardcover.csv": ("hardcover", 2),
    "calibre.xml": ("calibre", 2),
    "cp1252.csv": (None, 3),
    "utf16_excel.txt": (None, 3),
    "same_isbn_volumes.csv": (None, 3),
    "work_level_identifier.csv": (None, 3),
    "own_export_shared_identifier.jsonl": (None, 2),
}
EMMA = {
    "calibre_catalog.csv": {"published": "1815-12-23", "language": "en", "series_number": "8"},
    "goodreads.csv": {"published": "2003", "pages": 474, "copies": 0},
    "librarything.tsv": {"pages": 474, "language": "en", "call_number": "PR4034 .E5", "copies": 1},
    "openlibrary_editions.jsonl": {"published": "2003-04-29", "language": "en", "pages": 474},
    "zotero.csv": {"pages": 474, "language": "en-GB", "call_number": "PR4034"},
    "koha_report.csv": {"title": "Emma", "publisher": "Penguin Books", "pages": 474},
    "libib.csv": {
        "publisher": "Penguin",
        "published": "2003-04-29",
        "pages": 474,
        "subjects": ["classics", "reread"],
        "location": "Hall",
        "copies": 2,
        "identifiers": [],
    },
    "openreads.csv": {
        "published": "2003",
        "pages": 474,
        "subjects": ["classics", "reread"],
        "identifiers": [{"scheme": "openlibrary", "value": "OL24364628M"}],
    },
    "book_catalogue.csv": {
        "authors": ["Austen, Jane", "Kinsley, James"],
        "series": "Highbury",
        "series_number": "4",
        "language": "en",
        "subjects": ["Fiction", "Novels"],
        "location": "Hall",
        "identifiers": [
            {"scheme": "goodreads", "value": "6969"},
            {"scheme": "book-catalogue", "value": "00000000000040008000000000000001"},
        ],
    },
    "inventaire.csv": {
        "published": "2003-04-29",
        "publisher": "Penguin",
        "pages": 474,
        "language": "en",
        "subjects": ["novel"],
        "location": "Hall",
        "cover_url": "https://inventaire.io/img/entities/abc",
    },
    "hardcover.csv": {
        "series": "Chronicles of Highbury",
        "published": "2003-04-29",
        "language": "en",
        "identifiers": [
            {"scheme": "hardcover-work", "value": "435"},
            {"scheme": "hardcover", "value": "1001"},
        ],
    },
    "calibre.xml": {
        "authors": ["Jane Austen"],
        "published": "1815-12-23",
        "series": "Penguin Classics",
        "series_number": "8",
        "subjects": ["Classics", "Fiction, Romance"],
        "description": "A novel of matchmaking.",
        "cover_url": None,
    },
}
OTHER = {
    "libib.csv": {"authors": ["First Person", "Second Person"], "location": "Attic"},
    "openreads.csv": {"authors": ["First Person", "Second Person"], "subtitle": "In Parts"},
    "book_catalogue.csv": {
        "series": "Les Rougon-Macquart",
        "series_number": "3",
        "identifiers": [{"scheme": "book-catalogue", "value": "00000000000040008000000000000002"}],
    },
    "inventaire.csv": {"title": "Stories of Two", "authors": ["First Person", "Second Person"]},
    "hardcover.csv": {"title": "Emma", "isbn": None, "published": "2015"},
    "calibre.xml": {"authors": ["First Person", "Second Person"], "published": None},
}


@pytest.fixture
def load(runner, tmp_path):
    def run(name):
        report = tmp_path / "report.json"
        arguments = ["books", "import", str(DATA / "exports" / name), "--report", str(report)]
        result = runner.invoke(args=arguments)
        assert result.exit_code == 0, result.output
        return json.loads(report.read_text())

    return run


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_comes_in_once(load, client, name):
    profile, number = EXPORTS[name]
    report = load(name)
    assert (report["profile"], report["read"], report["created"]) == (profile, number, number)
    before = stored(client)
    again = load(name)
    assert (again["unchanged"], again["rejected"]) == (number, 0)
    assert stored(client) == before


@pytest.mark.parametrize("name", EMMA)
def test_the_values_of_an_export_come_in(load, client, name):
    load(name)
    [emma] = [book for book in stored(client) if book["isbn"] == "9780141439587"]
    assert {field: emma[field] for field in EMMA[name]} == EMMA[name]


@pytest.mark.parametrize("name", OTHER)
def test_the_second_book_of_an_export_has_its_own_values(load, client, name):
    load(name)
    other = stored(client)[1]
    assert {field: other[field] for field in OTHER[name]} == OTHER[name]


def test_every_profile_is_small_and_says_how_it_is_recognised():
    folder = [*profiles.all_profiles().values()]
    assert len(profiles.names()) >= 13
    assert all(profile.recognise and profile.fields["title"] for profile in folder)
