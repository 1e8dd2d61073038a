"""What is done while a right is taken away: after that was acknowledged nothing more is committed
by it.

Two applications on one database stand for two processes of a service. A thread is held at a place
of its work while another one goes on; whoever has to wait must wait, and whoever comes second must
see what the first one did.
"""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bookapi.auth import accounts, passwords, sessions
from bookapi.auth.models import ADMIN, MEMBER, LoginSession, Throttle, User
from bookapi.books import store
from bookapi.books.models import History
from bookapi.db import db
from bookapi.db.extension import Database
from bookapi.http.load import LOAD, Load
from helpers.instance import DATABASE_URL, PASSWORD, Auth
from helpers.people import change_account

pytestmark = pytest.mark.stress

PATIENCE = 20
A_WHILE = 0.15  # seconds in which whoever does not have to wait is done, or nearly always
NEW = "another long enough password"
ISBN = "9780306406157"
# Operations that are not what a request is about.
ASIDE = ("_touch", "_delete", "_count", "take_back", "forgive", "failed", "_record_refusal")
BEFORE, INSIDE = "before its transaction", "inside its transaction, nothing committed"


# -- holding threads -------------------------------------------------------------------


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


def _pass(gate, place, operation):
    if (
        gate is not None
        and gate.place == place
        and (operation not in ASIDE if gate.operation is None else operation == gate.operation)
    ):
        gate.pass_through()


@pytest.fixture
def gates(monkeypatch):
    """Has threads with a gate stop there: before a unit is written, and once it has done all but
    commit.
    """
    write = Database.write

    def held_write(self, operation, *args, **kwargs):
        gate, name = getattr(HERE, "gate", None), operation.__name__
        _pass(gate, BEFORE, name)

        def held_operation(connection, *args, **kwargs):
            result = operation(connection, *args, **kwargs)
            _pass(gate, INSIDE, name)
            return result

        return write(self, held_operation, *args, **kwargs)

    monkeypatch.setattr(Database, "write", held_write)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(16) as pool:
        yield pool


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


# -- who does what ---------------------------------------------------------------------


@pytest.fixture
def two(make_app):
    """Two applications on one database. Many may hash at once."""
    apps = [make_app(), make_app()]
    for app in apps:
        app.extensions[LOAD] = Load(threads=100)
    return apps


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


def _of_root(method, path="", document=None):
    def take(people):
        return people.root.open(
            f"/auth/users/{people.id}{path}", method=method, json=document
        ).status_code

    return take


def _own_password(people):
    given = {"current_password": PASSWORD, "new_password": NEW}
    return people.other.post("/auth/password", json=given).status_code


TAKINGS = {
    "demoted": _of_root("PATCH", document={"role": MEMBER}),
    "disabled": _of_root("PATCH", document={"active": False}),
    "deleted": _of_root("DELETE"),
    "given another password": _of_root("PATCH", document={"password": NEW}),
    "signed out by an admin": _of_root("DELETE", "/sessions"),
    "signed out": lambda people: people.copy.post("/auth/logout").status_code,
    "signed out elsewhere": lambda people: (
        people.other.delete(f"/auth/sessions/{people.session_id}").status_code
    ),
    "given another password elsewhere": _own_password,
}
TOKEN_TAKINGS = {
    "revoked": lambda people: people.other.delete(f"/auth/tokens/{people.token_id}").status_code,
    **{name: TAKINGS[name] for name in ("demoted", "disabled", "deleted")},
}
OF_BOOKS = {
    "POST": ("POST", "/books", {"title": "New"}),
    "POST of several": ("POST", "/books", {"books": [{"title": "New"}, {"title": "Newer"}]}),
    "PUT": ("PUT", "/books/1", {"title": "Other"}),
    "PATCH": ("PATCH", "/books/1", {"pages": 7}),
    "DELETE": ("DELETE", "/books/1"),
    "restore": ("POST", "/books/2/restore"),
    "PUT by ISBN": ("PUT", f"/books/isbn/{ISBN}", {"title": "New"}),
    "import": ("POST", "/books/import?on_error=skip", {"books": [{"title": "New"}, {"title": ""}]}),
}
OF_ACCOUNTS = {
    "POST": ("POST", "/auth/users", {"username": "accomplice", "password": NEW, "role": ADMIN}),
    "PATCH": ("PATCH", "/auth/users/{member}", {"role": ADMIN}),
    "password": ("PATCH", "/auth/users/{member}", {"password": NEW}),
    "DELETE": ("DELETE", "/auth/users/{member}"),
    "sessions": ("DELETE", "/auth/users/{member}/sessions"),
}


@pytest.fixture
def rows(two):
    """A function that gives what everyone can see of books and of other people's accounts."""

    def read():
        with two[0].app_context(), Session(db.engine) as session:
            users = select(User.username, User.role, User.password_hash).where(
                User.username != "victim"
            )
            return (
                session.scalar(select(func.count()).select_from(History)),
                session.execute(users.order_by(User.id)).all(),
                session.scalar(
                    select(func.count())
                    .select_from(LoginSession)
                    .join(User)
                    .where(User.username == "member")
                ),
            )

    return read


@pytest.fixture
def people(two, gates):
    """A function that makes them, two books, the second one in the trash, and a session of
    `member`.
    """

    def make(by_token=False, apps=2):
        with two[0].test_client() as client:
            Auth(client).login("admin")
            for number in (1, 2):
                assert client.post("/books", json={"title": f"Book {number}"}).status_code == 201
            assert client.delete("/books/2").status_code == 204
        signed_in(two[0], "member")
        return People(two[:apps], by_token)

    return make


def member_id(app):
    with app.app_context(), db.read() as connection:
        return accounts.existing(connection, "member").id


# -- the three orders ------------------------------------------------------------------


def taken_before(pool, people, take, work, rows):
    """The request was let in; the right is taken before it writes."""
    before = rows()
    with held(pool, gate := Gate(BEFORE), work) as working:
        assert take(people) in (200, 204)
        gate.let_go()
        return working.result(PATIENCE), rows() == before


def taken_meanwhile(pool, people, take, work, rows):
    """The right is being taken, that is not committed yet, and the request comes to write."""
    before = rows()
    with held(pool, gate := Gate(INSIDE), take, people) as taking:
        working = pool.submit(work)
        with pytest.raises(NotYet):
            working.result(A_WHILE)
        gate.let_go()
        assert taking.result(PATIENCE) in (200, 204)
        return working.result(PATIENCE), rows() == before


def written_before(pool, people, take, work, rows):
    """The request has written all and is about to commit: whoever takes the right has to wait until
    then.
    """
    with held(pool, gate := Gate(INSIDE), work) as working:
        taking = pool.submit(take, people)
        with pytest.raises(NotYet):
            taking.result(A_WHILE)
        gate.let_go()
        assert working.result(PATIENCE) in (200, 201, 204)
        assert taking.result(PATIENCE) in (200, 204)


in_any_order = pytest.mark.parametrize(
    "order", [taken_before, taken_meanwhile, written_before], ids=lambda order: order.__name__
)


def is_kept(order, *given):
    """Whether the promise is kept: nothing stored and a refusal, or stored before the right was
    gone.
    """
    if order is written_before:
        order(*given)
        return True
    status, unchanged = order(*given)
    assert status in (401, 403) and unchanged, (status, unchanged)
    return True


@in_any_order
@pytest.mark.parametrize("taking", TAKINGS)
def test_a_session_without_rights_stores_no_book(people, rows, pool, order, taking):
    everyone = people()
    assert is_kept(
        order, pool, everyone, TAKINGS[taking], lambda: everyone.ask(*OF_BOOKS["POST"]), rows
    )


@in_any_order
@pytest.mark.parametrize("taking", TOKEN_TAKINGS)
def test_a_token_without_rights_stores_no_book(people, rows, pool, order, taking):
    everyone = people(by_token=True)
    assert is_kept(
        order, pool, everyone, TOKEN_TAKINGS[taking], lambda: everyone.ask(*OF_BOOKS["POST"]), rows
    )


@in_any_order
@pytest.mark.parametrize("change", OF_BOOKS)
def test_no_book_change_is_committed_after_its_admin_was_demoted(people, rows, pool, order, change):
    everyone = people()
    assert is_kept(
        order, pool, everyone, TAKINGS["demoted"], lambda: everyone.ask(*OF_BOOKS[change]), rows
    )


@in_any_order
@pytest.mark.parametrize("change", ["POST", "import", "restore"])
def test_no_keyed_change_is_committed_after_its_admin_was_demoted(
    people, rows, pool, order, change
):
    everyone, key = people(), {"Idempotency-Key": "a-key"}
    assert is_kept(
        order,
        pool,
        everyone,
        TAKINGS["disabled"],
        lambda: everyone.ask(*OF_BOOKS[change], **key),
        rows,
    )


@in_any_order
@pytest.mark.parametrize(
    "taking, change", [*[("demoted", change) for change in OF_ACCOUNTS], ("signed out", "POST")]
)
def test_no_account_change_is_committed_after_its_admin_was_demoted(
    two, people, rows, pool, order, taking, change
):
    everyone, (method, path, *document) = people(), OF_ACCOUNTS[change]
    path = path.format(member=member_id(two[0]))
    assert is_kept(
        order, pool, everyone, TAKINGS[taking], lambda: everyone.ask(method, path, *document), rows
    )


@in_any_order
@pytest.mark.parametrize("taking", ["demoted", "signed out"])
def test_the_same_holds_within_one_process(people, rows, pool, order, taking):
    everyone = people(apps=1)
    assert is_kept(
        order, pool, everyone, TAKINGS[taking], lambda: everyone.ask(*OF_BOOKS["POST"]), rows
    )


@pytest.mark.parametrize("taking", ["demoted", "disabled", "signed out"])
def test_a_running_import_finishes_before_its_admin_is_demoted(people, pool, monkeypatch, taking):
    everyone, gate, store_books = people(), Gate("the second batch"), store.store

    def slow_store(*args):
        store_books(*args)
        gate.pass_through()

    monkeypatch.setattr(store, "store", slow_store)
    books = {"books": [{"title": f"Imported {number}"} for number in range(1100)]}
    with held(pool, gate, everyone.ask, "POST", "/books/import", books) as working:
        taking = pool.submit(TAKINGS[taking], everyone)
        with pytest.raises(NotYet):
            taking.result(A_WHILE)
        assert everyone.root.get("/books").json["total"] == 1
        gate.let_go()
        assert (working.result(PATIENCE), taking.result(PATIENCE) in (200, 204)) == (200, True)
    assert everyone.root.get("/books").json["total"] == 1101


NO_WAIT = 4.5  # seconds; who waits for a lock is given up after DATABASE_WAIT_SECONDS, 5


def test_reads_of_a_session_do_not_wait_for_its_writes(people, pool, monkeypatch):
    monkeypatch.setattr(sessions, "SEEN_EVERY", timedelta(0))
    everyone = people()
    with held(pool, Gate(INSIDE), everyone.ask, *OF_BOOKS["POST"]):
        begun = time.monotonic()
        assert everyone.copy.get("/auth/me").status_code == 200
        assert time.monotonic() - begun < NO_WAIT


if DATABASE_URL:  # SQLite has one lock for all that is written

    @pytest.mark.parametrize("who", ["admin", "member"])
    def test_reads_do_not_wait_for_writes_of_others(two, people, pool, who):
        everyone, waiting = people(), []
        with held(pool, Gate(INSIDE), everyone.ask, *OF_BOOKS["POST"]):
            client = signed_in(two[1], who)
            given = {"current_password": PASSWORD, "new_password": NEW}
            for path, document in (
                ("/auth/tokens", {"name": "a program", "scope": "read"}),
                ("/auth/password", given),
                ("/auth/login", {"username": "nobody", "password": "wrong"}),
                ("/auth/logout", None),
            ):
                begun = time.monotonic()
                waiting.append(client.post(path, json=document).status_code)
                assert time.monotonic() - begun < NO_WAIT, path
            assert waiting == [201, 204, 401, 204]

    def test_reads_of_a_token_do_not_wait_for_its_writes(two, people, pool, monkeypatch):
        monkeypatch.setattr(sessions, "SEEN_EVERY", timedelta(0))
        everyone = people(by_token=True)
        with held(pool, Gate(INSIDE), everyone.ask, *OF_BOOKS["POST"]):
            begun = time.monotonic()
            assert two[1].test_client().get("/auth/me", headers=everyone.headers).status_code == 200
            assert time.monotonic() - begun < NO_WAIT


# -- the last admin --------------------------------------------------------------------


def at_once(pool, *every):
    """What each of these returns, all begun in the same moment."""
    together = threading.Barrier(len(every), timeout=PATIENCE)

    def begin(work):
        together.wait()
        return work()

    return [future.result(PATIENCE) for future in [pool.submit(begin, work) for work in every]]


def admins(app):
    with app.app_context(), Session(db.engine) as session:
        return session.scalar(
            select(func.count()).select_from(User).where(User.role == ADMIN, User.active)
        )


ENDS = {
    "demote": ("PATCH", {"role": MEMBER}),
    "disable": ("PATCH", {"active": False}),
    "delete": ("DELETE", None),
}


def rival(app, username):
    """A client of an admin who was made anew."""
    with app.app_context():
        with db.read() as connection:
            found = accounts.find(connection, username)
        if found is not None:
            db.write(lambda connection: connection.execute(delete(User).where(User.id == found.id)))
        user = db.write(accounts.add, username, passwords.make_hash(PASSWORD), ADMIN)
    return user.id, signed_in(app, username)


@pytest.mark.parametrize("apps", [1, 2])
@pytest.mark.parametrize(
    "first, second", [("demote", "demote"), ("delete", "delete"), ("disable", "delete")]
)
def test_if_two_admins_end_each_other_one_stays(two, pool, apps, first, second):
    write(
        two[0], lambda connection: connection.execute(delete(User).where(User.username == "admin"))
    )
    for _ in range(17):
        (one, its), (other, others) = rival(two[0], "first"), rival(two[apps - 1], "second")
        reported = at_once(
            pool,
            *[
                lambda client=client, victim=victim, end=ENDS[end]: (
                    client.open(f"/auth/users/{victim}", method=end[0], json=end[1]).status_code
                )
                for client, victim, end in ((its, other, first), (others, one, second))
            ],
        )
        assert sorted(reported)[0] in (200, 204) and sorted(reported)[1] in (401, 403, 409), (
            reported
        )
        assert admins(two[0]) == 1


# -- signing in ------------------------------------------------------------------------


@pytest.fixture
def sign_in(two):
    """A function that signs `victim` in by the old password; returns the status and the client."""

    def run():
        client = two[0].test_client()
        return Auth(client).login("victim").status_code, client

    return run


ENDINGS = [taking for taking in TAKINGS if taking not in ("signed out", "signed out elsewhere")]
SHUT_OUT = ["disabled", "deleted", "given another password", "given another password elsewhere"]


@pytest.mark.parametrize("taking", SHUT_OUT)
def test_a_login_that_checked_the_old_password_fails_after_a_change(people, pool, sign_in, taking):
    everyone = people()
    with held(pool, gate := Gate(BEFORE, "_open"), sign_in) as signing:
        assert TAKINGS[taking](everyone) in (200, 204)
        gate.let_go()
        status, client = signing.result(PATIENCE)
    assert (status, client.get("/auth/me").status_code) == (401, 401)


@pytest.mark.parametrize("taking", SHUT_OUT)
def test_a_login_during_a_password_change_fails(people, pool, sign_in, taking):
    everyone = people()
    with held(pool, gate := Gate(BEFORE, "_open"), sign_in) as signing:
        with held(pool, taken := Gate(INSIDE), TAKINGS[taking], everyone) as ending:
            gate.let_go()
            with pytest.raises(NotYet):
                signing.result(A_WHILE)
            taken.let_go()
            assert ending.result(PATIENCE) in (200, 204)
        status, client = signing.result(PATIENCE)
    assert (status, client.get("/auth/me").status_code) == (401, 401)


@pytest.mark.parametrize("taking", ENDINGS)
def test_a_session_being_opened_is_ended_with_the_others(people, pool, sign_in, taking):
    everyone = people()
    with held(pool, gate := Gate(INSIDE, "_open"), sign_in) as signing:
        ending = pool.submit(TAKINGS[taking], everyone)
        with pytest.raises(NotYet):
            ending.result(A_WHILE)
        gate.let_go()
        status, client = signing.result(PATIENCE)
        assert ending.result(PATIENCE) in (200, 204)
    assert (status, client.get("/auth/me").status_code) == (200, 401)


def test_an_ended_session_creates_no_token(people, pool):
    everyone = people()
    with held(
        pool,
        gate := Gate(BEFORE),
        everyone.ask,
        "POST",
        "/auth/tokens",
        {"name": "a program", "scope": "write"},
    ) as making:
        assert TAKINGS["signed out by an admin"](everyone) == 204
        gate.let_go()
        assert making.result(PATIENCE) == 401
    assert signed_in(everyone.app, "victim").get("/auth/tokens").json["tokens"] == []


@pytest.mark.parametrize("taking", ["given another password", "disabled", "signed out by an admin"])
def test_an_ended_session_changes_no_password(people, pool, taking):
    everyone, given = (
        people(),
        {"current_password": PASSWORD, "new_password": "a password of the attacker"},
    )
    with held(
        pool,
        gate := Gate(BEFORE, "change_own_password"),
        everyone.ask,
        "POST",
        "/auth/password",
        given,
    ) as changing:
        assert TAKINGS[taking](everyone) in (200, 204)
        gate.let_go()
        assert changing.result(PATIENCE) in (401, 403)
    change_account(everyone.app, "victim", {"active": True})
    assert (
        Auth(everyone.app.test_client()).login("victim", given["new_password"]).status_code == 401
    )


def test_of_two_concurrent_password_changes_one_wins(people, pool):
    everyone = people()
    given = [
        {"current_password": PASSWORD, "new_password": f"a new password, number {number}"}
        for number in (1, 2)
    ]
    with held(
        pool,
        gate := Gate(BEFORE, "change_own_password"),
        everyone.ask,
        "POST",
        "/auth/password",
        given[0],
    ) as first:
        assert everyone.other.post("/auth/password", json=given[1]).status_code == 204
        gate.let_go()
        assert first.result(PATIENCE) == 401  # the other one has ended this session
    assert [
        Auth(everyone.app.test_client()).login("victim", each["new_password"]).status_code
        for each in given
    ] == [401, 200]


# -- many at once ----------------------------------------------------------------------

SPELLINGS = [
    "Straße-é",
    "STRASSE-É",
    "strasse-e\u0301",
    "ｓtraße-é",
    "Strasse-É",
    "STRAßE-é",
    "sTRASSE-É",
    "ｓｔｒａｓｓｅ-é",
]


def test_concurrent_spellings_of_a_username_create_one_account(two, pool):
    clients = [signed_in(two[number % 2], "admin") for number in range(16)]
    given = [{"username": SPELLINGS[number // 2], "password": NEW} for number in range(16)]
    reported = at_once(
        pool,
        *[
            lambda client=client, sent=sent: client.post("/auth/users", json=sent).status_code
            for client, sent in zip(clients, given, strict=False)
        ],
    )
    assert Counter(reported) == {201: 1, 409: 15}
    assert len(clients[0].get("/auth/users").json["users"]) == 3


SECONDS = 3


def _until(end, work):
    statuses = Counter()
    while time.monotonic() < end:
        statuses.update(work())
    return statuses


def _in_and_out(app):
    client = app.test_client()
    yield Auth(client).login("victim").status_code
    yield client.get("/auth/me").status_code
    yield client.post("/auth/logout").status_code


def test_concurrent_changes_of_one_account_cause_no_error(two, pool):
    write(two[0], accounts.add, "victim", passwords.make_hash(PASSWORD), MEMBER)
    own, root = signed_in(two[0], "victim"), signed_in(two[1], "admin")
    user_id = own.get("/auth/me").json["id"]
    secret = own.post("/auth/tokens", json={"name": "a program", "scope": "write"}).json["secret"]
    bearer = {"Authorization": f"Bearer {secret}"}

    def use(app):
        client = app.test_client()
        yield client.get("/auth/me", headers=bearer).status_code
        yield client.post("/books", json={"title": "By a program"}, headers=bearer).status_code

    def turn():
        for role in (ADMIN, MEMBER):
            yield root.patch(f"/auth/users/{user_id}", json={"role": role}).status_code
        yield root.delete(f"/auth/users/{user_id}/sessions").status_code

    end = time.monotonic() + SECONDS
    jobs = [lambda number=number: _in_and_out(two[number % 2]) for number in range(4)]
    jobs += [lambda number=number: use(two[number % 2]) for number in range(3)] + [turn]
    reported = at_once(pool, *[lambda job=job: _until(end, job) for job in jobs])
    for statuses, possible in zip(
        reported, [{200, 204, 401}] * 4 + [{200, 201, 403}] * 3 + [{200, 204}], strict=False
    ):
        assert statuses.keys() <= possible and statuses[200], reported
    with two[0].app_context(), db.read() as connection:
        user = accounts.existing(connection, "victim")
        failures = connection.scalar(select(func.sum(Throttle.failures)))
        assert (user.role, user.active, failures or 0) == (MEMBER, True, 0)
    assert root.delete(f"/auth/users/{user_id}/sessions").status_code == 204
    assert signed_in(two[0], "victim").get("/auth/sessions").json["total"] == 1
