"""Imports by command: delimiters and encodings."""

import codecs

import pytest

from helpers.support import csv_bytes, jsonl_bytes, one_line, stored


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_detected_from_the_header(load, client, delimiter):
    load(
        csv_bytes(
            ["title", "authors", "pages"],
            ["Emma, or: not; so", "Austen, Jane", 474],
            delimiter=delimiter,
        )
    )
    [book] = stored(client)
    assert (book["title"], book["authors"], book["pages"]) == (
        "Emma, or: not; so",
        ["Austen, Jane"],
        474,
    )


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "utf-16", "utf-8-sig", "UTF-8", "mac-roman"]
)
def test_the_encoding_option_is_used(load, client, encoding):
    load(csv_bytes(["title"], ["Les Mis\u00e9rables"], encoding=encoding), "--encoding", encoding)
    assert [book["title"] for book in stored(client)] == ["Les Mis\u00e9rables"]


def test_capitals_alone_are_taken_for_windows_1252(load, client):
    rows = [["Ö", "ÅÄÖ"], ["ÄÖÜ", "É"]]
    report, _ = load(csv_bytes(["title", "authors"], *rows, encoding="cp1252"))
    assert report["encoding"] == "windows-1252"
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


CYRILLIC = [
    ["Война и мир", "Лев Толстой"],
    ["Мёртвые души", "Николай Гоголь"],
    ["Отцы и дети", "Иван Тургенев"],
]


@pytest.mark.parametrize("written", ["cp1251", "koi8-r"])
@pytest.mark.parametrize("case", [str, str.upper, str.lower])
@pytest.mark.parametrize("beside", ["", "London: Penguin Books, a novel of manners in paperback"])
def test_cyrillic_is_recognised_in_capitals_too(load, client, written, case, beside):
    rows = [[case(title), case(author)] for title, author in CYRILLIC]
    table = [[*row, beside] for row in rows]
    load(csv_bytes(["title", "authors", "publisher"], *table, encoding=written))
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


def test_a_single_record_in_cyrillic_capitals_is_no_japanese(load, client):
    rows = [["ВОЙНА И МИР", "ТОЛСТОЙ"]]
    report, _ = load(csv_bytes(["title", "authors"], *rows, encoding="cp1251"))
    assert report["encoding"] == "cp1251"
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


@pytest.mark.parametrize("written", ["shift_jis", "euc_jp"])
def test_japanese_is_recognised(load, client, written):
    rows = [["吾輩は猫である", "夏目漱石"], ["ｺｰﾋｰ と 雪国", "川端康成"], ["人間失格", "太宰治"]]
    load(csv_bytes(["title", "authors"], *rows, encoding=written))
    assert [[book["title"], *book["authors"]] for book in stored(client)] == rows


@pytest.mark.parametrize(
    "written, read",
    [
        ("cp1252", "utf-8"),
        ("utf-8", "ascii"),
        ("utf-16", "utf-8"),
        ("utf-8", "utf-16"),
    ],
)
@pytest.mark.parametrize("name", ["books.csv", "books.jsonl"])
def test_a_file_in_another_encoding_is_rejected_as_a_whole(load, client, written, read, name):
    text = {
        "books.csv": "title\nEmma\nLes Mis\u00e9rables\n",
        "books.jsonl": '{"title": "Emma"}\n{"title": "Les Mis\u00e9rables"}\n',
    }[name]
    load(text.encode(written), "--encoding", read, name=name, fails=1)
    assert stored(client) == []


def test_a_wrong_encoding_is_reported_in_one_line(load):
    written = csv_bytes(["title"], ["Les Mis\u00e9rables"], encoding="cp1252")
    _, result = load(written, "--encoding", "utf-8", fails=1)
    assert "utf-8" in one_line(result.stderr)
    assert "books.csv" in result.stderr


@pytest.mark.parametrize(
    "name, content",
    [
        ("books.csv", csv_bytes(["title"], ["Emma"])),
        ("books.jsonl", jsonl_bytes({"title": "Emma"})),
    ],
)
def test_a_byte_order_mark_is_not_part_of_the_first_column(load, client, name, content):
    report, _ = load(codecs.BOM_UTF8 + content, name=name)
    assert [book["title"] for book in stored(client)] == ["Emma"]
    assert report["ignored"] == []
