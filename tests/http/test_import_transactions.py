"""Imports that are run again or repeated with a key, and writes during an import."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest

from bookapi.books import store
from bookapi.books.imports import upload
from bookapi.http.load import LOAD, Load
from helpers.books import FULL, rows, seq, whole
from helpers.database import run_operations_again
from helpers.idempotency import as_admin, given, kept
from helpers.imports import KINDS, SECOND, body_of, counts, each, is_refused, post_import
from helpers.instance import Auth
from helpers.support import jsonl_bytes, stored


def test_a_retried_transaction_reads_the_body_again(app, admin, monkeypatch):
    """A database may ask for a transaction to be run again, and the body is sent only once."""
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
        answer = post_import(
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


@each
def test_an_import_with_a_key_is_done_once(app, admin, name):
    body, key = body_of(name, FULL, SECOND), {"Idempotency-Key": "k"}
    first = post_import(admin, body, name, headers=key)
    admin.delete("/books/1")
    before = rows(app)
    again = post_import(admin, body, name, headers=key)
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
    assert counts(post_import(admin, **sent))[1] == 1
    assert is_refused(post_import(admin, **{**sent, **other}), 422), key
    assert (
        counts(post_import(admin, **sent, mode="upsert", dry_run="false", strict="false"))[1] == 1
    )
    assert len(stored(admin)) == 1


def test_dry_runs_and_failures_do_not_use_up_the_key(app, admin):
    key = {"headers": {"Idempotency-Key": "k"}}
    post_import(admin, jsonl_bytes(FULL), dry_run="true", **key)
    assert is_refused(post_import(admin, jsonl_bytes({"title": ""}), **key), 422)
    assert is_refused(post_import(admin, b"[", "json", **key), 400) and kept(app) == 0
    answers = [post_import(admin, jsonl_bytes(FULL), **key) for _ in range(2)]
    assert given(answers[0]) == given(answers[1]) and counts(answers[0])[1] == 1 and kept(app) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_an_invalid_idempotency_key_is_a_400(admin, key):
    for dry in ("true", "false"):
        assert is_refused(
            post_import(admin, jsonl_bytes(FULL), headers={"Idempotency-Key": key}, dry_run=dry),
            400,
        )
    assert stored(admin) == []


@pytest.fixture
def held(make_app, monkeypatch):
    """A service whose first import stops in its transaction: (app, admin, entered, go_on)."""
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
            post_import,
            client(),
            jsonl_bytes(FULL),
            headers={"Idempotency-Key": key} if key else (),
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
    """An import that fails rolls back all of its changes, and none of other requests."""
    app.extensions[LOAD] = Load(threads=64)
    client = as_admin(app, admin)

    def ask(number):
        if number % 2:
            body = jsonl_bytes({"title": f"import {number}"}, {"title": ""})
            return post_import(
                client(), body, headers={"Idempotency-Key": f"k{number}"}
            ).status_code
        key = {"Idempotency-Key": f"k{number}"}
        return client().post("/books", json={"title": f"one {number}"}, headers=key).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(ask, range(24)))
    assert statuses == [201, 422] * 12
    assert sorted(book["title"] for book in stored(admin)) == sorted(
        f"one {number}" for number in range(0, 24, 2)
    )
    assert seq(app) == kept(app) == 12
