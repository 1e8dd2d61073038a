"""The history of a book over HTTP. docs/api.md, History and the change feed."""

import itertools

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import delete as delete_rows

from bookapi.auth.models import User
from bookapi.books import store
from bookapi.db import db
from helpers.books import (
    BLANK,
    EMPTY,
    FULL,
    ISBN,
    OTHER,
    SET,
    differences,
    history,
    own,
    seq,
    steps,
)
from helpers.documents import TYPES, both, faults, header_links, read, send
from helpers.instance import Auth
from helpers.inventions import bounded, with_check_digit
from helpers.people import second_admin
from helpers.support import crash, csv_bytes

# -- for the tests of this and of other files ------------------------------------------


# -- what is reported ----------------------------------------------------------------------


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


# -- as XML ----------------------------------------------------------------------------


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


# -- pages -----------------------------------------------------------------------------


@pytest.fixture
def long_story(admin):
    """A client of a catalogue whose first book has 25 versions, and changes of another one in
    between.
    """
    admin.post("/books", json={"title": "a", "pages": 1})
    admin.post("/books", json={"title": "other"})
    for number in range(2, 26):
        admin.patch("/books/1", json={"pages": number})
        if number % 5 == 0:
            admin.patch("/books/2", json={"pages": number})
    return admin


@pytest.mark.parametrize(
    "query, versions, there_is",
    [
        ("", range(1, 21), {"first": "page=1", "next": "page=2", "last": "page=2"}),
        ("page=2", range(21, 26), {"first": "page=1", "prev": "page=1", "last": "page=2"}),
        (
            "limit=10&page=2",
            range(11, 21),
            {
                "first": "limit=10&page=1",
                "prev": "limit=10&page=1",
                "next": "limit=10&page=3",
                "last": "limit=10&page=3",
            },
        ),
        ("limit=100", range(1, 26), {"first": "limit=100&page=1", "last": "limit=100&page=1"}),
        (
            "limit=10&page=9",
            [],
            {"first": "limit=10&page=1", "prev": "limit=10&page=3", "last": "limit=10&page=3"},
        ),
    ],
)
def test_a_history_is_paged_oldest_first(long_story, query, versions, there_is):
    answer = long_story.get(f"/books/1/history?{query}" if query else "/books/1/history")
    reported, links = [entry["version"] for entry in answer.json["history"]], answer.json["links"]
    assert (answer.status_code, reported) == (200, list(versions))
    address = "http://localhost/books/1/history?"
    wanted = {relation: address + parameters for relation, parameters in there_is.items()}
    assert (
        links == {"self": (address + query).removesuffix("?"), **wanted}
        and header_links(answer) == wanted
    )


@both
def test_following_next_visits_the_whole_history(long_story, name):
    address, reported = f"/books/1/history?limit=7&format={name}", []
    while address:
        answer = long_story.get(address)
        if name == "xml":
            root = etree.fromstring(answer.get_data())
            reported += [int(version.text) for version in root.iter("version")]
            address = root.findtext("links/next")
        else:
            reported += [entry["version"] for entry in answer.json["history"]]
            address = answer.json["links"].get("next")
    assert reported == list(range(1, 26))


def test_history_seq_numbers_increase_and_match_the_feed(long_story):
    entries = history(long_story, 1)
    assert [entry["version"] for entry in entries] == list(range(1, 26))
    reported = [(entry["seq"], entry["action"], 1, entry["version"]) for entry in entries]
    assert reported == [step for step in steps(long_story) if step[2] == 1] == sorted(reported)
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)


WRONG = [
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=", "limit"),
    ("limit=x", "limit"),
    ("limit=1.0", "limit"),
    ("limit=1&limit=2", "limit"),
    ("limit=%D9%A1", "limit"),
    ("page=0", "page"),
    ("page=-1", "page"),
    ("page=", "page"),
    (f"page={2**63}", "page"),
    ("page=1&page=1", "page"),
    ("after=1", "after"),
    ("cursor=*", "cursor"),
    ("sort=-seq", "sort"),
    ("fields=seq", "fields"),
    ("q=a", "q"),
    ("nonsense=1", "nonsense"),
    ("username=admin", "username"),
    ("Limit=1", "Limit"),
]


@both
def test_a_wrong_parameter_is_a_400_that_names_it(admin, name):
    admin.post("/books", json={"title": "a"})
    reported = [
        (answer.status_code, faults(answer))
        for answer in (
            admin.get(f"/books/1/history?{query}", headers={"Accept": TYPES[name]})
            for query, _ in WRONG
        )
    ]
    assert reported == [(400, [parameter]) for _, parameter in WRONG]


# -- who may, and whose ----------------------------------------------------------------


@pytest.mark.parametrize("who, status", [(None, 401), ("member", 403), ("admin", 200)])
def test_only_admins_read_history(app, admin, who, status):
    admin.post("/books", json=FULL)
    client = app.test_client()
    if who:
        Auth(client).login(who)
    for method, kind in (("GET", TYPES["json"]), ("GET", TYPES["xml"]), ("HEAD", TYPES["json"])):
        answer = client.open("/books/1/history", method=method, headers={"Accept": kind})
        assert answer.status_code == status and ("WWW-Authenticate" in answer.headers) == (
            status == 401
        )
        assert (ISBN in answer.get_data(as_text=True)) == (status == 200 and method == "GET")


def test_checks_run_in_the_documented_order(app, admin):
    admin.post("/books", json=FULL)
    clients = {None: app.test_client(), "member": app.test_client(), "admin": admin}
    Auth(clients["member"]).login("member")
    csv = {"Accept": "text/csv"}
    chain = [
        (404, "GET", "/books/0/history", None, csv),
        (308, "GET", "/books/1/history/", None, csv),
        (405, "POST", "/books/9/history?x=1", None, csv),
        (406, "GET", "/books/9/history?x=1", None, csv),
        (401, "GET", "/books/9/history?x=1", None, {}),
        (403, "GET", "/books/9/history?x=1", "member", {}),
        (400, "GET", "/books/9/history?x=1", "admin", {}),
        (404, "GET", "/books/9/history", "admin", {}),
    ]
    reported = [
        clients[who].open(address, method=method, headers=headers).status_code
        for _, method, address, who, headers in chain
    ]
    assert reported == [status for status, *_ in chain]


@both
def test_only_unknown_books_have_no_history(admin, name):
    for _ in range(2):
        admin.post("/books", json={"title": "a"})
    admin.delete("/books/2")
    reported = [
        admin.get(f"/books/{book_id}/history", headers={"Accept": TYPES[name]}).status_code
        for book_id in (1, 2, 3, 2**31, 2**63 - 1)
    ]
    assert reported == [200, 200, 404, 404, 404]
    assert [entry["action"] for entry in history(admin, 2)] == ["created", "deleted"]


def test_history_is_not_cacheable(admin):
    admin.post("/books", json=FULL)
    answers = [
        admin.open("/books/1/history", method=method, headers={"X-Request-ID": "x"})
        for method in ("GET", "HEAD")
    ]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 2
    assert answers[1].get_data() == b"" and dict(answers[0].headers) == dict(answers[1].headers)


def test_history_is_read_only(admin):
    admin.post("/books", json=FULL)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = admin.open("/books/1/history", method=method, json={})
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (
            405,
            {"GET", "HEAD", "OPTIONS"},
        )


# -- nothing by halves -----------------------------------------------------------------


@pytest.mark.parametrize(
    "method, address",
    [
        ("POST", "/books"),
        ("PUT", "/books/1"),
        ("PATCH", "/books/1"),
        ("DELETE", "/books/1"),
        ("PUT", f"/books/isbn/{ISBN}"),
        ("PUT", f"/books/isbn/{OTHER}"),
        ("POST", "/books/2/restore"),
    ],
)
def test_a_crash_during_a_change_leaves_no_history_or_feed_entry(
    app, admin, monkeypatch, method, address
):
    admin.post("/books", json={**FULL, "identifiers": []})
    admin.post("/books", json={"title": "gone", "authors": ["b"]})
    admin.delete("/books/2")
    before = [history(admin, 1), history(admin, 2), steps(admin), seq(app)]
    with monkeypatch.context() as patch:
        patch.setattr(store, "_new_state", crash)
        assert (
            admin.open(address, method=method, json={"title": "x", "authors": ["a"]}).status_code
            == 500
        )
    assert [history(admin, 1), history(admin, 2), steps(admin), seq(app)] == before
    assert (
        admin.open(address, method=method, json={"title": "x", "authors": ["a"]}).status_code < 300
    )
    assert len(steps(admin)) == seq(app) == len(before[2]) + 1


# -- any sequence of changes -----------------------------------------------------------

_BOOK = st.integers(0, 3)  # one of the last few
_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["a", "A ", "\u00e9", "\U0001f4da"]),
        "pages": st.sampled_from([None, 1, 2]),
        "isbn": st.sampled_from([None, 0, 1]),
        "authors": st.lists(st.sampled_from(["x", "y"]), max_size=2),
        "identifiers": st.lists(
            st.builds(dict, scheme=st.sampled_from("st"), value=st.just("1")), max_size=2
        ),
        "description": st.sampled_from([None, "text"]),
    },
)
_CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("create"), _VALUES),
        st.tuples(st.just("batch"), st.lists(_VALUES, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["patch", "put"]), _BOOK, _VALUES),
        st.tuples(st.just("isbn"), st.integers(0, 1), _VALUES),
        st.tuples(st.sampled_from(["delete", "restore", "restore"]), _BOOK),
    ),
    min_size=1,
    max_size=14,
)
_COUNTER = itertools.count(1)


def _document(values, isbns, whole=True):
    """The values as a document, their ISBN one of two."""
    number = values.get("isbn")
    isbn = {"isbn": None if number is None else isbns[number]} if "isbn" in values else {}
    return {**({"title": "t"} if whole else {}), **values, **isbn}


def _perform(client, change, isbns, books):
    """Send a change; whether it was done. New books are put into `books`."""
    kind, *given = change
    if kind in ("create", "batch"):
        documents = [
            _document(values, isbns) for values in (given if kind == "create" else given[0])
        ]
        answer = client.post(
            "/books", json=documents[0] if kind == "create" else {"books": documents}
        )
        made = (
            []
            if answer.status_code != 201
            else [answer.json]
            if kind == "create"
            else answer.json["books"]
        )
        books += [record["id"] for record in made]
    elif kind == "isbn":
        values = {name: value for name, value in given[1].items() if name != "isbn"}
        answer = client.put(f"/books/isbn/{isbns[given[0]]}", json=_document(values, isbns))
        books += [answer.json["id"]] if answer.status_code == 201 else []
    elif not books:
        return
    else:
        address, method = (
            f"/books/{books[-1 - given[0] % len(books)]}",
            {"restore": "POST"}.get(kind, kind.upper()),
        )
        address += "/restore" if kind == "restore" else ""
        document = _document(given[1], isbns, kind == "put") if len(given) > 1 else None
        answer = client.open(address, method=method, json=document)
    assert answer.status_code in (200, 201, 204, 409, 410), (change, answer.get_data())


def _replayed(entries):
    """The book that its history tells, and whether it is in the trash."""
    book = dict(BLANK)
    for entry in entries:
        for field, (before, after) in differences(entry).items():
            assert book[field] == before and before != after, (field, entry)
            book[field] = after
    return book, entries[-1]["action"] == "deleted"


@pytest.mark.slow
@given(changes=_CHANGES)
@settings(bounded, max_examples=30)
def test_any_sequence_of_changes_has_complete_history(app, admin, changes):
    """The versions of each book go from 1 up, its history makes the book, and the feed has each
    step once, in order.
    """
    start = seq(app)
    number = next(_COUNTER)
    isbns, books = [with_check_digit(f"978{2 * number + other:09d}") for other in (0, 1)], []
    for change in changes:
        _perform(admin, change, isbns, books)
    feed = steps(admin, start)
    assert [step[0] for step in feed] == list(range(start + 1, seq(app) + 1))
    assert {step[2] for step in feed} == set(books)
    for book_id in books:
        entries = history(admin, book_id)
        record = admin.get(f"/books/{book_id}?state=deleted").json
        assert [entry["version"] for entry in entries] == list(range(1, record["version"] + 1))
        assert [
            (entry["seq"], entry["action"], book_id, entry["version"]) for entry in entries
        ] == [step for step in feed if step[2] == book_id]
        book, in_trash = _replayed(entries)
        assert book == own(record) and entries[-1]["at"] == record["updated_at"]
        assert entries[0]["action"] == "created" and entries[0]["at"] == record["created_at"]
        assert admin.get(f"/books/{book_id}").status_code == (410 if in_trash else 200)
