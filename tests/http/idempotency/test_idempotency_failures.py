"""Idempotency-Key: what is no key, failures, the same request at the same time. docs/api.md,
Idempotency."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, update

from bookapi.auth.models import User
from bookapi.books import store
from bookapi.db import db
from helpers.books import FULL, ISBN, OTHER, rows, seq
from helpers.documents import TYPES, both, read
from helpers.idempotency import as_admin, given, kept
from helpers.instance import PASSWORD, Auth
from helpers.people import second_admin
from helpers.repeated import REQUESTS, each, post, request
from helpers.support import crash

# -- what is no key ----------------------------------------------------------------------

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


# -- failures ----------------------------------------------------------------------------

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


# -- at the same time --------------------------------------------------------------------


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
