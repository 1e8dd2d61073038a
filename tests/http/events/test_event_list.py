"""The list of events that admins read, and its filters."""

import pytest

from bookapi.auth.models import Event
from helpers.documents import both
from helpers.event_log import event_page, log_in
from helpers.instance import PASSWORD
from helpers.people import add, get, id_of, page, rows, signed_in

FIELDS = ["id", "action", "username", "actor", "address", "request_id", "detail", "at"]


@both
def test_the_events_are_a_list_with_pages_newest_first(app, admin, name):
    for number in range(4):
        add(app, f"user-{number}")
    answer = get(admin, "/auth/events?limit=2&page=2", name)
    document = page(answer, "events")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [event["username"] for event in document["events"]] == ["user-1", "user-0"]
    assert (int(document["total"]), int(document["limit"])) == (len(rows(app, Event)), 2)
    assert (
        'page=3>; rel="next"' in answer.headers["Link"] and 'rel="last"' in answer.headers["Link"]
    )
    shown = [
        field
        for field in FIELDS
        if name == "json" or field not in ("actor", "address", "request_id")
    ]
    assert list(document["events"][0]) == shown and document["events"][0]["at"].endswith("Z")


@both
@pytest.mark.parametrize(
    "query, found",
    [
        ("?action=login_refused", [("login_refused", "nobody"), ("login_refused", "member")]),
        ("?username=member&action=login", [("login", "member")]),
        ("?username=nobody", [("login_refused", "nobody")]),
        ("?action=nothing", []),
        ("?username=%00", []),
        ("?action=login&username=admin", [("login", "admin")]),
        ("?username=%27%20OR%201=1", []),
    ],
)
def test_events_can_be_filtered(app, admin, name, query, found):
    for username, password in (("member", "wrong"), ("nobody", PASSWORD), ("member", PASSWORD)):
        log_in(app, username, password)
    document = event_page(admin, query, name)
    assert [(event["action"], event["username"]) for event in document["events"]] == found
    assert int(document["total"]) == len(found)


def test_events_are_filtered_by_any_spelling_of_a_username(app, admin):
    add(app, "José")
    for spelling in ("José", "JOSÉ", "jose\u0301", "ｊｏｓé"):
        found = admin.get("/auth/events", query_string={"username": spelling}).json["events"]
        assert [event["username"] for event in found] == ["José"], spelling


def test_a_filter_is_kept_in_the_links_and_may_be_given_once(admin):
    for _ in range(3):
        log_in(admin.application, "nobody")
    links = event_page(admin, "?action=login_refused&limit=1")["links"]
    assert links["next"] == "http://localhost/auth/events?action=login_refused&limit=1&page=2"
    answer = admin.get("/auth/events?action=login&action=logout")
    assert (answer.status_code, answer.json["errors"][0]["parameter"]) == (400, "action")


@pytest.mark.parametrize("who, status", [(None, 401), ("member", 403), ("admin", 200)])
def test_only_admins_read_events(app, who, status):
    client = signed_in(app, who) if who else app.test_client()
    assert client.get("/auth/events").status_code == status


def test_events_of_a_deleted_account_remain(app, admin):
    log_in(app)
    admin.delete(f"/auth/users/{id_of(app, 'member')}")
    recorded = event_page(admin, "?username=member")["events"]
    assert [event["action"] for event in recorded] == ["user_deleted", "login", "user_added"]
