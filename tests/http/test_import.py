"""POST /books/import: many books in one body, with a report. docs/api.md, Importing."""

import contextlib
import gzip
import io
import itertools
import json
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql
import pytest
from lxml import etree

from bookapi import formats
from bookapi.books import store
from bookapi.books.imports import upload
from bookapi.http.load import LOAD, Load
from helpers.books import EMPTY, FULL, history, own, rows, seq, steps, whole
from helpers.data import json_cases, naughty_strings, open_catalogue, xml_attacks
from helpers.database import run_operations_again
from helpers.documents import TYPES, both, faults, read
from helpers.idempotency import as_admin, given, kept
from helpers.instance import DATA, Auth
from helpers.support import csv_bytes, jsonl_bytes, stored

KINDS = {**TYPES, "csv": "text/csv", "jsonl": "application/x-ndjson"}
SECOND = {
    **EMPTY,
    "title": "Persuasion",
    "authors": ["Jane Austen"],
    "identifiers": [{"scheme": "n", "value": "2"}],
}
NASTY = {
    **EMPTY,
    "title": "=1+1",
    "subtitle": "'- a | b",
    "description": "a\r\nb\n\n<c> & \u2028\ud7ff\U0010fffd",
    "subjects": ["a | b", "|", "\\|"],
    "identifiers": [{"scheme": "n", "value": "3: | \\|"}],
}
COUNTS = ("read", "created", "updated", "unchanged", "rejected")
each = pytest.mark.parametrize("name", KINDS)


def bring(client, body, name="jsonl", content_type=None, answer="json", headers=(), **parameters):
    """The answer to an import of bytes of that format, asked for in JSON."""
    return client.post(
        "/books/import",
        data=body,
        content_type=content_type or KINDS[name],
        query_string=parameters,
        headers={"Accept": TYPES[answer], **dict(headers)},
    )


def body_of(name, *records):
    """Records as an export has them."""
    fields = tuple(records[0]) if records else ("title",)
    return b"".join(formats.by_name(name).write(records, fields))


def counts(answer):
    assert answer.status_code == 200, answer.get_data()
    return tuple(int(read(answer)[name]) for name in COUNTS)


def is_refused(answer, status):
    """A problem of that status, in the format that was asked for."""
    assert answer.status_code == status, answer.get_data()
    assert (
        answer.mimetype.startswith("application/problem+") and int(read(answer)["status"]) == status
    )
    return True


# -- in, and in again ------------------------------------------------------------------


@each
def test_books_are_imported_from_each_format(admin, name):
    assert counts(bring(admin, body_of(name, FULL, SECOND, NASTY), name)) == (3, 3, 0, 0, 0)
    assert [own(book) for book in stored(admin)] == [FULL, SECOND, NASTY]


@each
def test_importing_an_export_changes_nothing(app, admin, name):
    bring(admin, jsonl_bytes(FULL, SECOND, NASTY))
    before, told = stored(admin), rows(app)
    exported = admin.get(f"/books/export?format={name}").get_data()
    answer = bring(admin, exported, name)
    assert (counts(answer), answer.json["ignored"]) == ((3, 0, 0, 3, 0), [])
    assert (stored(admin), rows(app)) == (before, told)


@each
def test_an_export_can_be_imported_into_another_catalogue_unchanged(app, admin, name):
    bring(admin, jsonl_bytes(FULL, SECOND, NASTY))
    before, exported = stored(admin), admin.get(f"/books/export?format={name}").get_data()
    for book in before:
        admin.delete(f"/books/{book['id']}")
    assert counts(bring(admin, exported, name, strict="true")) == (3, 3, 0, 0, 0)
    assert [own(book) for book in stored(admin)] == [own(book) for book in before]
    assert [book["id"] for book in stored(admin)] == [4, 5, 6]


@both
@pytest.mark.parametrize(
    "parameters", ["", "facets=language,decade", "cursor=*&limit=1", "q=emma", "fields=title,isbn"]
)
def test_a_list_response_can_be_imported(admin, name, parameters):
    bring(admin, jsonl_bytes(FULL, SECOND))
    answer = admin.get(f"/books?format={name}&{parameters}")
    report = bring(admin, answer.get_data(), name, mode="upsert")
    assert report.status_code == 200 and report.json["rejected"] == report.json["updated"] == 0


@both
def test_an_import_without_books_is_accepted(admin, name):
    for body in (
        body_of(name),
        {"json": b" [ ] ", "xml": b"<catalogue><books/></catalogue>"}[name],
    ):
        assert counts(bring(admin, body, name)) == (0, 0, 0, 0, 0)


def test_the_report_is_the_same_in_both_formats(admin):
    sent = jsonl_bytes(
        {"title": "Emma", "isbn": "bad", "rating": 4, "a<b": 1}, {"title": "", "pages": 0}
    )
    told = [bring(admin, sent, answer=name, on_error="skip", dry_run="true") for name in TYPES]
    as_json, root = told[0].json, etree.fromstring(told[1].get_data())
    assert [answer.mimetype for answer in told] == list(TYPES.values()) and root.tag == "report"
    assert (
        [child.tag for child in root]
        == [name for name in as_json if as_json[name] is not None]
        == [*COUNTS, "stored", "encoding", "columns", "errors", "warnings", "counts", "ignored"]
    )
    assert root.findtext("stored") == "false"
    assert [
        (column.findtext("column"), column.findtext("field")) for column in root.find("columns")
    ] == [(column["column"], column["field"]) for column in as_json["columns"]]
    assert [root.findtext(name) for name in COUNTS] == [str(as_json[name]) for name in COUNTS]
    for kind, item in (("errors", "error"), ("warnings", "warning")):
        assert [
            {child.tag: child.text or "" for child in entry}
            for entry in root.findall(f"{kind}/{item}")
        ] == [{key: str(value) for key, value in entry.items()} for entry in as_json[kind]]
    assert (
        [name.text for name in root.findall("ignored/name")]
        == as_json["ignored"]
        == ["rating", "a<b"]
    )


@each
def test_errors_have_the_line_where_the_record_begins(admin, name):
    body = {
        "csv": b'title,pages\r\n"Two\nlines",1\r\n,2\r\n',
        "jsonl": b'{"title": "a"}\n\n\n{"title": ""}\n',
        "json": b'{"total": 2,\n"books": [\n{"title":\n"a"},\n{"title": ""}]}',
        "xml": b"<catalogue>\n<books>\n<book><title>a</title></book>\n\n"
        b"<book><title/></book></books></catalogue>",
    }
    answer = bring(admin, body[name], name)
    assert is_refused(answer, 422)
    lines = {"csv": 4, "jsonl": 4}
    assert [
        (told["record"], told.get("line"), told["field"])
        for told in answer.json["report"]["errors"]
    ] == [(2, lines.get(name), "title")]


# -- who did it ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "k"])
def test_the_history_has_the_account(app, admin, key):
    bring(admin, jsonl_bytes(FULL), headers={"Idempotency-Key": key} if key else ())
    bring(admin, jsonl_bytes({**FULL, "pages": 7}))
    assert [(entry["action"], entry["username"]) for entry in history(admin, 1)] == [
        ("created", "admin"),
        ("updated", "admin"),
    ]
    assert [step[1:] for step in steps(admin)] == [("created", 1, 1), ("updated", 1, 2)]


def test_the_command_line_has_no_username_in_history(runner, admin, tmp_path):
    (tmp_path / "books.jsonl").write_bytes(jsonl_bytes(FULL))
    assert runner.invoke(args=["books", "import", str(tmp_path / "books.jsonl")]).exit_code == 0
    assert [entry["username"] for entry in history(admin, 1)] in ([None], [])


@pytest.mark.parametrize("who, status", [(None, 401), ("member", 403)])
def test_only_an_admin_may_import(app, client, who, status):
    if who:
        Auth(client).login(who)
    for kind in ("text/csv", "text/plain"):
        assert is_refused(bring(client, b"title\nEmma\n", content_type=kind), status)
    assert stored(client) == []


def test_a_cross_site_import_is_rejected(admin):
    assert is_refused(
        bring(admin, jsonl_bytes(FULL), headers={"Sec-Fetch-Site": "cross-site"}), 403
    )


def test_columns_are_named_split_and_skipped_by_parameters(app, admin):
    answer = bring(
        admin,
        b"Name,Who,Shelf,Mood\nEmma,Jane Austen / A. Reader,A1,calm\n",
        "csv",
        **{
            "column.title": "Name",
            "column.authors": "Who",
            "split.authors": "/",
            "column.location": "Shelf",
            "skip_column": "Mood",
        },
    )
    assert answer.status_code == 200, answer.get_data()
    assert answer.json["created"] == 1
    assert not answer.json.get("ignored")
    (book,) = admin.get("/books").json["books"]
    assert (book["title"], book["location"]) == ("Emma", "A1")
    assert book["authors"] == ["Jane Austen", "A. Reader"]


def test_the_import_url_allows_post_only_and_is_linked(admin):
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = admin.open("/books/import", method=method)
        assert answer.status_code == 405 and set(answer.headers["Allow"].split(", ")) == {
            "POST",
            "OPTIONS",
        }
    assert admin.get("/").json["links"]["import"] == "http://localhost/books/import"


# -- parameters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query, named",
    [
        ("mode=merge", ["mode"]),
        ("mode=", ["mode"]),
        ("mode=upsert&mode=upsert", ["mode"]),
        ("on_error=stop", ["on_error"]),
        ("strict=1", ["strict"]),
        ("strict=True", ["strict"]),
        ("dry_run=yes", ["dry_run"]),
        ("limit=1", ["limit"]),
        ("dry-run=true", ["dry-run"]),
        ("q=x&mode=x", ["mode", "q"]),
        ("Mode=create", ["Mode"]),
        ("column=a", ["column"]),
        ("%00=%ff", ["\ufffd"]),
    ],
)
@both
def test_a_wrong_parameter_is_a_400_that_names_it(admin, query, named, name):
    answer = admin.post(
        f"/books/import?{query}&format={name}", data=jsonl_bytes(FULL), content_type=KINDS["jsonl"]
    )
    assert is_refused(answer, 400) and (faults(answer) == named or named == ["\ufffd"])
    assert stored(admin) == []


def test_the_format_parameter_may_be_given_once(admin):
    answer = admin.post(
        "/books/import?format=xml&format=json", data=b"[]", content_type=KINDS["json"]
    )
    assert is_refused(answer, 400) and faults(answer) == ["format"]


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_a_report_is_written_as_a_document(admin, name):
    answer = admin.post(
        f"/books/import?format={name}", data=jsonl_bytes(FULL), content_type=KINDS["jsonl"]
    )
    assert is_refused(answer, 406) and stored(admin) == []


@each
def test_create_rejects_what_is_there_and_upsert_updates_it(admin, name):
    bring(admin, jsonl_bytes(FULL))
    body = body_of(name, {**FULL, "pages": 7}, SECOND)
    assert is_refused(bring(admin, body, name, mode="create"), 422) and len(stored(admin)) == 1
    assert counts(bring(admin, body, name, mode="create", on_error="skip")) == (2, 1, 0, 0, 1)
    assert counts(bring(admin, body, name, mode="upsert")) == (2, 0, 1, 1, 0)
    assert [book["pages"] for book in stored(admin)] == [7, None]


@each
def test_on_error_abort_stores_nothing_if_one_record_is_bad(app, admin, name):
    body = body_of(
        name, FULL, {**SECOND, "title": "", "pages": 0}, {**NASTY, "cover_url": "javascript:x"}
    )
    before = rows(app)
    answer = bring(admin, body, name)
    assert is_refused(answer, 422) and rows(app) == before
    report = answer.json["report"]
    assert [report[name] for name in COUNTS] == [3, 2, 0, 0, 1] and report["stored"] is False
    assert [(told["record"], told["kind"], told["field"]) for told in report["errors"]] == [
        (2, "title-missing", "title")
    ]
    assert [(told["record"], told["kind"], told["field"]) for told in report["warnings"]] == [
        (2, "pages-unknown", "pages"),
        (3, "cover-invalid", "cover_url"),
    ]


@each
def test_on_error_skip_stores_the_good_records(admin, name):
    body = body_of(name, FULL, {**SECOND, "title": ""}, NASTY)
    assert counts(bring(admin, body, name, on_error="skip")) == (3, 2, 0, 0, 1)
    assert [own(book) for book in stored(admin)] == [FULL, NASTY]


def test_a_failed_import_has_the_whole_report(admin):
    body = csv_bytes(["title", "pages", "isbn"], *[["Emma", "x" * 300, "bad"]] * 1100)
    for name in TYPES:
        answer = bring(admin, body, "csv", answer=name, strict="true")
        assert is_refused(answer, 422)
        report = read(answer)["report"]
        assert (int(report["read"]), int(report["rejected"])) == (1100, 1100)
        assert len(report["errors"]) == 200
    assert {len(error["value"]) for error in report["errors"]} == {3, 200}


def test_a_dry_run_reports_the_same_and_leaves_no_trace(app, admin):
    bring(admin, jsonl_bytes(FULL))
    before, told = stored(admin), (rows(app), steps(admin))
    body = jsonl_bytes({**FULL, "pages": 7}, SECOND, {"title": ""})
    dry = bring(admin, body, dry_run="true", on_error="skip")
    assert (stored(admin), (rows(app), steps(admin))) == (before, told)
    wet = bring(admin, body, dry_run="false", on_error="skip")
    assert dry.status_code == 200 and dry.json["created"] == 1
    assert dry.json == {**wet.json, "stored": False} and wet.json["stored"] is True
    assert bring(admin, body, dry_run="true").status_code == 200
    assert [book["id"] for book in stored(admin)] == [1, 2]


@pytest.mark.parametrize(
    "record", [{"rating": 4}, {"isbn": "9780141439588"}, {"published": "uuuu"}]
)
def test_strict_rejects_what_would_be_read_leniently(admin, record):
    body = jsonl_bytes({"title": "Emma", **record})
    assert counts(bring(admin, body, strict="false", dry_run="true"))[1] == 1
    answer = bring(admin, body, strict="true")
    assert is_refused(answer, 422) and answer.json["report"]["errors"][0]["field"] in record


# -- bodies ----------------------------------------------------------------------------


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
    assert is_refused(bring(admin, body, headers={"Content-Encoding": "gzip"}), 415)
    assert stored(admin) == []
    assert counts(bring(admin, body, content_type="application/gzip")) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "address, method", [("/books", "POST"), ("/books/1", "PUT"), ("/auth/login", "POST")]
)
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_csv_and_json_lines_are_read_by_imports_only(admin, address, method, name):
    bring(admin, jsonl_bytes(FULL))
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
    answer = bring(admin, body, name, on_error="skip")
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
    assert bring(admin, body, name).status_code in (400, 422) and stored(admin) == []
    assert counts(bring(admin, body, name, on_error="skip")) == (2, 1, 0, 0, 1)
    assert [book["title"] for book in stored(admin)] == ["a"]
    dry = bring(admin, body, name, on_error="skip", dry_run="true")
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
    answer = bring(admin, body, name, on_error="skip")
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
    answer = bring(admin, shell % comma.join([before, wrong, after]), name, on_error="skip")
    assert counts(answer) == (3, 2, 0, 0, 1)
    assert {told["record"] for told in answer.json["errors"]} == {2}
    assert [book["title"] for book in stored(admin)] == ["Before", "After"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", ["", "utf-8", "utf-16"])
def test_xml_is_read_in_utf_8_and_utf_16_as_elsewhere(admin, encoding, declared):
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    book = "<book><title>\u7d05\U0001f4da</title></book>"
    body = f"{declaration}<catalogue><books>{book}</books></catalogue>"
    answer = bring(admin, body.encode(encoding), "xml")
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
    answer = bring(
        admin,
        "title\r\n\xc9mile\r\n".encode(encoding),
        content_type=f'text/csv; charset="{charset}"',
    )
    assert answer.status_code == status, answer.get_data()
    assert [book["title"] for book in stored(admin)] == ["\xc9mile"] * (status == 200)


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
        bring(admin, body, content_type=f"{KINDS[name]}; charset={charset}").status_code == status
    )


@pytest.mark.parametrize("name", ["a\x00b", "\ud800", "x" * 5000, "a\ufffeb", "", " "])
def test_unprintable_field_names_are_reported_readably(admin, name):
    body = json.dumps([{"title": "Emma", name: 1}]).encode()
    for answer in TYPES:
        for strict in ("true", "false"):
            told = bring(admin, body, "json", answer=answer, strict=strict, dry_run="true")
            assert told.status_code in (200, 422) and len(told.get_data()) < 2000
            read(told)


def test_at_most_1000_ignored_columns_are_reported(admin):
    body = jsonl_bytes(
        *[
            {"title": "Emma", **{f"n{number}-{item}": 1 for item in range(20)}}
            for number in range(100)
        ]
    )
    answer = bring(admin, body, dry_run="true")
    assert counts(answer)[1] == 100 and 900 < len(answer.json["ignored"]) <= 1000


# -- size ------------------------------------------------------------------------------


@pytest.fixture
def narrow(make_app):
    """An admin of a service that takes bodies up to 2 KiB, and imports up to 16."""
    client = make_app(MAX_BODY_BYTES=2048, MAX_IMPORT_BYTES=16384).test_client()
    Auth(client).login()
    return client


@pytest.mark.parametrize("size, status", [(2049, 200), (16384, 200), (16385, 413), (100_000, 413)])
@each
def test_imports_have_their_own_size_limit(narrow, size, status, name):
    body = body_of(name, {"title": "Emma"}).ljust(size, b"\n")
    assert bring(narrow, body, name).status_code == status
    assert len(stored(narrow)) == (status == 200)
    assert is_refused(narrow.post("/books", data=body, content_type=KINDS["json"]), 413)


def test_a_body_of_unknown_length_has_the_import_limit(narrow):
    for size, status in ((10_000, 200), (20_000, 413)):
        answer = narrow.post(
            "/books/import",
            input_stream=io.BytesIO(jsonl_bytes({"title": "a"}).ljust(size, b"\n")),
            content_type=KINDS["jsonl"],
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == status


def test_an_incomplete_body_is_a_400(admin):
    for terminated in (True, False):
        answer = admin.post(
            "/books/import",
            input_stream=io.BytesIO(jsonl_bytes(FULL)),
            content_type=KINDS["jsonl"],
            environ_overrides={"wsgi.input_terminated": terminated, "CONTENT_LENGTH": "5000"},
        )
        assert is_refused(answer, 400) and stored(admin) == []


def test_a_retried_transaction_reads_the_body_again(app, admin, monkeypatch):
    """A database may ask for a unit to be run again, and the body comes but once."""
    failures, store_books = [1213, 1213], store.store

    def deadlock(*args):
        if failures:
            raise pymysql.err.OperationalError(failures.pop(), "deadlock")
        return store_books(*args)

    monkeypatch.setattr(store, "store", deadlock)
    monkeypatch.setattr(upload, "IN_MEMORY", 100)
    run_operations_again(app)
    for number, name in enumerate(KINDS):
        failures[:] = [1213, 1213]
        answer = bring(
            admin,
            body_of(name, {"title": f"a{number}"}, {"title": f"b{number}"}),
            name,
            headers={"Idempotency-Key": name},
        )
        assert counts(answer) == (2, 2, 0, 0, 0) and failures == []
    assert [book["title"] for book in stored(admin)] == [
        f"{letter}{number}" for number in range(4) for letter in "ab"
    ]
    whole(app)


def test_a_full_disk_is_a_507(admin, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upload.shutil, "copyfileobj", full)
    assert is_refused(bring(admin, jsonl_bytes(FULL)), 507)


# -- with a key ------------------------------------------------------------------------


@each
def test_an_import_with_a_key_is_done_once(app, admin, name):
    body, key = body_of(name, FULL, SECOND), {"Idempotency-Key": "k"}
    first = bring(admin, body, name, headers=key)
    admin.delete("/books/1")
    before = rows(app)
    again = bring(admin, body, name, headers=key)
    assert counts(first) == (2, 2, 0, 0, 0) and given(again) == given(first)
    assert rows(app) == before and kept(app) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"body": jsonl_bytes(FULL, SECOND)},
        {"mode": "create"},
        {"on_error": "skip"},
        {"strict": "true"},
        {"answer": "xml"},
        {"content_type": "application/jsonl"},
    ],
)
def test_a_key_covers_body_parameters_and_format(admin, other):
    sent, key = {"body": jsonl_bytes(FULL), "headers": {"Idempotency-Key": "k"}}, ("k",)
    assert counts(bring(admin, **sent))[1] == 1
    assert is_refused(bring(admin, **{**sent, **other}), 422), key
    assert counts(bring(admin, **sent, mode="upsert", dry_run="false", strict="false"))[1] == 1
    assert len(stored(admin)) == 1


def test_dry_runs_and_failures_do_not_use_up_the_key(app, admin):
    key = {"headers": {"Idempotency-Key": "k"}}
    bring(admin, jsonl_bytes(FULL), dry_run="true", **key)
    assert is_refused(bring(admin, jsonl_bytes({"title": ""}), **key), 422)
    assert is_refused(bring(admin, b"[", "json", **key), 400) and kept(app) == 0
    told = [bring(admin, jsonl_bytes(FULL), **key) for _ in range(2)]
    assert given(told[0]) == given(told[1]) and counts(told[0])[1] == 1 and kept(app) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_an_invalid_idempotency_key_is_a_400(admin, key):
    for dry in ("true", "false"):
        assert is_refused(
            bring(admin, jsonl_bytes(FULL), headers={"Idempotency-Key": key}, dry_run=dry), 400
        )
    assert stored(admin) == []


# -- others meanwhile ------------------------------------------------------------------


@pytest.fixture
def held(make_app, monkeypatch):
    """A service whose first import is held in the midst of its transaction: (app, admin, entered,
    go_on).
    """
    app = make_app(DATABASE_WAIT_SECONDS=1)
    admin = app.test_client()
    Auth(admin).login()
    entered, go_on, original = threading.Event(), threading.Event(), store._new_state

    def hold(*args):
        if not entered.is_set():
            entered.set()
            go_on.wait(20)
        return original(*args)

    monkeypatch.setattr(store, "_new_state", hold)
    yield app, admin, entered, go_on
    go_on.set()


@pytest.mark.parametrize("key", [None, "k"])
def test_during_an_import_reads_work_and_writes_get_503(held, key):
    app, admin, entered, go_on = held
    client = as_admin(app, admin)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            bring, client(), jsonl_bytes(FULL), headers={"Idempotency-Key": key} if key else ()
        )
        assert entered.wait(10)
        listed, refused = client().get("/books"), client().post("/books", json={"title": "Other"})
        go_on.set()
        assert counts(first.result()) == (1, 1, 0, 0, 0)
    assert (
        listed.json["total"] == 0
        and refused.status_code == 503
        and "Retry-After" in refused.headers
    )
    assert client().post("/books", json={"title": "Other"}).status_code == 201
    assert [book["title"] for book in stored(admin)] == [FULL["title"], "Other"]


def test_an_import_has_its_own_commit(app, admin):
    """What it raises in the end takes all of it back, and nothing of anybody else's."""
    app.extensions[LOAD] = Load(threads=64)
    client = as_admin(app, admin)

    def ask(number):
        if number % 2:
            body = jsonl_bytes({"title": f"import {number}"}, {"title": ""})
            return bring(client(), body, headers={"Idempotency-Key": f"k{number}"}).status_code
        key = {"Idempotency-Key": f"k{number}"}
        return client().post("/books", json={"title": f"one {number}"}, headers=key).status_code

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(ask, range(24)))
    assert told == [201, 422] * 12
    assert sorted(book["title"] for book in stored(admin)) == sorted(
        f"one {number}" for number in range(0, 24, 2)
    )
    assert seq(app) == kept(app) == 12


# -- in what order ---------------------------------------------------------------------


def test_checks_run_in_the_documented_order(make_app):
    app = make_app(MAX_IMPORT_BYTES=4096)
    clients = {None: app.test_client(), "member": app.test_client(), "admin": app.test_client()}
    for who in ("member", "admin"):
        Auth(clients[who]).login(who)
    large, broken, wrong = b"x" * 5000, b"[", jsonl_bytes({"title": ""})
    chain = [
        (406, "?format=csv&mode=x", None, large, "text/plain"),
        (401, "?mode=x", None, large, "text/plain"),
        (403, "?mode=x", "member", large, "text/plain"),
        (415, "?mode=x", "admin", large, "text/plain"),
        (413, "?mode=x", "admin", large, KINDS["json"]),
        (400, "?mode=x", "admin", broken, KINDS["json"]),
        (400, "", "admin", broken, KINDS["json"]),
        (422, "", "admin", wrong, KINDS["jsonl"]),
    ]
    told = [
        clients[who].post(f"/books/import{query}", data=body, content_type=kind).status_code
        for _, query, who, body, kind in chain
    ]
    assert told == [status for status, *_ in chain]


# -- inputs that were built to break readers -------------------------------------------


def safe(answer, *statuses):
    """No failure of ours, and a whole document."""
    assert answer.status_code in statuses, (answer.status_code, answer.get_data()[:300])
    read(answer)
    return answer


def test_xml_attacks_are_rejected(app, admin):
    for path in (*xml_attacks(), *sorted((DATA / "foreign-xml").iterdir())):
        body = path.read_bytes()
        answer = safe(bring(admin, body, "xml", on_error="skip"), 400, 422)
        assert not (b"<!DOCTYPE" in body[:1000] and answer.status_code != 400), path.name
        assert b"root:" not in answer.get_data(), path.name
    assert stored(admin) == []


def test_xml_attacks_inside_a_catalogue_are_rejected(admin):
    for path in xml_attacks():
        text = path.read_bytes().decode("utf-8", "replace")
        body = f"<catalogue><books><book><title>{text}</title></book></books></catalogue>".encode()
        safe(bring(admin, body, "xml", on_error="skip", dry_run="true"), 200, 400, 422)
    assert stored(admin) == []


@pytest.mark.slow
def test_json_test_suite_is_accepted_or_rejected(admin):
    for case in json_cases():
        body = case["input"].encode("utf-8", "surrogatepass")
        for name in ("json", "jsonl"):
            safe(bring(admin, body, name, dry_run="true"), 200, 400, 422)
        within = safe(
            bring(admin, b'[{"title": %s}]' % body, "json", on_error="skip", dry_run="true"),
            200,
            400,
        )
        if case["expect"] == "accept" and "duplicated" not in case["name"]:
            assert within.status_code == 200, case
    assert stored(admin) == []


def test_tables_without_a_title_are_read_and_rejected_row_by_row(admin):
    for path in sorted((DATA / "csv").glob("*.csv")):
        rows = len(json.loads(path.with_suffix(".json").read_text()))
        answer = safe(bring(admin, path.read_bytes(), "csv", on_error="skip"), 200)
        assert counts(answer) == (rows, 0, 0, 0, rows), path.name
    assert stored(admin) == []


def test_tables_sent_as_another_format_store_nothing(admin):
    for path in sorted((DATA / "csv").glob("*.csv")):
        for name in ("json", "jsonl", "xml"):
            answer = safe(bring(admin, path.read_bytes(), name, on_error="skip"), 200, 400)
            assert answer.status_code == 400 or (name == "jsonl" and not any(counts(answer)[1:4]))
    assert stored(admin) == []


@pytest.mark.parametrize("name", ["csv", "json", "jsonl"])
def test_naughty_strings_are_stored_unchanged_or_rejected(app, admin, name):
    strings = [text for text in naughty_strings() if text.strip()]
    records = [
        {"title": text, "authors": [text[:400], "x"], "description": text} for text in strings
    ]
    body = lines_of(name, records)
    answer = safe(bring(admin, body, name, on_error="skip"), 200)
    assert answer.json["read"] == len(strings) and answer.json["created"] > len(strings) * 0.9
    titles = {book["title"] for book in stored(admin)}
    plain = [
        text.strip()
        for text in strings
        if text.isascii() and text.isprintable() and len(text) <= 2000
    ]
    assert len(plain) > 500 and set(plain) <= titles
    whole(app)


def lines_of(name, records):
    if name == "csv":
        return body_of("csv", *records)
    items = [json.dumps(record).encode() for record in records]
    return b"\n".join(items) if name == "jsonl" else b"[" + b",\n".join(items) + b"]"


@pytest.mark.slow
def test_a_dry_run_of_any_file_in_any_format_reports_every_record_and_stores_nothing(app, admin):
    before = rows(app)
    for path in sorted(DATA.glob("**/*")):
        if path.is_file() and path.suffix != ".gz" and path.stat().st_size < 300_000:
            for name in KINDS:
                answer = bring(admin, path.read_bytes(), name, dry_run="true", on_error="skip")
                if safe(answer, 200, 400, 422).status_code == 200:
                    read, *outcomes = counts(answer)
                    assert read == sum(outcomes), (path.name, name)
    assert rows(app) == before and stored(admin) == []


def test_a_real_catalogue_survives_a_round_trip_in_each_format(app, admin):
    with open_catalogue("goodbooks-1k.csv.gz") as lines:
        body = "".join(itertools.islice(lines, 501)).encode()
    assert counts(bring(admin, body, "csv")) == (500, 500, 0, 0, 0)
    for name in KINDS:
        exported = admin.get(f"/books/export?format={name}&sort=id").get_data()
        told = counts(bring(admin, exported, name, strict="true", dry_run="true"))
        assert told == (500, 0, 0, 500, 0)


@both
def test_error_responses_reveal_no_internals(admin, name):
    for body in (b"[", b"<", b"\xff"):
        for kind in KINDS.values():
            text = bring(admin, body, content_type=kind, answer=name).get_data(as_text=True)
            assert "Traceback" not in text and "/tmp" not in text


class WatchedBody(io.BytesIO):
    """A body that notes the unnamed files that are open while the rest of it is read."""

    def __init__(self, body, folder):
        super().__init__(body)
        self.folder, self.seen = str(folder), set()

    def look(self):
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the one that lists the others
                target = os.readlink(entry)
                if target.startswith(self.folder):
                    self.seen.add(target.removesuffix(" (deleted)"))

    def read(self, size=-1):
        self.look()
        return super().read(size)

    def readinto(self, buffer):
        self.look()
        return super().readinto(buffer)


@pytest.mark.slow
@pytest.mark.parametrize("size, files", [(10_000, 0), (3_000_000, 1)])
def test_a_large_body_goes_to_an_unnamed_file(admin, monkeypatch, tmp_path, size, files):
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    body = WatchedBody(jsonl_bytes({"title": "Emma"}).ljust(size, b"\n"), folder)
    answer = admin.post(
        "/books/import",
        input_stream=body,
        content_type=KINDS["jsonl"],
        environ_overrides={"CONTENT_LENGTH": str(size)},
    )
    assert counts(answer) == (1, 1, 0, 0, 0)
    assert len(body.seen) == files and list(folder.iterdir()) == []
