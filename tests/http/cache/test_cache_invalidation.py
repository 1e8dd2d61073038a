"""A change is visible to the next request."""

import pytest
from sqlalchemy import text

from bookapi.books import queries
from bookapi.db import db
from helpers.caching import (
    CACHED,
    CHANGES,
    FURTHER,
    ISBN,
    NEW,
    TAGGED,
    comparable,
    import_books,
    in_formats,
)
from helpers.instance import Auth


@pytest.mark.slow
@pytest.mark.parametrize("by", ["editor", "elsewhere"])
def test_a_change_is_visible_to_the_next_read_of_every_url(request, reader, uncached, by):
    addresses = [
        *TAGGED,
        "/books/2",
        "/books/4",
        f"/books/isbn/{NEW}",
        "/books?author=An+Other",
        "/books?language=de",
    ]
    asked, changer = sum(map(in_formats, addresses), []), request.getfixturevalue(by)
    for name, change in {**CHANGES, "an import": import_books}.items():
        before = [[comparable(reader.get(**each)) for _ in range(2)][1] for each in asked]
        change(changer)
        made = [comparable(uncached.get(**each)) for each in asked]
        assert [comparable(reader.get(**each)) for each in asked] == made, name
        assert [comparable(reader.get(**each)) for each in asked] == made, name
        assert (
            sum(one != other for one, other in zip(before, made, strict=False)) > len(asked) // 4
        ), name


def test_a_change_of_another_book_keeps_the_response_of_a_book(editor, reader, uncached, entered):
    asked = in_formats("/books/1")
    before = [comparable(reader.get(**each)) for each in asked]
    for number in range(3):
        editor.patch("/books/2", json={"pages": number + 1})
        editor.post("/books", json={"title": "another"})
        entered.clear()
        assert (
            [comparable(reader.get(**each)) for each in asked]
            == before
            == [comparable(uncached.get(**each)) for each in asked]
        )
        head, tag = reader.head(**asked[0]), dict(before[0][1])["ETag"]
        same = reader.get("/books/1", headers={**asked[0]["headers"], "If-None-Match": tag})
        assert ([head.status_code, same.status_code], entered) == ([200, 304], [])


def test_a_change_of_the_book_invalidates_its_response(editor, reader, entered):
    reader.get("/books/1")
    editor.patch("/books/2", json={"pages": 1})
    reader.get("/books/1")
    editor.patch("/books/1", json={"pages": 2})
    assert (reader.get("/books/1").json["pages"], reader.get("/books/1").json["version"]) == (2, 2)
    editor.patch("/books/2", json={"pages": 3})
    editor.delete("/books/1")
    assert [reader.get("/books/1").status_code for _ in range(2)] == [410, 410]
    assert entered.count("GET /books/1") == 4


def test_any_change_invalidates_lookups_by_isbn(editor, reader, uncached):
    address = f"/books/isbn/{FURTHER}"
    assert [reader.get(address).json["id"] for _ in range(2)] == [1, 1]
    editor.patch("/books/2", json={"pages": 1})
    reader.get(address)
    taker = editor.post("/books", json={"title": "Its own", "isbn": FURTHER}).json["id"]
    assert [reader.get(address).json["id"] for _ in range(2)] == [taker] * 2
    editor.delete(f"/books/{taker}")
    assert (
        [reader.get(address).json["id"] for _ in range(2)]
        == [1, 1]
        == [uncached.get(address).json["id"]] * 2
    )


def test_requests_without_effect_invalidate_nothing(editor, reader, entered):
    before = [comparable(reader.get(address)) for address in CACHED]
    editor.patch("/books/1", json={"title": "Emma"})
    editor.put("/books/99", json={"title": "Nobody"})
    Auth(editor).login()
    entered.clear()
    assert ([comparable(reader.get(address)) for address in CACHED], entered) == (before, [])


@pytest.mark.parametrize("moment", ["before it is read", "after it was read"])
@pytest.mark.parametrize(
    "address, name",
    [
        ("/books", "page"),
        ("/books/1", "one"),
        ("/books/authors", "terms"),
        (f"/books/isbn/{ISBN}", "by_isbn"),
    ],
)
def test_a_change_during_a_response_is_visible_to_the_next(
    reader, uncached, elsewhere, monkeypatch, address, name, moment
):
    read, changed = getattr(queries, name), []

    def change():
        if not changed:
            changed.append(1)
            assert (
                elsewhere.patch(
                    "/books/1", json={"title": "Meanwhile", "authors": ["A"]}
                ).status_code
                == 200
            )

    def meanwhile(*args):
        if moment == "before it is read":
            change()
        result = read(*args)
        change()
        return result

    monkeypatch.setattr(queries, name, meanwhile)
    reader.get(address)
    assert (
        changed
        and [comparable(reader.get(address)) for _ in range(2)]
        == [comparable(uncached.get(address))] * 2
    )


def _put_back(session):
    """The catalogue as it was before book 4, as a backup that is read in would make it."""
    for table, column in (
        ("book_words", "book_id"),
        ("book_authors", "book_id"),
        ("books", "id"),
        ("history", "seq"),
    ):
        session.execute(text(f"DELETE FROM {table} WHERE {column} > 3"))
    session.execute(text("UPDATE catalogue SET seq = 3, last_id = 3, total = 3"))


def test_a_restored_catalogue_serves_no_older_responses(app, editor, reader, uncached):
    editor.post("/books", json={"title": "Lost", "authors": ["A"]})
    lost = [comparable(reader.get(address)) for address in ("/books", "/books/4", "/books/authors")]
    with app.app_context():
        db.write(_put_back)
    editor.post("/books", json={"title": "Kept", "authors": ["B"]})
    found = [
        comparable(reader.get(address)) for address in ("/books", "/books/4", "/books/authors")
    ]
    assert (
        found
        == [
            comparable(uncached.get(address))
            for address in ("/books", "/books/4", "/books/authors")
        ]
        != lost
    )
