"""Accounts for the tests: signed-in clients, tokens, and lists in either format."""

import base64

from lxml import etree
from sqlalchemy import select
from sqlalchemy.orm import Session

from bookapi.auth import accounts, passwords
from bookapi.auth.models import User
from bookapi.db import db
from helpers.documents import TYPES, _data
from helpers.instance import PASSWORD, Auth

NEW = "another long enough password"
NO_ID = 2**63 - 1  # that nothing has


def signed_in(app, username="admin", password=PASSWORD, **more):
    """A client of its own that holds a session."""
    client = app.test_client()
    answer = client.post("/auth/login", json={"username": username, "password": password, **more})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return client


def cookie_of(client):
    """The Cookie header of a client, to be sent by another one."""
    [cookie] = client._cookies.values()
    return {"Cookie": f"{cookie.key}={cookie.value}"}


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


def basic(username, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{secret}".encode()).decode()}


def stranger(app, address=None):
    """A client that keeps no cookie, and comes from this address."""
    client = app.test_client(use_cookies=False)
    client.environ_base.update({"REMOTE_ADDR": address} if address else {})
    return client


def change(app, operation, *args, **kwargs):
    with app.app_context():
        return db.write(operation, *args, **kwargs)


def add(app, username, role="member", password=PASSWORD):
    """A new account; its id."""
    return change(app, accounts.add, username, passwords.make_hash(password), role).id


def id_of(app, username):
    with app.app_context(), db.read() as connection:
        return accounts.existing(connection, username).id


def change_account(app, username, values):
    """Change an account as the console does."""
    change(app, accounts.change, id_of(app, username), values)


def rows(app, model):
    """All rows of a table."""
    with app.app_context(), Session(db.engine) as session:
        return list(session.scalars(select(model).order_by(model.id)))


def usernames(app):
    return [user.username for user in rows(app, User)]


def make_token(client, scope="write", **more):
    """A new token of who is signed in, with its secret."""
    answer = client.post("/auth/tokens", json={"name": "a script", "scope": scope, **more})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.json


def get(client, address, name="json", **more):
    headers = {"Accept": TYPES[name], **more.pop("headers", {})}
    return client.get(address, headers=headers, **more)


def page(answer, root):
    """A page of a list as a dict; in XML everything but the list and what it holds is text, and
    null is not there.
    """
    if "json" in answer.content_type:
        return answer.json
    document = etree.fromstring(answer.get_data())
    assert document.tag == root
    return {
        child.tag: [_data(item) for item in child] if child.tag == root else _data(child)
        for child in document
    }


def truth(name, value):
    """A boolean as it is sent and told in a format."""
    return value if name == "json" else str(value).lower()


def second_admin(app, name="second"):
    """A client that is signed in as an admin of another name."""

    def add(session):
        accounts.add(session, name, passwords.make_hash(PASSWORD), "admin")

    with app.app_context():
        db.write(add)
    client = app.test_client()
    assert Auth(client).login(name).status_code == 200
    return client
