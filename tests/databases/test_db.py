"""The database under strain: concurrent changes, failures, locks, and a file that goes missing."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bookapi import create_app
from bookapi.auth import accounts, passwords
from bookapi.auth.models import LoginSession
from bookapi.books import changes, store
from bookapi.books.models import Book
from bookapi.catalogue import Catalogue
from bookapi.db import db, now
from bookapi.db.schema import known_revisions
from bookapi.db.sqlite import sqlite3
from bookapi.site.commands import _upgrade as upgrade
from helpers.instance import PASSWORD, SECRET, Auth

THREADS, EACH = 8, 5


def seq(app):
    with app.app_context(), Session(db.engine) as session:
        return session.get(Catalogue, 1).seq


# -- many at once ----------------------------------------------------------------------


def _in_threads(work):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def test_concurrent_increments_lose_nothing(app, admin):
    admin.post("/books", json={"title": "a", "pages": 1})
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"

    def increment(_):
        client, conflicts = app.test_client(use_cookies=False), 0
        for _ in range(EACH):
            while True:
                found = client.get("/books/1")
                answer = client.patch(
                    "/books/1",
                    json={"pages": found.json["pages"] + 1},
                    headers={"If-Match": found.headers["ETag"], "Cookie": cookie},
                )
                if answer.status_code == 200:
                    break
                assert answer.status_code == 412
                conflicts += 1
        return conflicts

    assert all(conflicts >= 0 for conflicts in _in_threads(increment))
    book = admin.get("/books/1").json
    assert (book["pages"], book["version"], seq(app)) == (
        1 + THREADS * EACH,
        1 + THREADS * EACH,
        1 + THREADS * EACH,
    )


def _turn(connection):
    store.State(connection)
    pages = connection.scalar(select(Book.pages).where(Book.id == 1))
    connection.execute(update(Book.__table__).where(Book.id == 1).values(pages=pages + 1))


def test_concurrent_units_lose_nothing(app, admin):
    admin.post("/books", json={"title": "a", "pages": 1})

    def work(_):
        with app.app_context():
            for _ in range(EACH):
                db.write(_turn)

    _in_threads(work)
    assert admin.get("/books/1").json["pages"] == 1 + THREADS * EACH


def test_concurrent_creations_give_each_book_its_own_id(app, admin):
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"

    def create(_):
        client = app.test_client(use_cookies=False)
        return [
            client.post("/books", json={"title": "a"}, headers={"Cookie": cookie}).json["id"]
            for _ in range(EACH)
        ]

    made = sorted(number for numbers in _in_threads(create) for number in numbers)
    assert made == list(range(1, THREADS * EACH + 1))
    assert (admin.get("/books").json["total"], seq(app)) == (THREADS * EACH, THREADS * EACH)


@pytest.mark.parametrize(
    "method, address", [("POST", "/books"), ("PUT", "/books/isbn/9780306406157")]
)
def test_of_many_books_with_one_isbn_one_is_made(app, admin, method, address):
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"

    def send(number):
        return (
            app.test_client(use_cookies=False)
            .open(
                address,
                method=method,
                json={"title": f"t{number}", "isbn": "0306406152"},
                headers={"Cookie": cookie},
            )
            .status_code
        )

    reported = sorted(_in_threads(send))
    assert reported == ([201] + [409] * 7 if method == "POST" else [200] * 7 + [201])
    assert admin.get("/books").json["total"] == 1


# -- all or nothing --------------------------------------------------------------------


def test_a_unit_that_raises_stores_nothing(app, admin):
    admin.post("/books", json={"title": "before"})

    def operation(connection):
        changes.create(connection, {"title": "never"})
        connection.execute(update(Book.__table__).values(title="never"))
        raise KeyError("in the midst")

    with app.app_context(), pytest.raises(KeyError):
        db.write(operation)
    assert [book["title"] for book in admin.get("/books").json["books"]] == ["before"]
    assert seq(app) == 1


def test_a_unit_returns_what_it_made(app):
    with app.app_context():
        record = db.write(changes.create, {"title": "made", "authors": ["a"]})
    assert (record["id"], record["version"]) == (1, 1)
    assert app.test_client().get("/books/1").json == record


WRITER = """
from bookapi import create_app
app = create_app({"TESTING": True, "SECRET_KEY": %r})
from bookapi.books import changes
from bookapi.db import db
with app.app_context():
    db.write(changes.create, {"title": "from elsewhere"})
    db.engine.dispose()
"""


@pytest.mark.slow
def test_a_total_is_right_after_another_process_wrote(app, client):
    before = client.get("/books?title=from+elsewhere").json["total"]
    environment = {
        **os.environ,
        "BOOKAPI_INSTANCE_PATH": app.instance_path,
        "BOOKAPI_DATABASE_URL": app.config["DATABASE_URL"],
    }
    subprocess.run([sys.executable, "-c", WRITER % SECRET], env=environment, check=True, timeout=30)
    after = client.get("/books?title=from+elsewhere").json
    assert (before, after["total"]) == (0, 1)
    assert [book["title"] for book in after["books"]] == ["from elsewhere"]


# -- SQLite alone: the lock and the file -----------------------------------------------


@pytest.fixture
def local(tmp_path):
    """A function that makes an application on its own SQLite file, whatever the suite runs on."""
    made, path = [], tmp_path / "own" / "bookapi.sqlite"

    def make(fresh=True, **more):
        app = create_app(
            {
                "TESTING": True,
                "INSTANCE_PATH": str(tmp_path / "own"),
                "SECRET_KEY": SECRET,
                "DATABASE_URL": f"sqlite:///{path}",
                "DATABASE_WAIT_SECONDS": 1,
                "PROPAGATE_EXCEPTIONS": False,
                **more,
            }
        )
        made.append(app)
        app.file = path
        with app.app_context():
            if fresh:
                db.dialect.create_file()
                upgrade()
                db.write(accounts.add, "admin", passwords.make_hash(PASSWORD), "admin")
                db.engine.dispose()
        return app

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def locked(local):
    """An application and a client who is signed in, while somebody else holds the write lock."""
    app = local()
    client = app.test_client()
    Auth(client).login()
    client.post("/books", json={"title": "a"})
    holder = sqlite3.connect(app.file, isolation_level=None)
    yield app, client, holder
    holder.close()


def test_a_lock_held_by_another_is_a_503_while_reads_go_on(locked):
    app, client, holder = locked
    holder.execute("BEGIN IMMEDIATE")
    answer = client.post("/books", json={"title": "b"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    reads = [
        client.get(address).status_code for address in ("/books", "/books/1", "/auth/me", "/readyz")
    ]
    assert reads == [200] * 4
    holder.execute("ROLLBACK")
    assert (
        client.post("/books", json={"title": "b"}).status_code,
        client.get("/books").json["total"],
    ) == (201, 2)


def test_a_reader_who_was_idle_reads_while_the_lock_is_held(locked):
    app, client, holder = locked
    earlier = update(LoginSession).values(last_seen_at=now() - timedelta(minutes=5))
    with app.app_context():
        db.write(lambda session: session.execute(earlier))
    holder.execute("BEGIN IMMEDIATE")
    assert client.get("/auth/me").status_code == 200


def test_a_missing_file_is_a_503_and_never_a_new_one(local):
    app = local()
    for path in app.file.parent.glob("bookapi.sqlite*"):
        path.unlink()
    client = app.test_client()
    reported = [
        client.get("/books"),
        client.get("/books/1"),
        client.get("/readyz"),
        Auth(client).login(),
    ]
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in reported] == [
        (503, True)
    ] * 4
    assert client.get("/healthz").status_code == 200 and not app.file.exists()


@pytest.mark.parametrize("name", ["json", "xml", "csv", "jsonl"])
def test_an_export_that_cannot_begin_is_a_503(local, name):
    app = local()
    for path in app.file.parent.glob("bookapi.sqlite*"):
        path.unlink()
    answer = app.test_client().get(f"/books/export?format={name}")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


def test_a_file_that_goes_missing_while_serving_is_a_503_for_changes(local):
    app = local()
    client = app.test_client()
    Auth(client).login()
    for path in app.file.parent.glob("bookapi.sqlite*"):
        path.unlink()
    reported = [
        client.post("/books", json={"title": "a"}),
        client.get("/readyz"),
        client.post("/auth/logout"),
    ]
    assert [answer.status_code for answer in reported] == [503] * 3
    assert not app.file.exists()


@pytest.mark.parametrize(
    "spoilt", [b"", b"no database at all" * 1000, b"SQLite format 3\x00" + b"\xff" * 8000]
)
def test_a_spoilt_file_is_a_503(local, spoilt):
    app = local()
    for path in app.file.parent.glob("bookapi.sqlite-*"):
        path.unlink()
    app.file.write_bytes(spoilt)
    client = app.test_client()
    reported = [client.get("/books"), client.get("/readyz"), Auth(client).login()]
    assert [answer.status_code for answer in reported] == [503] * 3
    assert app.file.read_bytes() == spoilt or not spoilt
    assert str(app.file) not in reported[0].get_data(as_text=True)


@pytest.mark.parametrize("revision", ["0004", "9999"], ids=["older", "newer"])
def test_another_schema_while_serving_makes_the_service_unready(app, caplog, revision):
    def stamp(connection, to):
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{to}'")

    client, needed = app.test_client(), known_revisions()[-1]
    assert client.get("/readyz").status_code == 200
    with app.app_context():
        db.write(stamp, revision)
        try:
            assert client.get("/readyz").status_code == 503
        finally:
            db.write(stamp, needed)
    assert f"the database has the schema {revision}" in caplog.text
    assert client.get("/readyz").status_code == 200


def test_a_file_that_is_spoilt_while_serving_makes_the_service_unready(local):
    app = local()
    client = app.test_client()
    assert (Auth(client).login().status_code, client.get("/readyz").status_code) == (200, 200)
    other = sqlite3.connect(app.file)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    with open(app.file, "r+b") as file:
        file.write(b"\xff" * app.file.stat().st_size)
    assert client.get("/readyz").status_code == 503
    assert client.post("/books", json={"title": "a"}).status_code == 503


@pytest.mark.parametrize(
    "touch",
    [
        lambda client: Auth(client).login(),
        lambda client: client.get("/readyz"),
        lambda client: client.get("/books"),
    ],
    ids=["login", "readyz", "read"],
)
def test_a_file_that_was_replaced_is_a_503_until_the_restart(local, tmp_path, touch):
    app = local()
    shutil.copy(app.file, tmp_path / "copy")
    client = app.test_client()
    assert touch(client).status_code == 200
    os.replace(tmp_path / "copy", app.file)
    reported = [
        client.get("/readyz"),
        Auth(client).login(),
        client.post("/books", json={"title": "a"}),
    ]
    assert [answer.status_code for answer in reported[:2]] == [503, 503]
    assert reported[2].status_code in (401, 503)


def test_a_database_without_a_schema_is_not_ready(local, tmp_path):
    app = local(fresh=False)
    with app.app_context():
        db.dialect.create_file()
    client = app.test_client()
    reported = [
        client.get("/readyz").status_code,
        client.get("/books").status_code,
        client.get("/healthz").status_code,
    ]
    assert reported == [503, 503, 200]


def test_what_is_committed_is_in_the_file(local, tmp_path):
    app = local()
    client = app.test_client()
    Auth(client).login()
    client.post("/books", json={"title": "kept"})
    again = local(fresh=False)
    with again.app_context(), Session(db.engine) as session:
        assert session.scalar(select(func.count()).select_from(Book)) == 1
    assert again.test_client().get("/books/1").json["title"] == "kept"
