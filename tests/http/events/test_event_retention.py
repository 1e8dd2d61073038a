"""How long events are kept, and how many."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from bookapi.auth import audit
from bookapi.auth.models import Event
from bookapi.db import now
from helpers.event_log import log_in, newest
from helpers.instance import PASSWORD
from helpers.people import change, change_account, rows, signed_in


@pytest.mark.parametrize(
    "days, age, kept", [(365, 366, False), (365, 364, True), (1, 2, False), (30, 29, True)]
)
def test_old_events_are_deleted(make_app, days, age, kept):
    app = make_app(EVENT_DAYS=days)
    change(
        app, lambda session: session.execute(update(Event).values(at=now() - timedelta(days=age)))
    )
    before = len(rows(app, Event))
    log_in(app)
    assert (len(rows(app, Event)), before) == (before + 1 if kept else 1, 2)


def test_the_number_of_events_is_limited(app, monkeypatch):
    monkeypatch.setattr(audit, "MAX_EVENTS", 5)
    for number in range(12):
        log_in(app, f"nobody-{number}")
    refused = [
        event["username"] for event in newest(app, 100) if event["action"] == "login_refused"
    ]
    assert refused == [f"nobody-{number}" for number in range(7, 12)]


def test_anonymous_events_do_not_displace_account_events(app, monkeypatch):
    monkeypatch.setattr(audit, "MAX_EVENTS", 5)
    admin = signed_in(app)
    admin.post("/auth/users", json={"username": "carol", "password": PASSWORD})
    for number in range(12):
        log_in(app, f"nobody-{number}")
    found = [(event["action"], event["username"]) for event in newest(app, 100)]
    assert ("user_added", "carol") in found
    assert [action for action, _ in found].count("login_refused") == 5


def test_account_events_are_limited_too(app, monkeypatch):
    for name, most in (("MAX_EVENTS", 2), ("MAX_KEPT_EVENTS", 8)):
        monkeypatch.setattr(audit, name, most)
    for number in range(12):
        change_account(app, "member", {"active": bool(number % 2)})
    assert len(newest(app, 100)) == 8
