"""Imports of files that were made to break parsers, and of real catalogues."""

import itertools
import json

import pytest

from helpers.books import rows, whole
from helpers.data import json_cases, naughty_strings, open_catalogue, xml_attacks
from helpers.documents import both, read
from helpers.imports import KINDS, body_of, counts, post_import
from helpers.instance import DATA
from helpers.support import stored


def safe(answer, *statuses):
    """The answer, which has one of these statuses and a valid document."""
    assert answer.status_code in statuses, (answer.status_code, answer.get_data()[:300])
    read(answer)
    return answer


def test_xml_attacks_are_rejected(app, admin):
    for path in (*xml_attacks(), *sorted((DATA / "foreign-xml").iterdir())):
        body = path.read_bytes()
        answer = safe(post_import(admin, body, "xml", on_error="skip"), 400, 422)
        assert not (b"<!DOCTYPE" in body[:1000] and answer.status_code != 400), path.name
        assert b"root:" not in answer.get_data(), path.name
    assert stored(admin) == []


def test_xml_attacks_inside_a_catalogue_are_rejected(admin):
    for path in xml_attacks():
        text = path.read_bytes().decode("utf-8", "replace")
        body = f"<catalogue><books><book><title>{text}</title></book></books></catalogue>".encode()
        safe(post_import(admin, body, "xml", on_error="skip", dry_run="true"), 200, 400, 422)
    assert stored(admin) == []


@pytest.mark.slow
def test_json_test_suite_is_accepted_or_rejected(admin):
    for case in json_cases():
        body = case["input"].encode("utf-8", "surrogatepass")
        for name in ("json", "jsonl"):
            safe(post_import(admin, body, name, dry_run="true"), 200, 400, 422)
        within = safe(
            post_import(admin, b'[{"title": %s}]' % body, "json", on_error="skip", dry_run="true"),
            200,
            400,
        )
        if case["expect"] == "accept" and "duplicated" not in case["name"]:
            assert within.status_code == 200, case
    assert stored(admin) == []


@pytest.mark.parametrize("name", ["id", "version"])
@pytest.mark.parametrize("number", [2**63, -(10**40), "1" + "0" * 40, "1e999"])
def test_read_only_numbers_beyond_64_bits_belong_to_no_book_here(admin, name, number):
    at = "2026-01-02T03:04:05Z"
    record = {"title": "Emma", "id": 1, "version": 1, "created_at": at, name: number}
    table = "\n".join(",".join(map(str, cells)) for cells in (record, record.values()))
    for body, kind in ((json.dumps([record]), "json"), (table, "csv")):
        assert safe(post_import(admin, body.encode(), kind, dry_run="true"), 200).json["created"]


def test_tables_without_a_title_are_read_and_rejected_row_by_row(admin):
    for path in sorted((DATA / "csv").glob("*.csv")):
        rows = len(json.loads(path.with_suffix(".json").read_text()))
        answer = safe(post_import(admin, path.read_bytes(), "csv", on_error="skip"), 200)
        assert counts(answer) == (rows, 0, 0, 0, rows), path.name
    assert stored(admin) == []


def test_tables_sent_as_another_format_store_nothing(admin):
    for path in sorted((DATA / "csv").glob("*.csv")):
        for name in ("json", "jsonl", "xml"):
            answer = safe(post_import(admin, path.read_bytes(), name, on_error="skip"), 200, 400)
            assert answer.status_code == 400 or (name == "jsonl" and not any(counts(answer)[1:4]))
    assert stored(admin) == []


@pytest.mark.parametrize("name", ["csv", "json", "jsonl"])
def test_naughty_strings_are_stored_unchanged_or_rejected(app, admin, name):
    strings = [text for text in naughty_strings() if text.strip()]
    records = [
        {"title": text, "authors": [text[:400], "x"], "description": text} for text in strings
    ]
    body = lines_of(name, records)
    answer = safe(post_import(admin, body, name, on_error="skip"), 200)
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
                answer = post_import(
                    admin, path.read_bytes(), name, dry_run="true", on_error="skip"
                )
                if safe(answer, 200, 400, 422).status_code == 200:
                    read, *outcomes = counts(answer)
                    assert read == sum(outcomes), (path.name, name)
    assert rows(app) == before and stored(admin) == []


def test_a_real_catalogue_survives_a_round_trip_in_each_format(app, admin):
    with open_catalogue("goodbooks-1k.csv.gz") as lines:
        body = "".join(itertools.islice(lines, 501)).encode()
    assert counts(post_import(admin, body, "csv")) == (500, 500, 0, 0, 0)
    for name in KINDS:
        exported = admin.get(f"/books/export?format={name}&sort=id").get_data()
        found = counts(post_import(admin, exported, name, strict="true", dry_run="true"))
        assert found == (500, 0, 0, 500, 0)


@both
def test_error_responses_reveal_no_internals(admin, name):
    for body in (b"[", b"<", b"\xff"):
        for kind in KINDS.values():
            text = post_import(admin, body, content_type=kind, answer=name).get_data(as_text=True)
            assert "Traceback" not in text and "/tmp" not in text
