"""`bookapi books purge` removes old books of the trash for good; their history stays."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from bookapi.books.models import Book
from bookapi.db import Base, db, now
from helpers.books import EMPTY, FULL, ISBN, OTHER, READS, found, history, own, seq, steps


def purge(runner, days, status=0):
    """How many books the command says that it removed."""
    result = runner.invoke(args=["books", "purge", "--older-than", str(days)])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(
        result.exception
    )
    assert result.exit_code == status, result.output
    return int(re.search(r"\b[0-9]+\b", result.output)[0]) if status == 0 else None


def age(app, book_id, **since):
    """Have a book lie in the trash for that long."""
    with app.app_context():
        aged = update(Book).where(Book.id == book_id, Book.deleted_at.is_not(None))
        db.write(
            lambda session: session.execute(aged.values(deleted_at=now() - timedelta(**since)))
        )


def rows_of(app, book_id):
    """The number of rows that each table has of a book."""
    with app.app_context(), Session(db.engine) as session:
        tables = {
            table.name: table.c.book_id
            for table in Base.metadata.sorted_tables
            if "book_id" in table.c
        }
        tables["books"] = Book.__table__.c.id
        return {
            name: session.scalar(select(func.count()).where(column == book_id))
            for name, column in tables.items()
        }


@pytest.fixture
def trash(app, admin):
    """A catalogue of three live books and, in the trash for 29, 31 and 400 days, three more."""
    admin.post("/books", json=FULL)
    for number, days in enumerate((29, 31, 400), 2):
        admin.post(
            "/books",
            json={**FULL, "title": f"Gone {number}", "isbn": "080442957X", "subjects": ["Rare"]},
        )
        admin.delete(f"/books/{number}")
        age(app, number, days=days)
    for title in ("Other", "Last"):
        admin.post("/books", json={"title": title, "authors": ["Jane Austen"]})
    return admin


def statuses(client, query=""):
    return [client.get(f"/books/{number}{query}").status_code for number in range(1, 7)]


@pytest.mark.parametrize(
    "days, gone",
    [
        (0, [2, 3, 4]),
        (28, [2, 3, 4]),
        (30, [3, 4]),
        (31, [3, 4]),
        (32, [4]),
        (365, [4]),
        (401, []),
        (36500, []),
    ],
)
def test_books_deleted_longer_ago_are_purged(trash, runner, days, gone):
    assert purge(runner, days) == len(gone)
    assert statuses(trash) == [
        404 if number in gone else 410 if number in (2, 3, 4) else 200 for number in range(1, 7)
    ]
    assert statuses(trash, "?state=deleted") == [
        404 if number in gone else 200 for number in range(1, 7)
    ]
    assert trash.get("/books?state=deleted").json["total"] == 3 - len(gone)


def test_a_second_purge_finds_nothing(trash, runner):
    assert [purge(runner, 30), purge(runner, 30), purge(runner, 0), purge(runner, 0)] == [
        2,
        0,
        1,
        0,
    ]


def test_an_empty_catalogue_has_nothing_to_purge(app, runner):
    assert purge(runner, 0) == 0


def test_the_time_in_the_trash_counts_and_not_the_age_of_the_book(app, admin, runner):
    for _ in range(3):
        admin.post("/books", json={"title": "old"})
    with app.app_context():
        long_ago = now() - timedelta(days=1000)
        db.write(
            lambda session: session.execute(
                update(Book).values(created_at=long_ago, updated_at=long_ago)
            )
        )
    for number in (1, 2):
        admin.delete(f"/books/{number}")
    age(app, 1, days=50)
    admin.post("/books/1/restore")
    admin.delete("/books/1")
    assert purge(runner, 30) == 0 and purge(runner, 0) == 2
    assert [admin.get(f"/books/{number}").status_code for number in (1, 2, 3)] == [404, 404, 200]


def test_live_books_are_untouched(app, trash, runner):
    reader = app.test_client()
    before, each = (
        found(reader),
        [reader.get(f"/books/{number}").get_data() for number in (1, 5, 6)],
    )
    tags = {
        address: reader.get(address).headers["ETag"] for address in READS if "export" not in address
    }
    assert purge(runner, 0) == 3
    assert (found(reader), [reader.get(f"/books/{number}").get_data() for number in (1, 5, 6)]) == (
        before,
        each,
    )
    assert {address: reader.get(address).headers["ETag"] for address in tags} == tags


def test_only_history_rows_of_a_purged_book_remain(app, trash, runner):
    before = {number: rows_of(app, number) for number in range(1, 7)}
    assert all(
        before[3][name]
        for name in ("books", "book_authors", "book_subjects", "book_identifiers", "book_words")
    )
    purge(runner, 30)
    after = {number: rows_of(app, number) for number in range(1, 7)}
    kept = [{name for name, count in after[number].items() if count} for number in (3, 4)]
    assert (
        kept[0] == kept[1]
        and len(kept[0]) <= 1
        and not any("histor" not in name for name in kept[0])
    )
    assert [after[number] for number in (1, 2, 5, 6)] == [before[number] for number in (1, 2, 5, 6)]


def test_history_and_feed_entries_of_a_purged_book_remain(app, trash, runner):
    reported = [
        [
            {**entry, "changes": []} if number in (2, 3, 4) else entry
            for entry in history(trash, number)
        ]
        for number in range(1, 7)
    ]
    before = [*reported, steps(trash), seq(app)]
    purge(runner, 0)
    assert [*[history(trash, number) for number in range(1, 7)], steps(trash), seq(app)] == before
    assert [entry["action"] for entry in history(trash, 3)] == ["created", "deleted"]
    assert trash.get("/books/3/history?format=xml").status_code == 200


def test_a_purged_book_is_a_404_for_every_method(trash, runner):
    purge(runner, 30)

    def ask(method, number):
        return trash.open(f"/books/{number}", method=method, json={"title": "x"}).status_code

    reported = {
        method: [ask(method, number) for number in (2, 3)]
        for method in ("GET", "PUT", "PATCH", "DELETE")
    }
    reported["restore"] = [trash.post(f"/books/{number}/restore").status_code for number in (3, 2)]
    assert reported == {
        **dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), [410, 404]),
        "restore": [404, 200],
    }


def test_a_purged_book_is_not_served_from_the_cache(app, admin, runner):
    admin.post("/books", json=FULL)
    reader, reported = app.test_client(), []
    for act in (lambda: None, lambda: admin.delete("/books/1"), lambda: purge(runner, 0)):
        act()
        reported.append(
            [
                reader.get(address).status_code
                for address in ("/books/1", "/books/1", f"/books/isbn/{ISBN}")
            ]
            + [reader.get(address).json["total"] for address in ("/books", "/books?q=handsome")]
        )
    assert reported == [[200, 200, 200, 1, 1], [410, 410, 404, 0, 0], [404, 404, 404, 0, 0]]


def test_the_id_of_a_purged_book_is_never_reused(app, admin, runner):
    for number in range(1, 4):
        admin.post("/books", json={"title": "a"})
        admin.delete(f"/books/{number}")
        assert purge(runner, 0) == 1
    assert admin.post("/books", json={"title": "b"}).json["id"] == 4
    assert admin.post("/books", json={"books": [{"title": "c"}]}).json["books"][0]["id"] == 5
    assert [entry["changes"][0]["after"] for entry in history(admin, 4)] == ["b"]


def test_a_purged_book_is_not_found_in_the_trash(trash, runner):
    reported = [trash.get("/books?state=deleted&q=gone").json["total"]]
    for days in (30, 0):
        purge(runner, days)
        reported.append(trash.get("/books?state=deleted&q=gone").json["total"])
    assert reported == [3, 1, 0]
    assert trash.get("/books?q=handsome").json["total"] == 1


def test_the_full_text_index_is_consistent_after_a_purge(app, trash, runner):
    purge(runner, 0)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            db.write(
                lambda session: session.execute(
                    text(
                        "INSERT INTO book_words_index (book_words_index, rank) "
                        "VALUES ('integrity-check', 1)"
                    )
                )
            )
    trash.post("/books", json={**FULL, "isbn": "080442957X", "title": "Gone again"})
    assert [book["id"] for book in trash.get("/books?q=gone").json["books"]] == [7]


def test_the_isbn_of_a_purged_book_is_free(trash, runner):
    purge(runner, 0)
    answer = trash.post("/books", json={"title": "New", "isbn": "080442957X"})
    assert (answer.status_code, own(answer.json)) == (
        201,
        {**EMPTY, "title": "New", "isbn": "9780804429573"},
    )
    assert (
        trash.get(f"/books/isbn/{ISBN}").json["id"] == 1
        and trash.get(f"/books/isbn/{OTHER}").json["id"] == 1
    )


def test_many_books_are_purged(app, admin, runner):
    books = [{"title": f"T{number}", "authors": ["x"]} for number in range(600)]
    admin.post("/books", json={"books": books})
    with app.app_context():
        db.write(
            lambda session: session.execute(
                update(Book).where(Book.id > 10).values(deleted_at=now() - timedelta(days=2))
            )
        )
    assert purge(runner, 1) == 590
    assert rows_of(app, 11)["book_authors"] == 0 and rows_of(app, 10)["book_authors"] == 1
    assert admin.get("/books?q=T3").json["total"] == 1


WRONG = [
    [],
    ["--older-than"],
    ["--older-than", "-1"],
    ["--older-than", "1.5"],
    ["--older-than", "x"],
    ["--older-than", ""],
    ["--older-than", "30d"],
    ["--older-than", "nan"],
    ["30"],
    ["--older-than", "1", "2"],
]


def test_anything_but_a_whole_number_of_days_is_wrong_usage(trash, runner):
    assert [runner.invoke(args=["books", "purge", *options]).exit_code for options in WRONG] == [
        2
    ] * len(WRONG)
    assert trash.get("/books?state=deleted").json["total"] == 3


def test_an_age_beyond_all_books_removes_nothing(trash, runner):
    for days in (36500, 99_999, 3_000_000, 10**9, 10**12, 2**63, 10**30):
        result = runner.invoke(args=["books", "purge", "--older-than", str(days)])
        assert isinstance(result.exception, SystemExit | None), (days, repr(result.exception))
        assert (
            result.exit_code in (0, 2) and trash.get("/books?state=deleted").json["total"] == 3
        ), days


def test_a_purge_leaves_the_schema_unchanged(trash, runner):
    purge(runner, 0)
    result = runner.invoke(args=["db", "check"])
    assert result.exit_code == 0, result.output
