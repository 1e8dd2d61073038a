"""Media types, encodings and invalid documents in the body of an import."""

import gzip
import io
import json

import pytest

from helpers.books import FULL
from helpers.documents import TYPES, both, read
from helpers.imports import KINDS, body_of, counts, is_refused, post_import
from helpers.support import jsonl_bytes, stored


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/html",
        "application/merge-patch+json",
        "application/octet-stream",
        "csv",
        "application/zip",
    ],
)
@both
def test_an_unsupported_media_type_is_a_415_that_lists_the_supported_ones(
    admin, content_type, name
):
    answer = admin.post(
        "/books/import",
        data=b"title\nEmma\n",
        content_type=content_type,
        headers={"Accept": TYPES[name]},
    )
    assert is_refused(answer, 415) and stored(admin) == []
    readable = [
        "application/json",
        "application/xml",
        "text/xml",
        "text/csv",
        "text/tab-separated-values",
        "application/x-ndjson",
        "application/jsonl",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/gzip",
        "multipart/form-data",
    ]
    assert (
        answer.headers["Accept-Post"].split(", ")
        == answer.headers["Accept"].split(", ")
        == readable
    )
    assert read(answer)["available"] == readable


@pytest.mark.parametrize(
    "filename, content_type",
    [
        ("books.csv", "text/csv"),
        ("books.csv", "application/octet-stream"),
        ("books", "text/csv"),
        ("books", "application/octet-stream"),
        ("books.csv.gz", "application/gzip"),
    ],
)
def test_the_file_of_a_form_is_read_by_its_type_or_its_name(admin, filename, content_type):
    content = b"title\nEmma\n"
    content = gzip.compress(content) if filename.endswith(".gz") else content
    answer = admin.post(
        "/books/import", data={"file": (io.BytesIO(content), filename, content_type)}
    )
    assert counts(answer) == (1, 1, 0, 0, 0)
    assert [book["title"] for book in stored(admin)] == ["Emma"]


@pytest.mark.parametrize("content, status", [("title\nEmma\n", 200), ("", 400)])
def test_a_file_of_a_form_may_have_an_empty_name(admin, content, status):
    part = f'--B\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n{content}'
    kind = "multipart/form-data; boundary=B"
    answer = admin.post("/books/import", data=f"{part}\r\n--B--\r\n", content_type=kind)
    assert answer.status_code == status, answer.get_data()
    assert status == 200 or "the file is empty" in read(answer)["detail"]


@pytest.mark.parametrize("more", [{"other": "text"}, {"another": ("a file",)}])
def test_a_form_has_one_file(admin, more):
    def file():
        return io.BytesIO(b"title\nEmma\n"), "books.csv", "text/csv"

    more = {name: file() if isinstance(value, tuple) else value for name, value in more.items()}
    assert is_refused(admin.post("/books/import", data={"file": file(), **more}), 400)
    assert is_refused(admin.post("/books/import", data={"wrong": file()}), 400)
    assert stored(admin) == []


def test_a_body_with_a_content_encoding_is_a_415_but_gzip_is_a_type(admin):
    body = gzip.compress(jsonl_bytes(FULL))
    assert is_refused(post_import(admin, body, headers={"Content-Encoding": "gzip"}), 415)
    assert stored(admin) == []
    assert counts(post_import(admin, body, content_type="application/gzip")) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "address, method", [("/books", "POST"), ("/books/1", "PUT"), ("/auth/login", "POST")]
)
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_csv_and_json_lines_are_read_by_imports_only(admin, address, method, name):
    post_import(admin, jsonl_bytes(FULL))
    answer = admin.open(address, method=method, data=body_of(name, FULL), content_type=KINDS[name])
    assert (
        is_refused(answer, 415)
        and answer.headers["Accept"] == "application/json, application/xml, text/xml"
    )


MALFORMED = [
    ("json", b""),
    ("json", b"["),
    ("json", b"[1 2]"),
    ("json", b'{"books": [], "books": []}'),
    ("json", b"[]x"),
    ("json", b'{"books": [], "total": NaN}'),
    ("json", b"{books: []}"),
    ("json", b"nul"),
    ("json", b"\xff[]"),
    ("json", b'["\xe9"]'),
    ("json", b"[" * 100_000),
    ("json", b'{"a":' * 100_000),
    ("json", b'{"books": [], "a": ' + b"[" * 40 + b"]" * 40 + b"}"),
    ("json", b"{" + b",".join(b'"%d": 1' % number for number in range(1001)) + b', "books": []}'),
    ("xml", b""),
    ("xml", b"<catalogue>"),
    ("xml", b"title\nEmma"),
    ("xml", b"<catalogue><books></catalogue>"),
    ("xml", b"<!DOCTYPE catalogue><catalogue><books/></catalogue>"),
    ("xml", b"<catalogue><books>&x;</books></catalogue>"),
    ("xml", b" " * 100_000 + b"<catalogue><books/></catalogue>"),
    ("xml", b"<!--" + b" " * 100_000 + b"--><!DOCTYPE a><catalogue/>"),
    ("xml", b'<?xml version="1.0" encoding="latin-1"?><catalogue><books/></catalogue>'),
    ("xml", b"<catalogue><books><book><title>\xe9</title></book></books></catalogue>"),
    ("xml", b"<catalogue><books>" + b"<book>" * 40 + b"</book>" * 40 + b"</books></catalogue>"),
    ("xml", b"<catalogue><books/></catalogue><catalogue/>"),
    ("xml", b"<catalogue><books><book><title>a\x01</title></book></books></catalogue>"),
    ("csv", b""),
    ("csv", b"\n\n"),
]


@pytest.mark.parametrize("name, body", MALFORMED, ids=lambda part: repr(part)[:40])
def test_a_body_that_cannot_be_parsed_is_a_400(admin, name, body):
    answer = post_import(admin, body, name, on_error="skip")
    assert is_refused(answer, 400) and "nothing was stored" in answer.json["detail"]
    assert len(answer.json["detail"]) < 400 and stored(admin) == []


@pytest.mark.parametrize(
    "name, body",
    [
        ("json", b'[{"title": "a"},]'),
        ("json", b'[{"title": "a"}'),
        ("json", b'{"books": [{"title": "a"}]'),
        ("json", b'[{"title": "a"}, {"title": "b" "c"}]'),
        ("xml", b"<catalogue><books><book><title>a</title></book><book><titl"),
        ("jsonl", b'{"title": "a"}\n{"title": "\xc3'),
        ("csv", b'title\na\n"b'),
    ],
)
def test_of_a_file_that_is_cut_skip_stores_the_good_records_and_abort_nothing(admin, name, body):
    assert post_import(admin, body, name).status_code in (400, 422) and stored(admin) == []
    assert counts(post_import(admin, body, name, on_error="skip")) == (2, 1, 0, 0, 1)
    assert [book["title"] for book in stored(admin)] == ["a"]
    dry = post_import(admin, body, name, on_error="skip", dry_run="true")
    assert counts(dry) == (2, 0, 0, 1, 1) and dry.json["errors"][0]["kind"] == "unreadable"


NO_BOOKS = [
    ("json", b"7"),
    ("json", b'"books"'),
    ("json", b"null"),
    ("json", b"{}"),
    ("json", b'{"title": "Emma"}'),
    ("json", b'{"books": {"title": "Emma"}}'),
    ("json", b'{"books": null}'),
    ("json", b'{"Books": []}'),
    ("xml", b"<book><title>Emma</title></book>"),
    ("xml", b"<catalogue/>"),
    ("xml", b"<books/>"),
    ("xml", b"<catalogue><book><title>Emma</title></book></catalogue>"),
    ("xml", b"<catalogue><books/>text</catalogue>"),
    ("xml", b"<catalogue><books>text</books></catalogue>"),
    ("xml", b"<catalogue><books><book><title>a</title></book>text</books></catalogue>"),
    ("xml", b"<catalogue a='1'><books/></catalogue>"),
    ("xml", b"<catalogue><books a='1'/></catalogue>"),
    ("xml", b"<catalogue xmlns='urn:x'><books/></catalogue>"),
    ("xml", b"<catalogue><books/><books/></catalogue>"),
]


@pytest.mark.parametrize("name, body", NO_BOOKS, ids=lambda part: repr(part)[:60])
def test_a_document_that_is_not_a_list_of_books_is_a_422(admin, name, body):
    answer = post_import(admin, body, name, on_error="skip")
    assert is_refused(answer, 422) and answer.json["errors"] and stored(admin) == []


WRONG = {
    "json": [
        b"7",
        b"null",
        b"[]",
        b'"text"',
        b'{"title": "a", "title": "b"}',
        b'{"title": NaN}',
        b'{"title": "\\ud800"}',
        b'{"title": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"1" * 5000,
        b"-0.0",
    ],
    "xml": [
        b"<book a='1'><title>a</title></book>",
        b"<book>text<title>a</title></book>",
        b"<book><title>a</title><title>b</title></book>",
        b"<book xmlns='urn:x'><title>a</title></book>",
        b"<book><title>a</title><authors><a>b</a></authors></book>",
        b"<book><title>a</title><authors>b</authors></book>",
        b"<book><title x='1'>a</title></book>",
        b"<book><title><b>a</b></title></book>",
        b"<book/>",
        b"<title>a</title>",
        b"<x:book xmlns:x='urn:x'><title>a</title></x:book>",
        b"<book><x:title xmlns:x='urn:x'>a</x:title></book>",
        b"<book><title>a</title>text</book>",
    ],
}


@pytest.mark.parametrize(
    "name, wrong",
    [(name, wrong) for name in WRONG for wrong in WRONG[name]],
    ids=lambda part: repr(part)[:60],
)
def test_errors_of_one_record_are_reported_for_that_record(admin, name, wrong):
    before, after = (
        {"json": b'{"title": "%s"}', "xml": b"<book><title>%s</title></book>"}[name] % title
        for title in (b"Before", b"After")
    )
    shell, comma = {
        "json": (b"[%s]", b","),
        "xml": (b"<catalogue><books>%s</books></catalogue>", b""),
    }[name]
    answer = post_import(admin, shell % comma.join([before, wrong, after]), name, on_error="skip")
    assert counts(answer) == (3, 2, 0, 0, 1)
    assert {error["record"] for error in answer.json["errors"]} == {2}
    assert [book["title"] for book in stored(admin)] == ["Before", "After"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", ["", "utf-8", "utf-16"])
def test_xml_is_read_in_utf_8_and_utf_16_as_elsewhere(admin, encoding, declared):
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    book = "<book><title>\u7d05\U0001f4da</title></book>"
    body = f"{declaration}<catalogue><books>{book}</books></catalogue>"
    answer = post_import(admin, body.encode(encoding), "xml")
    agrees = not declared or declared in encoding
    assert answer.status_code == (200 if agrees else 400), answer.get_data()
    assert [book["title"] for book in stored(admin)] == ["\u7d05\U0001f4da"] * agrees


@pytest.mark.parametrize(
    "charset, encoding, status",
    [
        ("utf-8", "utf-8", 200),
        ("UTF-8", "utf-8", 200),
        ("utf-8", "utf-8-sig", 200),
        ("iso-8859-1", "latin-1", 200),
        ("windows-1252", "cp1252", 200),
        ("utf-16", "utf-16", 200),
        ("us-ascii", "utf-8", 400),
        ("utf-8", "latin-1", 400),
        ("utf-16", "utf-8", 400),
        ("x-nothing", "utf-8", 415),
        ("base64", "utf-8", 415),
        ("punycode", "utf-8", 415),
        ("idna", "utf-8", 415),
        ("unicode_escape", "utf-8", 415),
        ("undefined", "utf-8", 415),
        ("a\x7fb", "utf-8", 415),
    ],
)
def test_the_charset_of_csv_is_honoured(admin, charset, encoding, status):
    answer = post_import(
        admin,
        "title\r\n\xc9mile\r\n".encode(encoding),
        content_type=f'text/csv; charset="{charset}"',
    )
    assert answer.status_code == status, answer.get_data()
    assert [book["title"] for book in stored(admin)] == ["\xc9mile"] * (status == 200)


@pytest.mark.parametrize("charset", ["zlib", "rot13", "punycode", "undefined", "x-nothing"])
@pytest.mark.parametrize("filename", ["books.csv", "books.jsonl", "books"])
def test_the_charset_of_the_file_of_a_form_is_checked_as_that_of_a_body(admin, charset, filename):
    file = (io.BytesIO(b"title\nEmma\n"), filename, f"text/plain; charset={charset}")
    answer = admin.post("/books/import", data={"file": file})
    assert answer.status_code == 415, answer.get_data()
    assert stored(admin) == []


@pytest.mark.parametrize(
    "name, charset, status",
    [
        ("json", "latin-1", 200),
        ("json", "x-nothing", 200),
        ("xml", "utf-8", 200),
        ("xml", "latin-1", 400),
        ("jsonl", "utf-8", 200),
        ("jsonl", "x-nothing", 415),
    ],
)
def test_other_formats_accept_the_same_charsets_as_elsewhere(admin, name, charset, status):
    body = body_of(name, {"title": "\xc9mile"})
    assert (
        post_import(admin, body, content_type=f"{KINDS[name]}; charset={charset}").status_code
        == status
    )


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 5000, "a\ufffeb", "", " "])
def test_unprintable_field_names_are_reported_readably(admin, name):
    body = json.dumps([{"title": "Emma", name: 1}]).encode()
    for answer in TYPES:
        for strict in ("true", "false"):
            response = post_import(
                admin, body, "json", answer=answer, strict=strict, dry_run="true"
            )
            assert response.status_code in (200, 422) and len(response.get_data()) < 2000
            read(response)


def test_at_most_1000_ignored_columns_are_reported(admin):
    body = jsonl_bytes(
        *[
            {"title": "Emma", **{f"n{number}-{item}": 1 for item in range(20)}}
            for number in range(100)
        ]
    )
    answer = post_import(admin, body, dry_run="true")
    assert counts(answer)[1] == 100 and 900 < len(answer.json["ignored"]) <= 1000
