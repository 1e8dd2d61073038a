"""Sign-ins and their cookies."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bookapi.auth import accounts, passwords
from bookapi.auth.models import LoginSession
from bookapi.db import db
from helpers.documents import send
from helpers.instance import PASSWORD

both = pytest.mark.parametrize("name", ["json", "xml"])


def change(app, operation, *args, **kwargs):
    with app.app_context():
        return db.write(operation, *args, **kwargs)


def add(app, username, password=PASSWORD, role="member"):
    change(app, accounts.add, username, passwords.make_hash(password), role)


def sessions(app):
    with app.app_context(), Session(db.engine) as session:
        return session.scalar(select(func.count()).select_from(LoginSession))


def login(client, username="admin", password=PASSWORD, name="json", **more):
    return send(
        client,
        "POST",
        "/auth/login",
        name,
        {"username": username, "password": password},
        "login",
        **more,
    )


def cookie_of(answer):
    [cookie] = answer.headers.getlist("Set-Cookie")
    return cookie.partition(";")[0]


def with_cookie(app, cookie, address="/auth/me", **more):
    return (
        app.test_client(use_cookies=False)
        .get(address, headers={"Cookie": cookie}, **more)
        .status_code
    )
