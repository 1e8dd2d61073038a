"""Threads that are held at a place of their work, and who does what while a right is taken away.

Two applications on one database stand for two processes of a service. A thread is held at a place
of its work while another one goes on; whoever has to wait must wait, and whoever comes second must
see what the first one did.
"""

import threading
from contextlib import contextmanager

from bookapi.auth import accounts, passwords
from bookapi.auth.models import ADMIN, MEMBER
from bookapi.db import db
from helpers.instance import PASSWORD, Auth

PATIENCE = 20
A_WHILE = 0.15  # seconds in which whoever does not have to wait is done, or nearly always
NEW = "another long enough password"
# Operations that are not what a request is about.
ASIDE = ("_touch", "_delete", "_count", "take_back", "forgive", "failed", "_record_refusal")
BEFORE, INSIDE = "before its transaction", "inside its transaction, nothing committed"


class Gate:
    """Where a thread is held until it is let go."""

    def __init__(self, place, operation=None):
        self.place, self.operation = place, operation
        self._reached, self._open = threading.Event(), threading.Event()

    def pass_through(self):
        self._reached.set()
        assert self._open.wait(PATIENCE)

    def is_reached(self):
        assert self._reached.wait(PATIENCE)

    def let_go(self):
        self._open.set()


HERE = threading.local()  # `gate`: that of this thread


def let_pass(gate, place, operation):
    if (
        gate is not None
        and gate.place == place
        and (operation not in ASIDE if gate.operation is None else operation == gate.operation)
    ):
        gate.pass_through()


def through(gate, work, *args):
    """Do the work as a thread that has this gate."""
    HERE.gate = gate
    try:
        return work(*args)
    finally:
        HERE.gate = None


@contextmanager
def held(pool, gate, work, *args):
    """A thread that does the work, and is at its gate until the end of the block or `let_go`."""
    future = pool.submit(through, gate, work, *args)
    try:
        gate.is_reached()
        yield future
    finally:
        gate.let_go()


def write(app, operation, *args, **kwargs):
    with app.app_context():
        return db.write(operation, *args, **kwargs)


def signed_in(app, username, password=PASSWORD):
    client = app.test_client()
    assert Auth(client).login(username, password).status_code == 200
    return client


class People:
    """`victim`, an admin who is to lose a right while it is at work at one application, and who
    takes it by another.
    """

    def __init__(self, apps, by_token=False):
        self.app = apps[0]
        write(self.app, accounts.add, "victim", passwords.make_hash(PASSWORD), ADMIN)
        self.root, self.other = signed_in(apps[-1], "admin"), signed_in(apps[-1], "victim")
        self.client, self.headers = signed_in(self.app, "victim"), {}
        self.copy = apps[-1].test_client()  # another program with the same cookie
        self.copy.set_cookie("bookapi", self.client.get_cookie("bookapi").value)
        self.id = self.client.get("/auth/me").json["id"]
        opened = self.client.get("/auth/sessions").json["sessions"]
        [self.session_id] = [session["id"] for session in opened if session["current"]]
        if by_token:
            made = self.other.post(
                "/auth/tokens", json={"name": "a program", "scope": "write"}
            ).json
            self.token_id, self.headers = made["id"], {"Authorization": f"Bearer {made['secret']}"}
            self.client = self.app.test_client()
            assert self.ask("GET", "/auth/me") == 200  # what is noted of its first use is not held

    def ask(self, method, path, document=None, **headers):
        """The status of what the victim is answered."""
        return self.client.open(
            path, method=method, json=document, headers={**self.headers, **headers}
        ).status_code


def of_root(method, path="", document=None):
    def take(people):
        return people.root.open(
            f"/auth/users/{people.id}{path}", method=method, json=document
        ).status_code

    return take


def own_password(people):
    given = {"current_password": PASSWORD, "new_password": NEW}
    return people.other.post("/auth/password", json=given).status_code


TAKINGS = {
    "demoted": of_root("PATCH", document={"role": MEMBER}),
    "disabled": of_root("PATCH", document={"active": False}),
    "deleted": of_root("DELETE"),
    "given another password": of_root("PATCH", document={"password": NEW}),
    "signed out by an admin": of_root("DELETE", "/sessions"),
    "signed out": lambda people: people.copy.post("/auth/logout").status_code,
    "signed out elsewhere": lambda people: (
        people.other.delete(f"/auth/sessions/{people.session_id}").status_code
    ),
    "given another password elsewhere": own_password,
}


def at_once(pool, *every):
    """What each of these returns, all begun in the same moment."""
    together = threading.Barrier(len(every), timeout=PATIENCE)

    def begin(work):
        together.wait()
        return work()

    return [future.result(PATIENCE) for future in [pool.submit(begin, work) for work in every]]
