"""Upgrades: a database of the first schema is brought to the newest one; an older one is
refused.
"""

import flask_migrate
import pytest
from flask import current_app
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from bookapi import create_app
from bookapi.db import db
from bookapi.db.schema import MIGRATIONS, known_revisions
from bookapi.db.sqlite import sqlite3
from helpers.instance import DATA, DATABASE_URL, PASSWORD, drop_tables, settings
from helpers.support import one_line

NEWEST = known_revisions()[-1]


def migrate():
    """Flask-Migrate for the current application, whose own commands it would replace."""
    own = dict(current_app.cli.commands)
    flask_migrate.Migrate(current_app, db, directory=str(MIGRATIONS), render_as_batch=True)
    current_app.cli.commands.update(own)
    return flask_migrate


def rows_0004():
    """The rows of tests/data/schema-0004.sql: {table: [{column: value}]}."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((DATA / "schema-0004.sql").read_text())
    connection.row_factory = sqlite3.Row
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "AND name NOT LIKE 'book_words_index%' AND name <> 'alembic_version' ORDER BY rowid"
    ).fetchall()
    return {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2")]
        for (name,) in names
    }


def rows_of(engine, tables):
    """The rows of an engine's tables in the shape of `rows_0004`."""
    with engine.connect() as connection:
        return {
            name: [
                dict(row._mapping)
                for row in connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2"))
            ]
            for name in tables
        }


@pytest.fixture
def make_old(tmp_path):
    """A function that makes an application whose database has a schema from before, empty but for a
    catalogue row.
    """
    made = []

    def make(revision="0004"):
        (tmp_path / "old").mkdir(mode=0o700)
        app = create_app(settings(tmp_path / "old"))
        made.append(app)
        with app.app_context():
            if DATABASE_URL:
                drop_tables()
            db.dialect.create_file()
            migrate().upgrade(revision="0004")
            with db.engine.begin() as connection:
                connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        return app

    yield make
    for app in made:
        with app.app_context():
            if DATABASE_URL:  # the next test needs the newest schema
                drop_tables()
                migrate().upgrade()
            db.engine.dispose()


@pytest.fixture
def old(make_old):
    """An application on a database of schema 0004 with books, history and accounts."""
    app = make_old()
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DELETE FROM catalogue"))
        for table, rows in rows_0004().items():
            names = [name for name in rows[0] if name != "live_isbn"]
            quoted = ", ".join(f"`{name}`" for name in names)
            values = ", ".join(f":{name}" for name in names)
            connection.execute(text(f"INSERT INTO {table} ({quoted}) VALUES ({values})"), rows)
    return app


def structure(engine):
    """Tables with their columns, keys and indexes, and on SQLite the definitions of what reflection
    does not know.
    """
    found = inspect(engine)
    with engine.connect() as connection:
        special = (
            connection.execute(
                text(
                    "SELECT name, sql LIKE '%AUTOINCREMENT%', "
                    "CASE type WHEN 'trigger' THEN sql END "
                    "FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
                )
            ).all()
            if engine.dialect.name == "sqlite"
            else []
        )
    return special, {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(map(str, found.get_foreign_keys(name))),
            sorted((i["name"], i["column_names"], i["unique"]) for i in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }


def run(app, *arguments, status=0):
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == status, (result.output, result.exception)
    return result.stdout.strip() if status == 0 else one_line(result.stderr)


def test_database_of_the_first_schema_is_upgraded(old):
    assert run(old, "db", "upgrade") == f"the schema is {NEWEST}"
    run(old, "db", "check")
    assert [line for line in run(old, "check").splitlines() if line.startswith("wrong")] == []
    client = old.test_client()
    login = {"username": "admin", "password": PASSWORD}
    assert client.post("/auth/login", json=login).status_code == 200
    assert client.get("/books?q=jane").json["total"] == 1
    assert client.get("/books?state=deleted").json["books"][0]["title"] == "Thrown away"
    history = client.get("/books/7/history").json["history"]
    assert [entry["action"] for entry in history] == ["created", "deleted", "restored"]
    assert client.post("/books", json={"title": "Next"}).json["id"] == 8


def test_upgrade_changes_no_row(old):
    with old.app_context():
        tables = list(rows_0004())
        before = rows_of(db.engine, tables)
        migrate().upgrade()
        after = rows_of(db.engine, tables)
    [row] = before["catalogue"]
    row["revision"] = row.pop("mark")
    del before["idempotency_keys"]  # kept for a day; responses became results
    assert after["idempotency_keys"] == []
    for row in before["books"]:  # what sorts last has a key of its own since 0007
        row["author_key"] = f"1{row['author_key']}" if row["author_key"] else "2"
        row["published_key"] = row["published_key"] or 2**31 - 1
    assert {
        name: [{key: row[key] for key in rows[0]} for row in after[name]]
        for name, rows in before.items()
    } == before


def test_upgraded_schema_equals_a_new_one(app, make_old):
    with app.app_context():
        new = structure(db.engine)
    with make_old().app_context():
        migrate().upgrade()
        assert structure(db.engine) == new


def test_empty_database_of_the_first_schema_is_upgraded(make_old):
    old = make_old()
    assert "db upgrade" in run(old, "db", "check", status=1)
    run(old, "db", "upgrade")
    run(old, "db", "check")
    assert old.test_client().get("/books?q=emma&facets=author").json["total"] == 0


def test_failed_upgrade_changes_nothing(old):
    if DATABASE_URL:
        return  # MySQL and MariaDB commit each change of a table by itself
    with old.app_context():
        with db.engine.begin() as connection:  # in the way of a step of the upgrade
            connection.execute(text("CREATE TABLE _alembic_tmp_tokens (id INTEGER)"))
        before = structure(db.engine)
        with pytest.raises(DBAPIError):
            migrate().upgrade()
        assert structure(db.engine) == before


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
@pytest.mark.parametrize("command", [["db", "upgrade"], ["init"], ["db", "check"], ["serve"]])
def test_schema_before_the_first_release_is_refused_with_the_way_out(make_old, revision, command):
    old = make_old(revision)
    said = run(old, *command, status=1)
    assert revision in said and "bookapi books export" in said
    with old.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == revision


def test_schema_of_a_newer_program_is_refused(make_old):
    assert "use the newer program" in run(make_old("9999"), "db", "upgrade", status=1)


@pytest.mark.parametrize("table", ["tokens", "sessions"])
def test_ids_of_tokens_and_sessions_are_never_reused(app, table):
    insert = {
        "tokens": "INSERT INTO tokens (secret_hash, user_id, name, scope, created_at) "
        "VALUES (:secret, 1, 'n', 'read', '2026-01-01 00:00:00.000000')",
        "sessions": "INSERT INTO sessions (secret_hash, user_id, created_at, last_seen_at) "
        "VALUES (:secret, 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000')",
    }[table]
    given = []
    with app.app_context():
        for number in range(3):
            with db.engine.begin() as connection:
                user = connection.scalar(text("SELECT min(id) FROM users"))
                statement = text(insert.replace(":secret, 1", f":secret, {user}"))
                given.append(connection.execute(statement, {"secret": str(number)}).lastrowid)
                connection.execute(text(f"DELETE FROM {table}"))
    assert given == sorted(set(given)), "an id was given twice"


def test_kept_answer_may_be_larger_than_16_mib(app):
    if not DATABASE_URL:
        return  # SQLite has one type for all lengths
    with app.app_context():
        [body] = [
            c for c in inspect(db.engine).get_columns("idempotency_keys") if c["name"] == "result"
        ]
    assert str(body["type"]) == "LONGBLOB"
