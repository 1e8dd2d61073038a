"""What is done while a right is taken away: after that was acknowledged nothing more is
committed by it."""

import time
from concurrent.futures import TimeoutError as NotYet
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from bookapi.auth import accounts, passwords, sessions
from bookapi.auth.models import ADMIN, MEMBER, LoginSession, User
from bookapi.books import store
from bookapi.books.models import History
from bookapi.db import db
from helpers.instance import DATABASE_URL, PASSWORD
from helpers.races import (
    A_WHILE,
    BEFORE,
    INSIDE,
    NEW,
    PATIENCE,
    TAKINGS,
    Gate,
    at_once,
    held,
    signed_in,
    write,
)

pytestmark = pytest.mark.stress

ISBN = "9780306406157"
# -- who does what -----------------------------------------------------------------------

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


def member_id(app):
    with app.app_context(), db.read() as connection:
        return accounts.existing(connection, "member").id


# -- the three orders --------------------------------------------------------------------


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


# -- the last admin ----------------------------------------------------------------------


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
