"""A MariaDB or MySQL server that refuses changes, or all work, while the service uses it."""

import time
from contextlib import closing

import pymysql
import pytest
from sqlalchemy.engine import make_url

from bookapi.db import db
from helpers.instance import DATABASE_URL

pytestmark = pytest.mark.skipif(not DATABASE_URL, reason="is about a server")
OTHER = "bookapi_other"


@pytest.fixture
def root(app):
    """A cursor of who may administer the server; skips where the tests may not."""
    url = make_url(DATABASE_URL)
    try:
        connection = pymysql.connect(
            host=url.host, port=url.port or 3306, user="root", password="", autocommit=True
        )
    except pymysql.err.OperationalError:
        pytest.skip("the tests may not administer this server")
    with closing(connection):
        yield connection.cursor()


@pytest.fixture
def served(make_app, root):
    """(client of an admin, a function that restricts its account) of an application with an
    account of its own.
    """
    url = make_url(DATABASE_URL)
    root.execute(f"DROP USER IF EXISTS {OTHER}@'127.0.0.1'")
    root.execute(f"CREATE USER {OTHER}@'127.0.0.1' IDENTIFIED BY 'first'")
    root.execute(f"GRANT ALL ON `{url.database}`.* TO {OTHER}@'127.0.0.1'")
    own = url.set(username=OTHER, password="first").render_as_string(hide_password=False)
    app = make_app(DATABASE_URL=own, DATABASE_WAIT_SECONDS=1, PROPAGATE_EXCEPTIONS=False)
    client = app.test_client()
    answer = client.post(
        "/auth/login", json={"username": "admin", "password": "a long enough password"}
    )
    assert answer.status_code == 200
    yield client
    root.execute("SET GLOBAL read_only = 0")
    with app.app_context():
        db.engine.dispose()
    root.execute(f"DROP USER {OTHER}@'127.0.0.1'")


def outcome(client):
    answers = client.get("/readyz"), client.post("/books", json={"title": "a"})
    return [(answer.status_code, "Retry-After" in answer.headers) for answer in answers]


def test_a_read_only_server_is_a_503_for_changes(served, root):
    assert outcome(served) == [(200, False), (201, False)]
    root.execute("SET GLOBAL read_only = 1")
    assert outcome(served) == [(503, True)] * 2
    assert served.get("/books").status_code == 200
    root.execute("SET GLOBAL read_only = 0")
    assert outcome(served) == [(200, False), (201, False)]


def test_an_account_that_may_only_read_is_a_503_for_changes(served, root):
    name = f"`{make_url(DATABASE_URL).database}`.*"
    root.execute(f"REVOKE ALL ON {name} FROM {OTHER}@'127.0.0.1'")
    root.execute(f"GRANT SELECT ON {name} TO {OTHER}@'127.0.0.1'")
    with served.application.app_context():
        db.engine.dispose()
    assert outcome(served) == [(503, True)] * 2
    assert served.get("/books").status_code == 200


def test_a_password_that_was_changed_is_a_503(served, root):
    root.execute(f"ALTER USER {OTHER}@'127.0.0.1' IDENTIFIED BY 'second'")
    with served.application.app_context():
        db.engine.dispose()
    assert outcome(served) == [(503, True)] * 2
    assert served.get("/books").status_code == 503


def test_a_global_read_lock_is_waited_for_as_long_as_any_lock(served, root):
    root.execute("FLUSH TABLES WITH READ LOCK")
    begun = time.monotonic()
    answer = served.post("/books", json={"title": "a"})
    took = time.monotonic() - begun
    root.execute("UNLOCK TABLES")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert took < 5
    assert outcome(served) == [(200, False), (201, False)]


def test_a_change_larger_than_a_packet_is_a_413_for_itself_alone(served, root):
    root.execute("SELECT @@global.max_allowed_packet")
    [before] = root.fetchone()
    root.execute("SET GLOBAL max_allowed_packet = 65536")
    try:
        with served.application.app_context():
            db.engine.dispose()
        answer = served.post("/books", json={"title": "a", "description": "📚" * 20000})
        assert answer.status_code == 413
        assert outcome(served) == [(200, False), (201, False)]
    finally:
        root.execute(f"SET GLOBAL max_allowed_packet = {before}")


def test_a_conflict_of_snapshot_isolation_is_run_again(served, root):
    """Error 1020: MariaDB from 11.6.2 on, by default."""
    try:
        root.execute("SET GLOBAL innodb_snapshot_isolation = ON")
    except pymysql.err.OperationalError:
        pytest.skip("this server has no snapshot isolation")
    try:
        with served.application.app_context():
            db.engine.dispose()
            runs = []

            def operation(connection):
                runs.append(connection)
                connection.exec_driver_sql("SELECT seq FROM catalogue").all()
                if len(runs) == 1:
                    root.execute(
                        f"UPDATE `{make_url(DATABASE_URL).database}`.catalogue SET seq = seq + 1"
                    )
                connection.exec_driver_sql("UPDATE catalogue SET seq = seq + 1")

            db.write(operation)
        assert len(runs) == 2
    finally:
        root.execute("SET GLOBAL innodb_snapshot_isolation = OFF")


def test_a_read_shows_one_state_whatever_the_server_has_for_its_default(served, root):
    root.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
    try:
        with served.application.app_context():
            db.engine.dispose()
            count = "SELECT count(*) FROM books"
            with db.read() as connection:
                before = connection.exec_driver_sql(count).scalar_one()
                assert served.post("/books", json={"title": "a"}).status_code == 201
                assert connection.exec_driver_sql(count).scalar_one() == before
    finally:
        root.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")
