"""Restoring books, and preconditions of changes. docs/api.md, Trash."""

import gzip
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.books import FULL, GIVEN, ISBN, OTHER, READS, found, history, own, rows, seq
from helpers.documents import TYPES, both, read, send
from helpers.instance import Auth


@pytest.fixture
def gone(admin):
    """An admin of a catalogue whose first book is in the trash; the second is not."""
    admin.post("/books", json=FULL)
    admin.post("/books", json={"title": "Other"})
    assert admin.delete("/books/1").status_code == 204
    return admin


def restore(client, book_id=1, name="json", **headers):
    return client.post(f"/books/{book_id}/restore", headers={"Accept": TYPES[name], **headers})


# -- restoring -------------------------------------------------------------------------


@both
def test_restoring_a_book_only_increments_its_version(gone, name):
    before = gone.get("/books/1?state=deleted").json
    answer = restore(gone, name=name)
    record = gone.get("/books/1").json
    assert answer.status_code == 200
    assert re.fullmatch(rf'"1-3-[0-9]{{20}}-{name}"', answer.headers["ETag"])
    assert answer.get_data() == gone.get(f"/books/1?format={name}").get_data()
    assert own(record) == FULL and record["created_at"] == before["created_at"]
    assert (before["version"], record["version"]) == (2, 3) and record["updated_at"] > before[
        "updated_at"
    ]


def test_a_restore_response_has_no_location(gone):
    answer = restore(gone)
    assert "Location" not in answer.headers
    assert answer.headers["ETag"] == gone.get("/books/1").headers["ETag"]


def test_a_restored_book_is_found_by_everything_that_found_it_before(app, admin):
    reader = app.test_client()
    for values in (FULL, {"title": "Other", "authors": ["Someone"], "language": "de"}):
        admin.post("/books", json=values)
    before = found(reader)
    admin.delete("/books/1")
    meanwhile = found(reader)
    assert restore(admin).status_code == 200
    assert [address for address in READS if meanwhile[address] == before[address]] == []
    assert found(reader) == before
    assert reader.get("/books?updated_since=2000-01-01T00:00:00Z").json["total"] == 2
    assert (
        reader.get(f"/books/isbn/{ISBN}").json["id"]
        == reader.get(f"/books/isbn/{OTHER}").json["id"]
        == 1
    )


def test_the_trash_holds_a_book_until_it_is_restored(gone):
    reported = []
    for act in (lambda: None, lambda: restore(gone), lambda: gone.delete("/books/1")):
        act()
        totals = [
            gone.get(address).json["total"]
            for address in ("/books?state=deleted", "/books?state=deleted&q=handsome", "/books")
        ]
        reported.append((*totals, gone.get("/books/1").status_code))
    assert reported == [(1, 1, 1, 410), (0, 0, 2, 200), (1, 1, 1, 410)]


@both
def test_a_restored_book_is_visible_at_once(app, gone, name):
    reader, reported = app.test_client(), []
    for act in (
        lambda: None,
        lambda: restore(gone),
        lambda: gone.delete("/books/1"),
        lambda: restore(gone),
    ):
        act()
        answers = [reader.get(f"/books/1?format={name}") for _ in range(2)]
        tags = [re.sub("-[0-9]{20}-", "-", each.headers.get("ETag", "")) for each in answers]
        reported.append(list(zip([each.status_code for each in answers], tags, strict=False)))
    assert reported == [
        [(410, "")] * 2,
        [(200, f'"1-3-{name}"')] * 2,
        [(410, "")] * 2,
        [(200, f'"1-5-{name}"')] * 2,
    ]


def test_a_book_can_be_deleted_and_restored_repeatedly(app, gone):
    for version in (3, 5, 7):
        assert restore(gone).json["version"] == version
        assert gone.delete("/books/1").status_code == 204
    assert [entry["action"] for entry in history(gone, 1)] == ["created", "deleted"] + [
        "restored",
        "deleted",
    ] * 3
    assert seq(app) == 9


def test_the_etag_of_a_restore_is_valid_for_the_next_change(gone):
    tags = [
        gone.get("/books/1?state=deleted").headers["ETag"],
        restore(gone, name="xml").headers["ETag"],
    ]
    reported = [
        gone.patch("/books/1", json={"pages": 9}, headers={"If-Match": tag}) for tag in tags
    ]
    assert [answer.status_code for answer in reported] == [412, 200]
    assert (reported[1].json["pages"], reported[1].json["version"]) == (9, 4)


BODIES = [
    (None, None, None),
    (b"", "application/json", None),
    (b"{}", "application/json", None),
    (b'{"title": ""}', "application/json", None),
    (b'{"title": ', "application/json", None),
    (b"<!DOCTYPE a><a/>", "application/xml", None),
    (b"x", "text/plain", None),
    (b"\xff\x00", None, None),
    (b"x", "nonsense", None),
    (gzip.compress(b"{}", mtime=0), "application/json", "gzip"),
    (b"a=1", "application/x-www-form-urlencoded", None),
    (b"x" * 5000, "application/json", None),
]


def test_the_body_of_a_restore_is_ignored(make_app):
    admin = make_app(MAX_BODY_BYTES=2048).test_client()
    Auth(admin).login()
    admin.post("/books", json={"title": "a"})
    for version, (data, content_type, encoding) in zip(range(3, 99, 2), BODIES, strict=False):
        admin.delete("/books/1")
        headers = {"Content-Encoding": encoding} if encoding else {}
        answer = admin.post(
            "/books/1/restore", data=data, content_type=content_type, headers=headers
        )
        assert (answer.status_code, answer.get_data()) == (200, admin.get("/books/1").get_data()), (
            data,
            content_type,
        )
        assert (answer.json["title"], answer.json["version"]) == ("a", version)


# -- what cannot be restored -----------------------------------------------------------


@both
def test_restoring_a_live_book_is_a_409(app, gone, name):
    before = rows(app)
    answer = restore(gone, 2, name)
    assert (answer.status_code, "existing" in read(answer)) == (409, False)
    assert rows(app) == before and gone.get("/books/2").json["version"] == 1


@both
def test_restoring_an_unknown_book_is_a_404(app, gone, name):
    before = rows(app)
    reported = [
        restore(gone, book_id, name).status_code
        for book_id in (3, 0, "01", "-1", "x", 2**31, 2**63 - 1, 2**63)
    ]
    assert reported == [404] * 8
    assert rows(app) == before


@both
@pytest.mark.parametrize("take", ["POST", "PUT", "PATCH"])
def test_restoring_a_book_whose_isbn_was_taken_is_a_409_with_the_url(app, gone, name, take):
    address = {"POST": "/books", "PUT": f"/books/isbn/{ISBN}", "PATCH": "/books/2"}[take]
    taker = gone.open(address, method=take, json={"title": "Taker", "isbn": ISBN}).json["id"]
    before = rows(app)
    answer = restore(gone, name=name)
    assert (answer.status_code, read(answer)["existing"]) == (
        409,
        f"http://localhost/books/{taker}",
    )
    assert rows(app) == before and gone.get("/books/1").status_code == 410
    gone.delete(f"/books/{taker}")
    assert restore(gone, name=name).status_code == 200
    assert restore(gone, taker, name).status_code == 409


def test_an_identifier_isbn_of_another_book_does_not_prevent_a_restore(gone):
    gone.post("/books", json={"title": "Taker", "isbn": OTHER})
    assert restore(gone).status_code == 200
    assert [book["id"] for book in gone.get(f"/books?isbn={OTHER}").json["books"]] == [1, 3]


def test_checks_run_in_the_documented_order(make_app):
    app = make_app(REQUIRE_IF_MATCH=True)
    clients = {None: app.test_client(), "member": app.test_client(), "admin": app.test_client()}
    for who in ("member", "admin"):
        Auth(clients[who]).login(who)
    for values in (FULL, {"title": "Live"}):
        clients["admin"].post("/books", json=values)
    clients["admin"].delete("/books/1", headers={"If-Match": "*"})
    clients["admin"].post("/books", json=FULL)
    plain, stale, foreign = (
        {"Accept": "text/plain"},
        {"If-Match": '"1-1-json"'},
        {"Sec-Fetch-Site": "cross-site"},
    )
    chain = [
        (404, "POST", "/books/0/restore", None, plain),
        (404, "POST", "/books/1/restore/", None, plain),
        (405, "GET", "/books/9/restore", None, plain),
        (406, "POST", "/books/9/restore", None, plain),
        (401, "POST", "/books/9/restore", None, stale),
        (403, "POST", "/books/9/restore", "member", stale),
        (403, "POST", "/books/1/restore", "admin", foreign),
        (404, "POST", "/books/9/restore", "admin", stale),
        (412, "POST", "/books/2/restore", "admin", stale),
        (412, "POST", "/books/1/restore", "admin", stale),
        (409, "POST", "/books/2/restore", "admin", {}),
        (409, "POST", "/books/1/restore", "admin", {}),
    ]
    reported = [
        clients[who].open(
            address, method=method, headers=headers, data=b"{", content_type="text/plain"
        )
        for _, method, address, who, headers in chain
    ]
    reported = [answer.status_code for answer in reported]
    assert reported == [status for status, *_ in chain]
    assert set(clients["admin"].get("/books/9/restore").headers["Allow"].split(", ")) == {
        "POST",
        "OPTIONS",
    }


def _in_parallel(app, admin, requests):
    """The statuses of requests (method, address, document) sent at once."""
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"

    def ask(request):
        method, address, document = request
        return (
            app.test_client(use_cookies=False)
            .open(address, method=method, json=document, headers={"Cookie": cookie})
            .status_code
        )

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(ask, requests))


def test_concurrent_restores_restore_a_book_once(app, gone):
    reported = _in_parallel(app, gone, [("POST", "/books/1/restore", None)] * 6)
    assert sorted(reported) == [200] + [409] * 5
    assert (gone.get("/books/1").json["version"], seq(app), gone.get("/books").json["total"]) == (
        3,
        4,
        2,
    )


def test_of_two_deleted_books_with_one_isbn_one_can_be_restored(app, admin):
    for number in range(1, 5):
        admin.post("/books", json=FULL)
        admin.delete(f"/books/{number}")
    reported = _in_parallel(
        app,
        admin,
        [("POST", f"/books/{number}/restore", None) for number in range(1, 5)]
        + [("POST", "/books", FULL)],
    )
    assert len([status for status in reported if status < 300]) == 1 and set(reported) <= {
        200,
        201,
        409,
    }
    assert admin.get("/books").json["total"] == admin.get(f"/books?isbn={ISBN}").json["total"] == 1


# -- conditions ------------------------------------------------------------------------

# Tags, and whether each names the second version of the book of that number.
TAGS = [
    ('"{}-2-json"', True),
    ('"{}-2-xml"', True),
    ("*", True),
    (' "{}-2-xml" ', True),
    ('"x", "{}-2-xml"', True),
    ('"{}-2-xml","x"', True),
    ('W/"x", "{}-2-json"', True),
    ('"a,b", "{}-2-json"', True),
    ('"{}-1-json"', False),
    ('"{}-3-json"', False),
    ('W/"{}-2-json"', True),
    ('w/"{}-2-json"', True),
    ('W/"{}-2-json", W/"{}-2-xml"', True),
    ('"{}-2"', False),
    ('"{}-2-yaml"', False),
    ('"{}-2-JSON"', False),
    ('"x, {}-2-json"', False),
    ("nonsense", False),
    ('""', False),
    ("", False),
    ('"99-2-json"', False),
    ('"*"', False),
]
CHANGES = [
    ("PUT", "/books/{}", 200),
    ("PATCH", "/books/{}", 200),
    ("DELETE", "/books/{}", 204),
    ("POST", "/books/{}/restore", 200),
    ("PUT", "/books/isbn/{}", 200),
]


def _second_version(client, number, change):
    """The address for a change of a new book that has its second version by now."""
    method, address, _ = change
    isbn = ISBN if "isbn" in address else None
    client.post("/books", json={"title": "a", "isbn": isbn})
    if "restore" in address:
        client.delete(f"/books/{number}")
    else:
        client.patch(f"/books/{number}", json={"title": "b"})
    return address.format(isbn or number)


def _tag(client, number, tag):
    """A tag of TAGS for the book of this number, with the instant of its change."""
    changed = client.get(f"/books/{number}?state=deleted").json["updated_at"].translate(NO_DIGITS)
    return re.sub("{}-([0-9])-", rf"{number}-\1-{changed}-", tag)


NO_DIGITS = str.maketrans("", "", "-T:.Z")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: " ".join(change[:2]))
def test_a_change_succeeds_if_an_etag_of_the_newest_version_matches(admin, change):
    reported = []
    for number, (tag, _) in enumerate(TAGS, 1):
        address = _second_version(admin, number, change)
        answer = admin.open(
            address,
            method=change[0],
            json={"title": "c"},
            headers={"If-Match": _tag(admin, number, tag)},
        )
        reported.append(answer.status_code)
        versions = [
            admin.get(f"/books/{number}?state=deleted").json["version"],
            len(history(admin, number)),
        ]
        assert versions == [3 if answer.status_code < 300 else 2] * 2, tag
        if admin.get(f"/books/{number}").status_code == 200:
            admin.patch(f"/books/{number}", json={"isbn": None})
    assert reported == [change[2] if right else 412 for _, right in TAGS]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: " ".join(change[:2]))
def test_if_none_match_prevents_a_change(admin, change):
    address = _second_version(admin, 1, change)

    def ask(*tags):
        return [
            admin.open(
                address,
                method=change[0],
                json={"title": "c"},
                headers={"If-None-Match": _tag(admin, 1, tag)},
            ).status_code
            for tag in tags
        ]

    assert ask("*", '"{}-2-json"', '"{}-2-xml"', '"x", "{}-2-xml"') == [412] * 4
    assert admin.get("/books/1?state=deleted").json["version"] == 2
    assert ask('"{}-1-json", "x"') == [change[2]]
    assert admin.get("/books/1?state=deleted").json["version"] == 3


def test_with_require_if_match_every_change_but_a_restore_needs_it(make_app):
    admin = make_app(REQUIRE_IF_MATCH=True).test_client()
    Auth(admin).login()
    admin.post("/books", json=FULL)

    def ask(method, address, **headers):
        return admin.open(address, method=method, json={"title": "c"}, headers=headers).status_code

    for method, address in (
        ("PUT", "/books/1"),
        ("PATCH", "/books/1"),
        ("DELETE", "/books/1"),
        ("PUT", f"/books/isbn/{ISBN}"),
    ):
        reported = [
            ask(method, address, **headers)
            for headers in ({}, {"If-None-Match": '"x"'}, {"If-Match": '"x"'})
        ]
        assert reported == [428, 428, 412], (method, address)
    assert ask("DELETE", "/books/1", **{"If-Match": _tag(admin, 1, '"{}-1-xml"')}) == 204
    assert [ask("POST", "/books/1/restore"), ask("POST", "/books")] == [200, 201]


@pytest.mark.parametrize(
    "name, value, status",
    [
        ("Accept", "*/*", 201),
        ("If-None-Match", "*", 201),
        ("If-None-Match", '"1-1-json"', 201),
        ("If-Match", "*", 412),
        ("If-Match", '"1-1-json"', 412),
        ("If-Match", '"1-2-json"', 412),
        ("If-Match", "", 412),
    ],
)
def test_put_by_isbn_may_require_that_the_book_exists_or_not(make_app, name, value, status):
    """A book in the trash is none; and where there is none, no tag can be required."""
    admin = make_app(REQUIRE_IF_MATCH=True).test_client()
    Auth(admin).login()
    for number in (1, 2):  # without a book of that ISBN, then with one in the trash
        answer = admin.put(f"/books/isbn/{ISBN}", json={"title": "a"}, headers={name: value})
        assert (answer.status_code, admin.get("/books").json["total"]) == (
            status,
            1 if status == 201 else 0,
        )
        if status == 412:
            admin.post("/books", json=FULL)
        admin.delete(f"/books/{number}", headers={"If-Match": "*"})


@both
def test_a_stale_change_without_effect_is_rejected(app, admin, name):
    send(admin, "POST", "/books", name, FULL)
    before = rows(app)
    for method in ("PUT", "PATCH"):
        answer = send(admin, method, "/books/1", name, FULL, headers={"If-Match": '"1-9-json"'})
        assert answer.status_code == 412
    assert rows(app) == before and not set(GIVEN) & set(FULL)
