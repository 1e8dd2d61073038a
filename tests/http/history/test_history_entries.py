"""What the history of a book reports. docs/api.md, History and the change feed."""

import orjson
import pytest
from lxml import etree
from sqlalchemy import delete as delete_rows

from bookapi.auth.models import User
from bookapi.db import db
from helpers.books import BLANK, EMPTY, FULL, ISBN, OTHER, SET, differences, history, seq, steps
from helpers.documents import TYPES, both, read, send
from helpers.people import second_admin
from helpers.support import csv_bytes

# -- what is reported --------------------------------------------------------------------


@both
def test_a_new_book_has_an_entry_with_each_field_that_is_set(admin, name):
    made = read(send(admin, "POST", "/books", name, FULL))
    [entry] = history(admin, 1)
    assert set(entry) == {"seq", "at", "action", "version", "username", "changes"}
    assert (entry["seq"], entry["action"], entry["version"], entry["username"]) == (
        1,
        "created",
        1,
        "admin",
    )
    assert entry["at"] == made["created_at"] and differences(entry) == SET


@both
@pytest.mark.parametrize("sent", [{}, {"authors": [], "subtitle": None, "identifiers": None}])
def test_empty_fields_of_a_new_book_are_not_in_its_history(admin, name, sent):
    send(admin, "POST", "/books", name, {"title": "a", **sent})
    [entry] = history(admin, 1)
    assert entry["changes"] == [{"field": "title", "before": None, "after": "a"}]


PARTS = {key: value for key, value in FULL.items() if key in ("title", "isbn")}
UPDATES = [
    ("PATCH", "/books/1", {"pages": 7}, {"pages": (1024, 7)}),
    ("PATCH", "/books/1", {"pages": "1"}, {"pages": (1024, 1)}),
    ("PATCH", "/books/1", {"pages": None}, {"pages": (1024, None)}),
    (
        "PATCH",
        "/books/1",
        {"title": " Emma ", "subtitle": FULL["subtitle"]},
        {"title": (FULL["title"], "Emma")},
    ),
    ("PATCH", "/books/1", {"isbn": "080442957x"}, {"isbn": (ISBN, "9780804429573")}),
    (
        "PATCH",
        "/books/1",
        {"authors": ["An Other", "Jane Austen"]},
        {"authors": (FULL["authors"], ["An Other", "Jane Austen"])},
    ),
    (
        "PATCH",
        "/books/1",
        {"authors": None, "subjects": []},
        {"authors": (FULL["authors"], []), "subjects": (["Love"], [])},
    ),
    (
        "PATCH",
        "/books/1",
        {"identifiers": FULL["identifiers"][:1]},
        {"identifiers": (FULL["identifiers"], FULL["identifiers"][:1])},
    ),
    (
        "PATCH",
        "/books/1",
        {"description": 'a\r\n<b> & "c" \U0001f4da'},
        {"description": (FULL["description"], 'a\r\n<b> & "c" \U0001f4da')},
    ),
    ("PUT", "/books/1", {**FULL, "language": "eng"}, {"language": ("en-GB", "en")}),
    (
        "PUT",
        "/books/1",
        PARTS,
        {field: (FULL[field], EMPTY[field]) for field in FULL if field not in PARTS},
    ),
    ("PUT", f"/books/isbn/{ISBN}", {**FULL, "edition": "2nd"}, {"edition": ("1st", "2nd")}),
]


@both
def test_a_history_entry_lists_the_fields_that_changed(admin, name):
    reported, wanted = [], []
    for number, (method, address, sent, changes) in enumerate(UPDATES, 1):
        admin.post("/books", json=FULL)
        answer = send(admin, method, address.replace("/1", f"/{number}"), name, sent)
        assert answer.status_code == 200, answer.get_data()
        entry = history(admin, number)[-1]
        reported.append(
            (entry["action"], entry["version"], entry["username"], entry["at"], differences(entry))
        )
        wanted.append(
            ("updated", 2, "admin", admin.get(f"/books/{number}").json["updated_at"], changes)
        )
        admin.delete(f"/books/{number}")
    assert reported == wanted


def test_deleting_and_restoring_have_entries_without_changes(admin):
    admin.post("/books", json=FULL)
    admin.delete("/books/1")
    deleted_at = admin.get("/books/1?state=deleted").json["updated_at"]
    restored_at = admin.post("/books/1/restore").json["updated_at"]
    reported = [
        (entry["seq"], entry["action"], entry["version"], entry["changes"])
        for entry in history(admin, 1)[1:]
    ]
    assert reported == [(2, "deleted", 2, []), (3, "restored", 3, [])]
    assert [entry["at"] for entry in history(admin, 1)[1:]] == [deleted_at, restored_at]


@both
def test_changes_without_effect_have_no_history_entry(app, admin, name):
    admin.post("/books", json=FULL)
    sent = [
        ("PUT", "/books/1", FULL),
        ("PATCH", "/books/1", {}),
        ("PATCH", "/books/1", {"title": FULL["title"] + " "}),
        ("PATCH", "/books/1", {"isbn": "0-306-40615-2"}),
        ("PUT", f"/books/isbn/{ISBN}", FULL),
    ]
    assert [send(admin, *one[:2], name, one[2]).status_code for one in sent] == [200] * len(sent)
    assert (len(history(admin, 1)), len(steps(admin)), seq(app)) == (1, 1, 1)


@both
def test_rejected_changes_have_no_history_entry(app, admin, name):
    admin.post("/books", json=FULL)
    admin.post("/books", json={"title": "gone"})
    admin.delete("/books/2")
    sent = [
        ("POST", "/books", {}, 422),
        ("POST", "/books", FULL, 409),
        ("PATCH", "/books/1", {"title": ""}, 422),
        ("PUT", "/books/2", FULL, 410),
        ("PUT", f"/books/isbn/{OTHER}", FULL, 422),
        ("PUT", "/books/9", FULL, 404),
    ]
    assert [send(admin, *one[:2], name, one[2]).status_code for one in sent] == [
        status for *_, status in sent
    ]
    assert (
        send(
            admin, "PATCH", "/books/1", name, {"pages": 1}, headers={"If-Match": '"x"'}
        ).status_code
        == 412
    )
    assert ([len(history(admin, number)) for number in (1, 2)], len(steps(admin)), seq(app)) == (
        [1, 2],
        3,
        3,
    )


def test_each_history_entry_names_the_user(app, admin):
    other = second_admin(app, "Zoë 李")
    admin.post("/books", json={"title": "a"})
    for client, method, address in (
        (other, "PATCH", "/books/1"),
        (admin, "DELETE", "/books/1"),
        (other, "POST", "/books/1/restore"),
        (admin, "PUT", "/books/1"),
    ):
        assert client.open(address, method=method, json={"title": "b"}).status_code in (200, 204)
    assert [entry["username"] for entry in history(other, 1)] == [
        "admin",
        "Zoë 李",
        "admin",
        "Zoë 李",
    ]
    admin.put("/books/1", json={"title": "c"})
    assert history(other, 1)[-1]["username"] == "admin"


def test_history_keeps_the_username_of_a_deleted_account(app, admin):
    second_admin(app, "leaver").post("/books", json={"title": "a"})
    with app.app_context():
        db.write(
            lambda session: session.execute(delete_rows(User).where(User.username == "leaver"))
        )
    [entry] = history(admin, 1)
    assert (entry["action"], entry["username"]) == ("created", "leaver")


def test_an_import_adds_one_history_entry_for_each_book_without_a_username(
    app, admin, runner, tmp_path
):
    header, path = ["title", "isbn", "pages"], tmp_path / "books.csv"
    admin.post("/books", json={"title": "Emma", "isbn": OTHER, "pages": 1})
    admin.post("/books", json={"title": "As it was", "isbn": "080442957X"})
    path.write_bytes(
        csv_bytes(
            header,
            ["Emma", OTHER, "5"],
            ["New", ISBN, "3"],
            ["New", ISBN, "4"],
            ["As it was", "080442957X", ""],
        )
    )
    for options in (["--dry-run"], []):
        result = runner.invoke(args=["books", "import", str(path), *options])
        assert result.exit_code == 0, result.output
    reported = {
        number: [
            (entry["action"], entry["version"], entry["username"], differences(entry))
            for entry in history(admin, number)
        ][-1]
        for number in (1, 2, 3)
    }
    assert reported == {
        1: ("updated", 2, None, {"pages": (1, 5)}),
        2: ("created", 1, "admin", {"title": (None, "As it was"), "isbn": (None, "9780804429573")}),
        3: ("created", 1, None, {"title": (None, "New"), "isbn": (None, ISBN), "pages": (None, 4)}),
    }
    assert sorted(step[1:] for step in steps(admin, after=2)) == [
        ("created", 3, 1),
        ("updated", 1, 2),
    ]
    assert seq(app) == 4


def test_an_import_that_restores_the_old_values_adds_no_history(app, admin, runner, tmp_path):
    path = tmp_path / "books.csv"
    path.write_bytes(
        csv_bytes(["title", "isbn", "pages"], ["Emma", OTHER, "1"], ["Emma", OTHER, "5"])
    )
    for _ in range(3):
        assert runner.invoke(args=["books", "import", str(path)]).exit_code == 0
    reported = [(entry["version"], differences(entry)["pages"]) for entry in history(admin, 1)]
    assert (reported, seq(app)) == ([(1, (None, 5))], 1)


def test_a_book_of_maximum_size_has_its_history(admin):
    emoji = "\U0001f4da"
    largest = {
        "title": emoji * 2000,
        "subtitle": emoji * 2000,
        "authors": [emoji * 500] * 100,
        "description": emoji * 20000,
        "subjects": [emoji * 200] * 100,
        "identifiers": [{"scheme": "a" * 32, "value": emoji * 500}] * 50,
    }
    other = {"title": '"' * 2000, "authors": ["\\" * 500] * 100, "description": '"' * 20000}
    for method, address, document in (("POST", "/books", largest), ("PUT", "/books/1", other)):
        answer = admin.open(
            address, method=method, data=orjson.dumps(document), content_type=TYPES["json"]
        )
        assert answer.status_code < 300, answer.get_data()
    created, updated = [differences(entry) for entry in history(admin, 1)]
    assert created == {field: (BLANK[field], value) for field, value in largest.items()}
    assert updated == {
        field: (value, other.get(field, BLANK[field])) for field, value in largest.items()
    }


# -- as XML ------------------------------------------------------------------------------


def xml_history(client, book_id, query=""):
    answer = client.get(f"/books/{book_id}/history{query}", headers={"Accept": TYPES["xml"]})
    assert (answer.status_code, answer.mimetype) == (200, TYPES["xml"])
    return etree.fromstring(answer.get_data())


def xml_value(element):
    """A member of a change as JSON has it, but for numbers."""
    if element is None:
        return None
    items = [
        {part.tag: part.text for part in item} if len(item) else item.text
        for item in element.iter("author", "subject", "identifier")
    ]
    return items or element.text


def test_a_history_is_written_in_xml_too(admin):
    admin.post("/books", json=FULL)
    admin.patch(
        "/books/1", json={"title": "b", "pages": None, "subtitle": "\r<&>", "authors": ["One"]}
    )
    admin.delete("/books/1")
    root = xml_history(admin, 1)
    assert root.tag == "history" and [child.tag for child in root.find("history")] == ["entry"] * 3
    for entry, element in zip(history(admin, 1), root.iter("entry"), strict=True):
        assert [child.tag for child in element] == list(entry)
        assert {
            name: element.findtext(name) for name in ("seq", "at", "action", "version", "username")
        } == {name: str(entry[name]) for name in ("seq", "at", "action", "version", "username")}
        assert [child.tag for child in element.find("changes")] == ["change"] * len(
            entry["changes"]
        )
        for change, reported in zip(entry["changes"], element.iter("change"), strict=True):
            values = [
                str(change[name]) if isinstance(change[name], int) else change[name] or None
                for name in ("before", "after")
            ]
            assert [
                reported.findtext("field"),
                xml_value(reported.find("before")),
                xml_value(reported.find("after")),
            ] == [change["field"], *values]


def test_xml_history_omits_null_but_not_empty_lists(admin, runner, tmp_path):
    (tmp_path / "books.csv").write_bytes(csv_bytes(["title"], ["a"]))
    assert runner.invoke(args=["books", "import", str(tmp_path / "books.csv")]).exit_code == 0
    for values in ({"pages": 5}, {"pages": None}, {"authors": ["b"]}, {"authors": []}):
        admin.patch("/books/1", json=values)
    entries = list(xml_history(admin, 1).iter("entry"))
    assert [entry.find("username") is None for entry in entries] == [True] + [False] * 4
    assert [[child.tag for child in entry.find("changes/change")] for entry in entries] == [
        ["field", "after"],
        ["field", "after"],
        ["field", "before"],
        ["field", "before", "after"],
        ["field", "before", "after"],
    ]
    assert [len(entries[-1].find(f"changes/change/{name}")) for name in ("before", "after")] == [
        1,
        0,
    ]
