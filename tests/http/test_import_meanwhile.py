"""Imports while others write, and what an Idempotency-Key stands for then."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.books import changes
from bookapi.books.imports import service
from bookapi.db import db
from helpers.books import whole
from helpers.idempotency import as_admin, kept
from helpers.support import jsonl_bytes, stored

EMMA, OTHER = "9780141439587", "9780306406157"
MAX_WAIT = 2  # seconds (docs/api.md, Importing)


def bring(client, *records, key=None, **parameters):
    return client.post(
        "/books/import",
        query_string=parameters,
        data=jsonl_bytes(*records),
        content_type="application/x-ndjson",
        headers={"Idempotency-Key": key} if key else {},
    )


@pytest.mark.parametrize("key", [None, "k"])
def test_during_an_import_with_skip_writes_of_others_are_answered_soon(app, admin, key):
    client = as_admin(app, admin)
    records = [{"title": f"Book {n}", "identifiers": [f"n:{n}"]} for n in range(2500)]
    seconds = []
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(bring, client(), *records, {"title": ""}, key=key, on_error="skip")
        while not running.done():
            begun = time.monotonic()
            answer = client().post("/books", json={"title": f"Meanwhile {len(seconds)}"})
            seconds.append(time.monotonic() - begun)
            assert answer.status_code == 201
            time.sleep(0.02)
    assert (running.result().json["created"], running.result().json["rejected"]) == (2500, 1)
    assert max(seconds) < MAX_WAIT and len(seconds) > 3
    titles = [book["title"] for book in stored(admin)]
    first, last = titles.index("Book 0"), titles.index("Book 2499")
    assert any(title.startswith("Meanwhile") for title in titles[first:last])
    whole(app)


@pytest.fixture
def meanwhile(monkeypatch):
    """A function that has something written by others behind each plan of an import; returns the
    list of plans."""
    original = service.plan

    def have(values):
        plans, isbns = [], iter(values)

        def plan(prepared, *args, **kwargs):
            planned = original(prepared, *args, **kwargs)
            plans.append("connection" in kwargs)
            if not plans[-1] and (isbn := next(isbns, None)):
                db.write(changes.create, {"title": f"Meanwhile {len(plans)}", "isbn": isbn})
            return planned

        monkeypatch.setattr(service, "plan", plan)
        return plans

    return have


IMPORTED = [{"title": "Emma", "isbn": EMMA, "pages": 7}, {"title": "Other", "isbn": OTHER}]


def test_a_change_that_does_not_concern_an_import_leaves_its_plan(admin, meanwhile):
    plans = meanwhile(["9781593070915"])
    assert bring(admin, *IMPORTED).json["created"] == 2
    assert plans == [False]


def test_an_import_is_planned_again_where_a_book_of_it_changed(app, admin, meanwhile):
    plans = meanwhile([EMMA])
    report = bring(admin, *IMPORTED).json
    assert (report["created"], report["updated"], plans) == (1, 1, [False, False])
    assert [(book["title"], book["pages"]) for book in stored(admin)] == [
        ("Emma", 7),
        ("Other", None),
    ]
    whole(app)


def test_an_import_that_is_outdated_again_and_again_is_matched_inside_the_lock(
    app, admin, meanwhile
):
    records = [*IMPORTED, {"title": "Third", "isbn": "9781593070915"}]
    plans = meanwhile([each["isbn"] for each in records])
    report = bring(admin, *records).json
    assert (report["created"], report["updated"]) == (0, 3)
    assert plans == [False] * service.PLANS + [True]
    assert [book["title"] for book in stored(admin)] == ["Emma", "Other", "Third"]
    whole(app)


def test_create_rejects_a_book_that_was_stored_while_it_was_planned(app, admin, meanwhile):
    meanwhile([EMMA])
    answer = bring(admin, *IMPORTED, mode="create")
    assert (answer.status_code, answer.json["report"]["rejected"]) == (422, 1)
    assert [book["title"] for book in stored(admin)] == ["Meanwhile 1"]


def test_an_import_that_is_to_be_rejected_takes_no_lock(admin, monkeypatch):
    bring(admin, *IMPORTED)
    monkeypatch.setattr(service, "_store_all", None)
    answer = bring(admin, *IMPORTED, mode="create")
    assert (answer.status_code, answer.json["report"]["rejected"]) == (422, 2)


# -- with a key ------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"on_error": "skip"}, {"mode": "create"}])
def test_an_import_with_a_key_is_answered_again_without_looking_at_the_books(
    app, admin, parameters
):
    first = bring(admin, *IMPORTED, key="k", **parameters)
    admin.delete("/books/1")
    again = bring(admin, *IMPORTED, key="k", **parameters)
    assert first.json["created"] == 2 and again.json == first.json and kept(app) == 1
    assert len(stored(admin)) == 1


def test_an_import_with_skip_that_failed_midway_may_be_sent_again(app, admin, monkeypatch):
    original, calls = service._store_batch, []

    def fail(*args):
        calls.append(1)
        if len(calls) == 2:
            raise OSError("gone")
        return original(*args)

    monkeypatch.setattr(service, "_store_batch", fail)
    records = [{"title": f"Book {n}"} for n in range(300)]
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert bring(admin, *records, key="k", on_error="skip").status_code >= 500
    assert kept(app) == 0 and 0 < len(stored(admin)) < 300
    report = bring(admin, *records, key="k", on_error="skip").json
    assert report["created"] + report["unchanged"] == 300 and report["unchanged"] >= 100
    assert len(stored(admin)) == 300 and kept(app) == 1


def test_a_key_that_is_at_work_with_skip_is_a_409(app, admin, monkeypatch):
    entered, go_on, original = threading.Event(), threading.Event(), service._store_batch

    def hold(*args):
        entered.set()
        go_on.wait(20)
        return original(*args)

    monkeypatch.setattr(service, "_store_batch", hold)
    client = as_admin(app, admin)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(bring, client(), *IMPORTED, key="k", on_error="skip")
        assert entered.wait(10)
        assert bring(client(), *IMPORTED, key="k", on_error="skip").status_code == 409
        go_on.set()
        assert first.result().json["created"] == 2
