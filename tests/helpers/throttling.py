"""Sign-ins that fail, and how long the next one has to wait."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bookapi.auth import throttle
from bookapi.auth.models import Event
from bookapi.db import db, now

PATIENCE = 30
FREE = throttle.PER_NAME.free
OF_ADDRESS = throttle.PER_ADDRESS.free
WAITS = [30, 60, 120, 240, 480, 960, 1920]


class Clock:
    def __init__(self):
        self.now = now()

    def __call__(self):
        return self.now

    def go_on(self, **time):
        self.now += timedelta(**time)


def login(client, username="member", password="wrong", address="192.0.2.1", **more):
    return client.post(
        "/auth/login",
        json={"username": username, "password": password},
        environ_overrides={"REMOTE_ADDR": address},
        **more,
    )


def fail(client, times=FREE, username="member", **more):
    statuses = [login(client, username, **more).status_code for _ in range(times)]
    assert statuses == [401] * times


def wait_of(answer):
    """The seconds that one has to wait, of a refusal for too many failures."""
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json"), (
        answer.get_data()
    )
    return int(answer.headers["Retry-After"])


def rows(app, selection):
    with app.app_context(), Session(db.engine) as session:
        return session.execute(selection).all()


def throttled_events(app):
    found = rows(
        app,
        select(Event.username, Event.detail)
        .where(Event.action == "login_throttled")
        .order_by(Event.id),
    )
    return [tuple(row) for row in found]
