"""Requests about accounts."""

import pytest

from helpers.documents import send
from helpers.instance import PASSWORD
from helpers.people import truth

both = pytest.mark.parametrize("name", ["json", "xml"])
FIELDS = ["id", "username", "role", "active", "created_at"]


def make(client, name="json", **sent):
    return send(
        client,
        "POST",
        "/auth/users",
        name,
        {"username": "carol", "password": PASSWORD, **sent},
        "user",
    )


def alter(client, user_id, name="json", **sent):
    given = {
        field: truth(name, value) if isinstance(value, bool) else value
        for field, value in sent.items()
    }
    return send(client, "PATCH", f"/auth/users/{user_id}", name, given, "user")


def login(app, username, password=PASSWORD):
    sent = {"username": username, "password": password}
    return app.test_client().post("/auth/login", json=sent).status_code
