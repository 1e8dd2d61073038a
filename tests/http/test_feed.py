"""The change feed over HTTP, oldest first. docs/api.md, History and the change feed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlsplit

import pytest
from lxml import etree

from helpers.books import FULL, ISBN, OTHER, seq, steps
from helpers.documents import TYPES, both, faults, header_links
from helpers.instance import Auth
from helpers.support import jsonl_bytes

STORY = [  # a request, and the changes it makes: action, book, version
    ("POST", "/books", FULL, [("created", 1, 1)]),
    ("PATCH", "/books/1", {"pages": 5}, [("updated", 1, 2)]),
    ("PATCH", "/books/1", {"pages": 5}, []),
    ("DELETE", "/books/1", None, [("deleted", 1, 3)]),
    ("PUT", f"/books/isbn/{ISBN}", {"title": "b"}, [("created", 2, 1)]),
    ("PUT", f"/books/isbn/{ISBN}", {"title": "c"}, [("updated", 2, 2)]),
    ("PUT", "/books/1", FULL, []),
    ("POST", "/books/1/restore", None, []),
    ("DELETE", "/books/2", None, [("deleted", 2, 3)]),
    ("POST", "/books/1/restore", None, [("restored", 1, 4)]),
    ("POST", "/books", {}, []),
    (
        "POST",
        "/books",
        {"books": [{"title": "d"}, {"title": "e"}, {"title": "f"}]},
        [("created", 3, 1), ("created", 4, 1), ("created", 5, 1)],
    ),
    ("POST", "/books", {"books": [{"title": "g"}, {}]}, []),
    ("PUT", "/books/4", {"title": "h"}, [("updated", 4, 2)]),
]
TOLD = [
    (number, *step)
    for number, step in enumerate((step for *_, reported in STORY for step in reported), 1)
]


@pytest.fixture
def story(admin):
    """An admin of a catalogue to which all of the story happened."""
    for method, address, document, _ in STORY:
        admin.open(address, method=method, json=document)
    return admin


def page(answer):
    assert answer.status_code == 200, answer.get_data()
    return [
        (step["seq"], step["action"], step["book_id"], step["version"])
        for step in answer.json["changes"]
    ]


def test_each_change_appears_in_the_feed_and_changes_without_effect_do_not(app, admin):
    reported = []
    for method, address, document, _ in STORY:
        before = seq(app)
        answer = admin.open(address, method=method, json=document)
        reported.append([step[1:] for step in steps(admin, before)])
        assert len(reported[-1]) == seq(app) - before, (method, address, answer.status_code)
    assert reported == [wanted for *_, wanted in STORY]


def test_the_feed_has_all_changes_oldest_first(story, client):
    answer = client.get("/books/changes")
    assert page(answer) == TOLD and len(TOLD) == 11
    assert list(answer.json) == ["changes", "links"] and set(answer.json["links"]) == {"self"}


def test_feed_entries_do_not_name_the_user(story):
    first, *_, last = story.get("/books/changes").json["changes"]
    assert set(first) == set(last) == {"seq", "at", "action", "book_id", "version"}
    assert [first["at"], last["at"]] == [
        story.get("/books/1").json["created_at"],
        story.get("/books/4").json["updated_at"],
    ]


@pytest.mark.parametrize("name", ["json", "xml"])
def test_only_admins_see_who_made_a_change(app, story, name):
    reported = app.test_client().get(f"/books/changes?format={name}").get_data(as_text=True)
    assert "admin" not in reported and "username" not in reported


@pytest.mark.parametrize("after", [None, 0, 1, 10, 11, 12, 10**15])
def test_a_feed_page_starts_strictly_after_its_parameter(story, after):
    behind = [step for step in TOLD if step[0] > (after or 0)]
    for limit in (None, 1, 5, 10, 11, 100):
        parameters = {
            name: value for name, value in (("after", after), ("limit", limit)) if value is not None
        }
        answer = story.get("/books/changes", query_string=parameters)
        assert page(answer) == behind[: limit or 20], limit
        assert ("next" in answer.json["links"]) == (len(behind) > (limit or 20)), limit
        reported = header_links(answer) if "Link" in answer.headers else {}
        assert {"self": answer.json["links"]["self"], **reported} == answer.json["links"], limit


def test_without_links_there_is_no_link_header(story):
    reported = ["Link" in story.get(f"/books/changes?limit={limit}").headers for limit in (10, 11)]
    assert reported == [True, False]


@both
@pytest.mark.parametrize("limit", [3, 11])
def test_following_next_visits_every_change_once(story, name, limit):
    address, reported = f"/books/changes?limit={limit}&format={name}", []
    while address:
        answer = story.get(address)
        if name == "xml":
            root = etree.fromstring(answer.get_data())
            reported += [int(step.text) for step in root.iter("seq")]
            address = root.findtext("links/next")
        else:
            reported += [step["seq"] for step in answer.json["changes"]]
            address = answer.json["links"].get("next")
    assert reported == [step[0] for step in TOLD]


def test_next_is_absolute_and_keeps_the_other_parameters(story):
    links = story.get("/books/changes?limit=3&format=json&after=2").json["links"]
    assert links["self"] == "http://localhost/books/changes?limit=3&format=json&after=2"
    assert links["next"].startswith("http://localhost/books/changes?")
    assert dict(parse_qsl(urlsplit(links["next"]).query)) == {
        "limit": "3",
        "format": "json",
        "after": "5",
    }


def test_the_feed_is_written_in_xml_too(story):
    answer = story.get("/books/changes?limit=4", headers={"Accept": TYPES["xml"]})
    reported = story.get("/books/changes?limit=4").json
    root = etree.fromstring(answer.get_data())
    assert (answer.status_code, answer.mimetype, root.tag) == (200, TYPES["xml"], "changes")
    assert [child.tag for child in root] == ["changes", "links"]
    assert [child.tag for child in root.find("changes")] == ["change"] * 4
    assert [{member.tag: member.text for member in step} for step in root.find("changes")] == [
        {name: str(value) for name, value in step.items()} for step in reported["changes"]
    ]
    assert root.findtext("links/next") == reported["links"]["next"]


@both
def test_the_feed_of_an_empty_catalogue_is_empty(client, name):
    answer = client.get(f"/books/changes?format={name}")
    reported = etree.fromstring(answer.get_data()) if name == "xml" else answer.json
    assert answer.status_code == 200
    assert (len(reported.find("changes")) if name == "xml" else reported["changes"]) == (
        0 if name == "xml" else []
    )


# -- what is refused -------------------------------------------------------------------

WRONG = [
    ("after=", "after"),
    ("after=-1", "after"),
    ("after=-0", "after"),
    ("after=0x1", "after"),
    ("after=x", "after"),
    ("after=1.0", "after"),
    ("after=1e3", "after"),
    ("after=%2B1", "after"),
    ("after=+1", "after"),
    ("after=1_0", "after"),
    ("after=%D9%A1", "after"),
    ("after=1&after=2", "after"),
    ("after=*", "after"),
    ("after=1%00", "after"),
    ("after=" + "9" * 5000, "after"),
    ("limit=0", "limit"),
    ("limit=101", "limit"),
    ("limit=-1", "limit"),
    ("limit=", "limit"),
    ("limit=x", "limit"),
    ("limit=1&limit=1", "limit"),
    (f"limit={2**64}", "limit"),
    ("page=1", "page"),
    ("cursor=*", "cursor"),
    ("sort=seq", "sort"),
    ("fields=seq", "fields"),
    ("q=a", "q"),
    ("title=a", "title"),
    ("state=deleted", "state"),
    ("After=1", "After"),
    ("nonsense=1", "nonsense"),
    ("updated_since=2024-01-01T00:00:00Z", "updated_since"),
]


@both
def test_a_wrong_parameter_is_a_400_that_names_it(client, name):
    reported = [
        (answer.status_code, faults(answer))
        for answer in (
            client.get(f"/books/changes?{query}", headers={"Accept": TYPES[name]})
            for query, _ in WRONG
        )
    ]
    assert reported == [(400, [parameter]) for _, parameter in WRONG]


def test_after_a_number_beyond_the_last_change_the_feed_is_empty_or_a_400(story):
    for after in (10**15 + 1, 2**63 - 1, 2**63, 2**64):
        answer = story.get(f"/books/changes?after={after}")
        assert answer.status_code == 400 and faults(answer) == ["after"] or page(answer) == [], (
            after
        )


def test_the_feed_has_the_same_readers_as_lists(make_app):
    client = make_app(PUBLIC_READ=False).test_client()
    reported = [client.get("/books/changes").status_code]
    for who in ("member", "admin"):
        Auth(client).login(who)
        reported.append(client.get("/books/changes").status_code)
    assert reported == [401, 200, 200]


def test_the_feed_is_json_or_xml_only(client):
    reported = [
        client.get(f"/books/changes?format={name}").status_code
        for name in ("json", "xml", "csv", "jsonl")
    ]
    assert reported == [200, 200, 406, 406]


def test_the_feed_is_read_only(app, admin):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = admin.open("/books/changes", method=method, json={"title": "a"})
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (
            405,
            {"GET", "HEAD", "OPTIONS"},
        )
    assert seq(app) == 0


# -- caching ---------------------------------------------------------------------------


@both
def test_the_feed_has_an_etag_and_answers_304_until_something_changes(app, admin, name):
    admin.post("/books", json=FULL)
    reader, address = app.test_client(), f"/books/changes?format={name}"
    tag = reader.get(address).headers["ETag"]
    again = [
        reader.open(address, method=method, headers={"If-None-Match": tag})
        for method in ("GET", "HEAD")
    ]
    assert [(answer.status_code, answer.headers["Cache-Control"]) for answer in again] == [
        (304, "no-cache")
    ] * 2
    admin.patch("/books/1", json={"pages": 3})
    changed = reader.get(address, headers={"If-None-Match": tag})
    assert changed.status_code == 200 and changed.headers["ETag"] != tag


@pytest.mark.parametrize("cache", [0, 2**24])
def test_the_feed_always_includes_the_newest_change(make_app, cache):
    app = make_app(ANSWER_CACHE_BYTES=cache)
    admin, reader = app.test_client(), app.test_client()
    Auth(admin).login()
    for number, (method, address, document, reported) in enumerate(STORY):
        before = page(reader.get("/books/changes"))
        admin.open(address, method=method, json=document)
        assert (
            page(reader.get("/books/changes"))[len(before) :]
            == TOLD[len(before) : len(before) + len(reported)]
        ), number


# -- many ------------------------------------------------------------------------------


def test_an_import_adds_one_feed_entry_for_each_book(app, admin, runner, tmp_path):
    path = tmp_path / "books.jsonl"
    path.write_bytes(
        jsonl_bytes(
            *[{"title": f"T{number}"} for number in range(700)], {"title": "last", "isbn": OTHER}
        )
    )
    assert runner.invoke(args=["books", "import", str(path)]).exit_code == 0
    assert steps(admin) == [(number, "created", number, 1) for number in range(1, 702)]
    assert seq(app) == 701


def test_following_the_feed_misses_nothing_during_concurrent_writes(make_app):
    """Each reads on behind the last step that was seen: a number that is committed later than a
    higher one is lost. There are two services, which know nothing of each other.
    """
    apps = [make_app(), make_app()]
    app, admin = apps[0], apps[0].test_client()
    Auth(admin).login()
    cookie = f"bookapi={admin.get_cookie('bookapi').value}"
    each, writers, done = 9, 3, threading.Event()

    def write(writer):
        client, headers = apps[writer % 2].test_client(use_cookies=False), {"Cookie": cookie}
        for number in range(each):
            made = client.post("/books", json={"title": f"{writer}-{number}"}, headers=headers)
            assert made.status_code == 201
            if number % 3 == 0:
                assert (
                    client.delete(f"/books/{made.json['id']}", headers=headers).status_code == 204
                )

    def follow(app):
        client, seen = app.test_client(), []
        while True:
            ending = done.is_set()
            found = page(client.get(f"/books/changes?after={seen[-1][0] if seen else 0}&limit=100"))
            assert not (seen and found) or found[0][0] > seen[-1][0]
            seen += found
            if ending and not found:
                return seen
            done.wait(0.002)  # the writers are of the same process, and want to get on

    with ThreadPoolExecutor(writers + 2) as pool:
        followers = [pool.submit(follow, app) for app in apps]
        try:
            for writing in [pool.submit(write, number) for number in range(writers)]:
                writing.result()
        finally:
            done.set()
        reported = [following.result() for following in followers]
    assert reported[0] == reported[1] == steps(admin)
    assert [step[0] for step in reported[0]] == list(range(1, seq(app) + 1)) and seq(
        app
    ) == writers * (each + each // 3)
