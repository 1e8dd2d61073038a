"""Pages of a history, who may see it, and that it is whole. docs/api.md, History and the change
feed."""

import pytest
from lxml import etree

from bookapi.books import store
from helpers.books import FULL, ISBN, OTHER, history, seq, steps
from helpers.documents import TYPES, both, faults, header_links
from helpers.instance import Auth
from helpers.support import crash

# -- pages -------------------------------------------------------------------------------


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


# -- who may, and whose ------------------------------------------------------------------


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


# -- nothing by halves -------------------------------------------------------------------


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
