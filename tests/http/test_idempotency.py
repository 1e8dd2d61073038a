"""Idempotency-Key: a repeated request is done once. docs/api.md, Idempotency."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, update

from bookapi.auth.models import User
from bookapi.books import store
from bookapi.db import db, now
from helpers.books import FULL, ISBN, OTHER, history, rows, seq, steps
from helpers.documents import TYPES, both, read, write
from helpers.idempotency import KEYS, as_admin, given, kept
from helpers.instance import PASSWORD, Auth
from helpers.people import second_admin
from helpers.support import crash

LIST = {"books": [{"title": "a", "isbn": OTHER}, {"title": "b"}]}
REQUESTS = {
    "book": ("/books", FULL, "book"),
    "list": ("/books", LIST, "catalogue"),
    "restore": ("/books/1/restore", {}, "book"),
}
each = pytest.mark.parametrize("what", REQUESTS)


def post(
    client,
    key,
    document=FULL,
    name="json",
    address="/books",
    root="book",
    content_type=None,
    **headers,
):
    """The answer to a POST with a key (None: without one)."""
    own = {} if key is None else {"Idempotency-Key": key}
    return client.post(
        address,
        data=write(name, document, root),
        content_type=content_type or TYPES[name],
        headers={"Accept": TYPES[name], **own, **headers},
    )


def request(client, key, what, name="json", **headers):
    """The answer to one of REQUESTS with a key."""
    address, document, root = REQUESTS[what]
    return post(client, key, document, name, address, root, **headers)


def grow_older(app, **by):
    """Have every answer be kept for that long already."""
    table = KEYS["idempotency_keys"]
    with app.app_context():
        db.write(
            lambda session: session.execute(
                update(table).values(created_at=now() - timedelta(**by))
            )
        )


@pytest.fixture
def shelf(admin):
    """An admin of a catalogue whose only book is in the trash: each of REQUESTS can be done."""
    admin.post("/books", json={"title": "Gone"})
    assert admin.delete("/books/1").status_code == 204
    return admin


# -- again -----------------------------------------------------------------------------


@both
@each
def test_a_repeated_request_is_done_once_and_answered_twice(app, shelf, what, name):
    first = request(shelf, "a-key", what, name)
    before = rows(app)
    again = [request(shelf, "a-key", what, name) for _ in range(3)]
    assert first.status_code == (200 if what == "restore" else 201)
    assert [given(answer) for answer in again] == [given(first)] * 3
    assert rows(app) == before and kept(app) == 1
    assert len(steps(shelf)) == seq(app) == (4 if what == "list" else 3)


@both
@each
def test_a_key_does_not_change_the_response(make_app, shelf, what, name):
    without = request(shelf, None, what, name)
    for number in range(1, 4):
        shelf.delete(f"/books/{number}")
    with_key = request(shelf, "k", what, name)
    own = ("X-Request-ID", "ETag", "Location", "Content-Length")  # of each book or request
    reported = [
        [pair for pair in answer.headers if pair[0] not in own] for answer in (without, with_key)
    ]
    assert reported[0] == reported[1] and with_key.status_code == without.status_code
    assert (
        ("ETag" in with_key.headers, "Location" in with_key.headers)
        == ("ETag" in without.headers, "Location" in without.headers)
        == (what != "list", what == "book")
    )


@each
def test_without_a_key_a_repeated_request_is_done_again(shelf, what):
    reported = [request(shelf, None, what).status_code for _ in range(2)]
    assert reported == ([200, 409] if what == "restore" else [201, 409])


@both
def test_the_stored_response_is_replayed_whatever_became_of_the_book(app, admin, name):
    first = given(post(admin, "k", name=name))
    admin.patch("/books/1", json={"title": "Changed"})
    reported = [given(post(admin, "k", name=name))]
    admin.delete("/books/1")
    reported.append(given(post(admin, "k", name=name)))
    admin.post("/books", json=FULL)
    reported.append(given(post(admin, "k", name=name)))
    assert reported == [first] * 3 and admin.get("/books/1").status_code == 410 and seq(app) == 4


def test_a_restore_is_replayed_though_its_precondition_fails_now(shelf):
    tag = shelf.get("/books/1?state=deleted").headers["ETag"]
    reported = [given(request(shelf, "k", "restore", **{"If-Match": tag})) for _ in range(2)]
    assert reported[0] == reported[1] and reported[0][0] == 200
    assert shelf.get("/books/1").json["version"] == 3


def test_a_new_key_is_a_new_request(admin):
    reported = [post(admin, key, {"title": "a"}).json["id"] for key in ("k", "K", "k.", "kk", "k")]
    assert reported == [1, 2, 3, 4, 1]


@pytest.mark.slow
def test_a_large_response_is_replayed(admin):
    books = {
        "books": [{"title": f"T{number}", "description": "\u00e9" * 200} for number in range(700)]
    }
    for name in ("json", "xml"):
        reported = [
            given(post(admin, name, books, root="catalogue", Accept=TYPES[name])) for _ in range(2)
        ]
        assert (
            reported[0] == reported[1] and reported[0][0] == 201 and len(reported[0][1]) > 400_000
        )
    assert admin.get("/books").json["total"] == 1400


def test_the_response_format_is_part_of_the_request_however_it_is_chosen(admin):
    asked = [
        ("/books", {"Accept": TYPES["json"]}),
        ("/books", {"Accept": "*/*"}),
        ("/books?format=json", {}),
        ("/books", {"Accept": "application/xml;q=0.5, application/json"}),
    ]
    reported = [post(admin, "k", address=address, **headers) for address, headers in asked]
    assert [given(answer) for answer in reported] == [given(reported[0])] * 4
    assert reported[0].status_code == 201


@each
def test_a_key_is_valid_across_sessions(app, shelf, what):
    first = given(request(shelf, "k", what))
    Auth(shelf).logout()
    refused = request(shelf, "k", what).status_code
    Auth(shelf).login()
    assert (refused, given(request(shelf, "k", what))) == (401, first)


# -- another request -------------------------------------------------------------------

OTHERS = [  # what differs from FULL sent as JSON to /books and answered as JSON
    {"document": {**FULL, "pages": 5}},
    {"document": {"title": "a"}},
    {"document": LIST, "root": "catalogue"},
    {"name": "xml"},
    {"Accept": TYPES["xml"]},
    {"address": "/books?format=xml"},
    {"address": "/books/1/restore"},
    {"document": {"books": [FULL]}},
    {"document": dict(reversed(FULL.items()))},
]


def test_a_key_reused_for_another_request_is_a_422(app, shelf):
    first = given(post(shelf, "k"))
    before = rows(app)
    for other in OTHERS:
        answer = post(shelf, "k", **other)
        assert answer.status_code == 422 and "errors" not in read(answer), other
        assert given(post(shelf, "k")) == first, other
    assert rows(app) == before


def test_a_key_of_a_restore_is_valid_for_that_book_only(shelf):
    shelf.post("/books", json={"title": "b"})
    shelf.delete("/books/2")
    reported = [
        post(shelf, "k", {}, address=f"/books/{number}/restore").status_code for number in (1, 2, 1)
    ]
    assert reported == [200, 422, 200]
    assert shelf.get("/books/2").status_code == 410


@each
def test_keys_are_separate_for_each_account(app, shelf, what):
    other = second_admin(app)
    first = request(shelf, "k", what)
    for number in range(1, 4):
        shelf.delete(f"/books/{number}")
    second = request(other, "k", what)
    assert first.status_code == second.status_code and first.get_data() != second.get_data()
    newest = shelf.get("/books").json["books"][-1]["id"]
    assert history(shelf, newest)[-1]["username"] == "second"
    assert given(request(shelf, "k", what)) == given(first) and given(
        request(other, "k", what)
    ) == given(second)


# -- for a day -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "age, is_kept", [({"hours": 23, "minutes": 59}, True), ({"hours": 24, "seconds": 1}, False)]
)
@pytest.mark.parametrize("second", [{"title": "a"}, {"title": "b"}])
def test_a_response_is_stored_for_a_day(app, admin, age, is_kept, second):
    first = post(admin, "k", {"title": "a"})
    grow_older(app, **age)
    again = post(admin, "k", second)
    if is_kept:
        assert (
            again.status_code == 422 if second != {"title": "a"} else given(again) == given(first)
        )
    else:
        assert (again.status_code, again.json["id"]) == (201, 2)
        assert given(post(admin, "k", second)) == given(again)
    assert kept(app) == 1


def test_expired_responses_are_deleted(app, admin):
    for number in range(10):
        post(admin, f"k{number}", {"title": "a"})
    grow_older(app, hours=25)
    post(admin, "another", {"title": "a"})
    assert kept(app) == 1


# -- what is no key --------------------------------------------------------------------

WRONG = [
    "",
    " ",
    "a b",
    "a" * 256,
    "a" * 10000,
    "caf\xe9",
    "a\tb",
    "a\x7f",
    "\x80",
    "a\x00b",
    "\xf0\x9f\x93\x9a",
]


@each
def test_an_invalid_idempotency_key_is_a_400(app, shelf, what):
    before, (address, document, _) = rows(app), REQUESTS[what]
    reported = {
        key: [
            shelf.post(
                address,
                json=document,
                headers={"Accept": TYPES[name]},
                environ_overrides={"HTTP_IDEMPOTENCY_KEY": key},
            ).status_code
            for name in TYPES
        ]
        for key in WRONG
    }
    assert reported == dict.fromkeys(WRONG, [400, 400])
    assert rows(app) == before and kept(app) == 0


def test_any_visible_ascii_is_a_valid_key(app, admin):
    keys = [
        "a",
        "A",
        "0",
        "a" * 255,
        "a" * 254,
        "!",
        "~",
        '"x"',
        "a,b",
        "%00",
        "{};'--<&>",
        "8e03978e-40d5-43dd",
    ]
    for number, key in enumerate(keys, 1):
        reported = [given(post(admin, key, {"title": "a"})) for _ in range(2)]
        assert reported[0] == reported[1] and reported[0][0] == 201 and kept(app) == number, key


@pytest.mark.parametrize("key", ["k", "", "a b", "caf\xe9", "a" * 256])
def test_a_key_is_ignored_by_other_requests(app, admin, key):
    def ask(method, address, document=None):
        return admin.open(
            address, method=method, json=document, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key}
        )

    admin.post("/books", json={"title": "a"})
    reported = [
        ask(method, address, document).status_code
        for method, address, document in (
            ("GET", "/books", None),
            ("GET", "/books/1", None),
            ("PATCH", "/books/1", {"pages": 1}),
            ("PATCH", "/books/1", {"pages": 2}),
            ("PUT", "/books/1", {"title": "b"}),
            ("PUT", "/books/1", {"title": "c"}),
            ("PUT", f"/books/isbn/{ISBN}", {"title": "d"}),
            ("PUT", f"/books/isbn/{ISBN}", {"title": "e"}),
            ("DELETE", "/books/1", None),
            ("DELETE", "/books/1", None),
            ("POST", "/auth/login", {"username": "admin", "password": PASSWORD}),
            ("POST", "/auth/login", {"username": "admin", "password": PASSWORD}),
            ("POST", "/auth/logout", None),
        )
    ]
    assert reported == [200] * 6 + [201, 200, 204, 410, 200, 200, 204]
    assert kept(app) == 0


# -- failures --------------------------------------------------------------------------

FAILURES = [
    ({"document": {"title": "", "pages": 0}}, 422),
    ({"document": {"title": "x", "isbn": OTHER}}, 409),
    ({"document": {"books": [{"title": "x"}, {}]}, "root": "catalogue"}, 422),
    (
        {
            "document": {"books": [{"title": "x"}, {"title": "y", "isbn": OTHER}]},
            "root": "catalogue",
        },
        409,
    ),
    ({"content_type": "text/plain"}, 415),
    ({"Content-Encoding": "gzip"}, 415),
    ({"address": "/books?format=csv"}, 406),
    ({"address": "/books/99/restore"}, 404),
    ({"address": "/books/2/restore"}, 409),
    ({"address": "/books/1/restore", "If-Match": '"1-1-json"'}, 412),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
]


@both
def test_a_failure_is_not_stored_and_its_key_can_be_reused(app, shelf, name):
    shelf.post("/books", json={"title": "Taken", "isbn": OTHER})
    for number, (failing, status) in enumerate(FAILURES):
        reported = [post(shelf, f"k{number}", **{"name": name, **failing}) for _ in range(2)]
        assert [answer.status_code for answer in reported] == [status] * 2 and kept(
            app
        ) == number, failing
        mended = [given(post(shelf, f"k{number}", {"title": "Mended"}, name)) for _ in range(2)]
        assert mended[0] == mended[1] and mended[0][0] == 201, failing


@each
def test_after_a_crash_the_key_can_be_reused(app, shelf, monkeypatch, what):
    before = rows(app)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_new_state", crash)
        assert request(shelf, "k", what).status_code == 500
    assert rows(app) == before and kept(app) == 0
    reported = [given(request(shelf, "k", what)) for _ in range(2)]
    assert reported[0] == reported[1] and reported[0][0] in (200, 201)


def test_checks_run_in_the_documented_order(make_app):
    app = make_app(MAX_BODY_BYTES=2048)
    clients = {None: app.test_client(), "member": app.test_client(), "admin": app.test_client()}
    for who in ("member", "admin"):
        Auth(clients[who]).login(who)
    large, broken, invalid = b"x" * 4096, b'{"title": ', b'{"title": ""}'
    chain = [
        (404, "/nowhere", None, large, "text/plain"),
        (406, "/books?format=csv", None, large, "text/plain"),
        (401, "/books", None, large, "text/plain"),
        (403, "/books", "member", large, "text/plain"),
        (415, "/books", "admin", large, "text/plain"),
        (413, "/books", "admin", large, TYPES["json"]),
        (400, "/books", "admin", broken, TYPES["json"]),
        (400, "/books", "admin", invalid, TYPES["json"]),
        (406, "/books/9/restore?format=csv", None, b"", None),
        (401, "/books/9/restore", None, b"", None),
        (403, "/books/9/restore", "member", b"", None),
        (400, "/books/9/restore", "admin", b"", None),
    ]
    reported = [
        clients[who].post(
            address, data=body, content_type=kind, headers={"Idempotency-Key": "not a key"}
        )
        for _, address, who, body, kind in chain
    ]
    assert [answer.status_code for answer in reported] == [status for status, *_ in chain]


@pytest.mark.parametrize("fate, status", [("demoted", 403), ("disabled", 401), ("deleted", 401)])
def test_a_key_replays_nothing_after_access_was_lost(app, shelf, fate, status):
    other = second_admin(app)
    assert [request(other, what, what).status_code for what in REQUESTS] == [201, 201, 200]
    end = {
        "demoted": update(User).values(role="member"),
        "disabled": update(User).values(active=False),
        "deleted": delete(User),
    }[fate]
    with app.app_context():
        db.write(lambda session: session.execute(end.where(User.username == "second")))
    member = app.test_client()
    Auth(member).login("member")
    for what in REQUESTS:
        answer = request(other, what, what)
        assert answer.status_code == status and "Location" not in answer.headers
        assert FULL["title"] not in answer.get_data(as_text=True) and ISBN not in answer.get_data(
            as_text=True
        )
        assert [
            request(client, what, what).status_code for client in (member, app.test_client())
        ] == [403, 401]


# -- at the same time ------------------------------------------------------------------


@each
def test_concurrent_requests_with_one_key_are_done_once(app, shelf, what):
    """Whoever comes while the first is at work gets its answer or a 409; nobody another answer."""
    client, start, before = as_admin(app, shelf), threading.Barrier(8), seq(app)

    def ask(_):
        mine = client()
        start.wait()
        return request(mine, "k", what)

    with ThreadPoolExecutor(8) as pool:
        reported = list(pool.map(ask, range(8)))
    done = [given(answer) for answer in reported if answer.status_code != 409]
    assert done and done == [done[0]] * len(done) and done[0][0] in (200, 201)
    assert given(request(shelf, "k", what)) == done[0]
    assert seq(app) - before == (2 if what == "list" else 1) and kept(app) == 1


@each
def test_two_apps_on_one_database_do_a_keyed_request_once(make_app, what):
    """They know nothing of each other, as two processes would."""
    apps = [make_app(), make_app()]
    admin = apps[0].test_client()
    Auth(admin).login()
    admin.post("/books", json={"title": "Gone"})
    admin.delete("/books/1")
    clients, start = [as_admin(app, admin) for app in apps], threading.Barrier(6)

    def ask(number):
        mine = clients[number % 2]()
        start.wait()
        return request(mine, "k", what)

    with ThreadPoolExecutor(6) as pool:
        reported = list(pool.map(ask, range(6)))
    done = [given(answer) for answer in reported if answer.status_code != 409]
    assert done and done == [done[0]] * len(done) and done[0][0] in (200, 201)
    assert (seq(apps[0]), kept(apps[0])) == (4 if what == "list" else 3, 1)


@each
def test_a_second_request_with_the_key_waits_or_is_a_409(app, shelf, monkeypatch, what):
    """The first is held in the midst of its transaction until the second has been answered, or gave
    up waiting.
    """
    entered, go_on, client, original = (
        threading.Event(),
        threading.Event(),
        as_admin(app, shelf),
        store._new_state,
    )

    def held(*args):
        entered.set()
        go_on.wait(2)
        return original(*args)

    monkeypatch.setattr(store, "_new_state", held)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(request, client(), "k", what)
        assert entered.wait(5)
        second = pool.submit(request, client(), "k", what)
        second.add_done_callback(lambda _: go_on.set())
        reported = [first.result(), second.result()]
    assert reported[0].status_code in (200, 201)
    assert (
        reported[1].status_code == 409
        and "existing" not in read(reported[1])
        or given(reported[1]) == given(reported[0])
    )
    assert given(request(shelf, "k", what)) == given(reported[0])


def test_different_keys_do_not_block_each_other(app, admin):
    client = as_admin(app, admin)
    with ThreadPoolExecutor(6) as pool:
        reported = list(
            pool.map(lambda number: post(client(), f"k{number}", {"title": f"{number}"}), range(24))
        )
    assert [answer.status_code for answer in reported] == [201] * 24
    assert (
        sorted(answer.json["id"] for answer in reported) == list(range(1, 25)) and kept(app) == 24
    )
