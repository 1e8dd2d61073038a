"""Sign-ins with a second factor."""

import pytest

from helpers.documents import send
from helpers.instance import PASSWORD
from helpers.people import stranger

both = pytest.mark.parametrize("name", ["json", "xml"])


def login(app, code=None, username="member", password=PASSWORD, name="json", **more):
    sent = {"username": username, "password": password, **({} if code is None else {"code": code})}
    return send(stranger(app, **more), "POST", "/auth/login", name, sent, "login")
