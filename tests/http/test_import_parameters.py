"""The parameters of POST /books/import."""

import pytest

from helpers.books import FULL, own, rows, steps
from helpers.documents import TYPES, both, faults, read
from helpers.imports import (
    COUNTS,
    KINDS,
    NASTY,
    SECOND,
    body_of,
    counts,
    each,
    is_refused,
    post_import,
)
from helpers.support import csv_bytes, jsonl_bytes, stored


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
        ("column.title=", ["column.title"]),
        ("split.authors=", ["split.authors"]),
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
    post_import(admin, jsonl_bytes(FULL))
    body = body_of(name, {**FULL, "pages": 7}, SECOND)
    assert (
        is_refused(post_import(admin, body, name, mode="create"), 422) and len(stored(admin)) == 1
    )
    assert counts(post_import(admin, body, name, mode="create", on_error="skip")) == (2, 1, 0, 0, 1)
    assert counts(post_import(admin, body, name, mode="upsert")) == (2, 0, 1, 1, 0)
    assert [book["pages"] for book in stored(admin)] == [7, None]


@each
def test_on_error_abort_stores_nothing_if_one_record_is_bad(app, admin, name):
    body = body_of(
        name, FULL, {**SECOND, "title": "", "pages": 0}, {**NASTY, "cover_url": "javascript:x"}
    )
    before = rows(app)
    answer = post_import(admin, body, name)
    assert is_refused(answer, 422) and rows(app) == before
    report = answer.json["report"]
    assert [report[name] for name in COUNTS] == [3, 2, 0, 0, 1] and report["stored"] is False
    assert [(error["record"], error["kind"], error["field"]) for error in report["errors"]] == [
        (2, "title-missing", "title")
    ]
    assert [(error["record"], error["kind"], error["field"]) for error in report["warnings"]] == [
        (2, "pages-unknown", "pages"),
        (3, "cover-invalid", "cover_url"),
    ]


@each
def test_on_error_skip_stores_the_good_records(admin, name):
    body = body_of(name, FULL, {**SECOND, "title": ""}, NASTY)
    assert counts(post_import(admin, body, name, on_error="skip")) == (3, 2, 0, 0, 1)
    assert [own(book) for book in stored(admin)] == [FULL, NASTY]


def test_a_failed_import_has_the_whole_report(admin):
    body = csv_bytes(["title", "pages", "isbn"], *[["Emma", "x" * 300, "bad"]] * 1100)
    for name in TYPES:
        answer = post_import(admin, body, "csv", answer=name, strict="true")
        assert is_refused(answer, 422)
        report = read(answer)["report"]
        assert (int(report["read"]), int(report["rejected"])) == (1100, 1100)
        assert len(report["errors"]) == 200
    assert {len(error["value"]) for error in report["errors"]} == {3, 200}


def test_a_dry_run_reports_the_same_and_leaves_no_trace(app, admin):
    post_import(admin, jsonl_bytes(FULL))
    before, rows_before = stored(admin), (rows(app), steps(admin))
    body = jsonl_bytes({**FULL, "pages": 7}, SECOND, {"title": ""})
    dry = post_import(admin, body, dry_run="true", on_error="skip")
    assert (stored(admin), (rows(app), steps(admin))) == (before, rows_before)
    wet = post_import(admin, body, dry_run="false", on_error="skip")
    assert dry.status_code == 200 and dry.json["created"] == 1
    assert dry.json == {**wet.json, "stored": False} and wet.json["stored"] is True
    assert post_import(admin, body, dry_run="true").status_code == 200
    assert [book["id"] for book in stored(admin)] == [1, 2]


@pytest.mark.parametrize(
    "record", [{"rating": 4}, {"isbn": "9780141439588"}, {"published": "uuuu"}]
)
def test_strict_rejects_what_would_be_read_leniently(admin, record):
    body = jsonl_bytes({"title": "Emma", **record})
    assert counts(post_import(admin, body, strict="false", dry_run="true"))[1] == 1
    answer = post_import(admin, body, strict="true")
    assert is_refused(answer, 422) and answer.json["report"]["errors"][0]["field"] in record


@pytest.mark.parametrize(
    "query, named",
    [
        ("column.title=Nope", ["column.title"]),
        ("column.pages=Nope&column.title=No", ["column.pages", "column.title"]),
    ],
)
@both
def test_a_column_that_the_file_has_not_is_a_400_that_names_the_parameter(
    admin, query, named, name
):
    answer = admin.post(
        f"/books/import?{query}&format={name}", data=b"a,b\nEmma,1\n", content_type=KINDS["csv"]
    )
    assert is_refused(answer, 400) and sorted(faults(answer)) == named
    assert "nothing was stored" in read(answer)["detail"]


KNOWN = [
    ({"title": "Emma", "isbn": "9780141439587"}, "isbn"),
    ({"title": "Emma", "identifiers": [{"scheme": "lccn", "value": "1"}]}, "identifiers"),
    ({"title": "Emma"}, "title"),
]


@pytest.mark.parametrize("record, field", KNOWN)
def test_create_names_the_field_by_which_a_book_is_known(admin, record, field):
    post_import(admin, jsonl_bytes(record))
    report = post_import(admin, jsonl_bytes(record), mode="create").json["report"]
    assert [(e["kind"], e["field"]) for e in report["errors"]] == [("book-exists", field)]


def test_create_names_the_id_of_an_own_export(admin):
    post_import(admin, jsonl_bytes(FULL))
    exported = admin.get("/books/export?format=jsonl").get_data()
    report = post_import(admin, exported, mode="create").json["report"]
    assert [(e["kind"], e["field"]) for e in report["errors"]] == [("book-exists", "id")]
