"""POST /books/import: formats, reports and access. docs/api.md, Importing."""

import pytest
from lxml import etree

from helpers.books import FULL, history, own, rows, steps
from helpers.documents import TYPES, both
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
from helpers.instance import Auth
from helpers.support import jsonl_bytes, stored


@each
def test_books_are_imported_from_each_format(admin, name):
    assert counts(post_import(admin, body_of(name, FULL, SECOND, NASTY), name)) == (3, 3, 0, 0, 0)
    assert [own(book) for book in stored(admin)] == [FULL, SECOND, NASTY]


@each
def test_importing_an_export_changes_nothing(app, admin, name):
    post_import(admin, jsonl_bytes(FULL, SECOND, NASTY))
    before, rows_before = stored(admin), rows(app)
    exported = admin.get(f"/books/export?format={name}").get_data()
    answer = post_import(admin, exported, name)
    assert (counts(answer), answer.json["ignored"]) == ((3, 0, 0, 3, 0), [])
    assert (stored(admin), rows(app)) == (before, rows_before)


@each
def test_an_export_can_be_imported_into_another_catalogue_unchanged(app, admin, name):
    post_import(admin, jsonl_bytes(FULL, SECOND, NASTY))
    before, exported = stored(admin), admin.get(f"/books/export?format={name}").get_data()
    for book in before:
        admin.delete(f"/books/{book['id']}")
    assert counts(post_import(admin, exported, name, strict="true")) == (3, 3, 0, 0, 0)
    assert [own(book) for book in stored(admin)] == [own(book) for book in before]
    assert [book["id"] for book in stored(admin)] == [4, 5, 6]


@each
def test_values_that_mean_nothing_elsewhere_come_back_from_an_export(app, admin, name):
    for number, language in enumerate(["nan", "und", "root"]):
        sent = {"title": f"a{number}", "language": language, "published": "0101-01-01"}
        assert admin.post("/books", json=sent).status_code == 201
    before, exported = stored(admin), admin.get(f"/books/export?format={name}").get_data()
    for book in before:
        admin.delete(f"/books/{book['id']}")
    assert counts(post_import(admin, exported, name, strict="true")) == (3, 3, 0, 0, 0)
    assert [own(book) for book in stored(admin)] == [own(book) for book in before]


@both
@pytest.mark.parametrize(
    "parameters", ["", "facets=language,decade", "cursor=*&limit=1", "q=emma", "fields=title,isbn"]
)
def test_a_list_response_can_be_imported(admin, name, parameters):
    post_import(admin, jsonl_bytes(FULL, SECOND))
    answer = admin.get(f"/books?format={name}&{parameters}")
    report = post_import(admin, answer.get_data(), name, mode="upsert")
    assert report.status_code == 200 and report.json["rejected"] == report.json["updated"] == 0


@both
def test_an_import_without_books_is_accepted(admin, name):
    for body in (
        body_of(name),
        {"json": b" [ ] ", "xml": b"<catalogue><books/></catalogue>"}[name],
    ):
        assert counts(post_import(admin, body, name)) == (0, 0, 0, 0, 0)


def test_the_report_is_the_same_in_both_formats(admin):
    sent = jsonl_bytes(
        {"title": "Emma", "isbn": "bad", "rating": 4, "a<b": 1}, {"title": "", "pages": 0}
    )
    answers = [
        post_import(admin, sent, answer=name, on_error="skip", dry_run="true") for name in TYPES
    ]
    as_json, root = answers[0].json, etree.fromstring(answers[1].get_data())
    assert [answer.mimetype for answer in answers] == list(TYPES.values()) and root.tag == "report"
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
    answer = post_import(admin, body[name], name)
    assert is_refused(answer, 422)
    lines = {"csv": 4, "jsonl": 4}
    assert [
        (error["record"], error.get("line"), error["field"])
        for error in answer.json["report"]["errors"]
    ] == [(2, lines.get(name), "title")]


# -- who did it ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "k"])
def test_the_history_has_the_account(app, admin, key):
    post_import(admin, jsonl_bytes(FULL), headers={"Idempotency-Key": key} if key else ())
    post_import(admin, jsonl_bytes({**FULL, "pages": 7}))
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
        assert is_refused(post_import(client, b"title\nEmma\n", content_type=kind), status)
    assert stored(client) == []


def test_a_cross_site_import_is_rejected(admin):
    assert is_refused(
        post_import(admin, jsonl_bytes(FULL), headers={"Sec-Fetch-Site": "cross-site"}), 403
    )


def test_columns_are_named_split_and_skipped_by_parameters(app, admin):
    answer = post_import(
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
    statuses = [
        clients[who].post(f"/books/import{query}", data=body, content_type=kind).status_code
        for _, query, who, body, kind in chain
    ]
    assert statuses == [status for status, *_ in chain]
