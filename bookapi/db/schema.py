"""The schema: its migrations, and the revision of a database."""

import functools
from pathlib import Path
from types import ModuleType, SimpleNamespace

from flask import current_app
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine

from .extension import db

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def migrations(engine: Engine) -> ModuleType:
    """Flask-Migrate for a database. Imported when needed: serving does without Alembic (10 MB)."""
    import flask_migrate

    target = SimpleNamespace(engine=engine, metadata=db.metadata)
    # By default its command is `db` and would replace ours.
    flask_migrate.Migrate(current_app, target, str(MIGRATIONS), command="migrations")  # type: ignore[no-untyped-call]
    return flask_migrate


def upgrade_schema(engine: Engine, revision: str = "head") -> None:
    """Create the schema, or bring it to a revision; several processes may do so at once."""
    migrations(engine).upgrade(revision=revision)


@functools.cache
def known_revisions() -> tuple[str, ...]:
    """The revisions that this program can upgrade from, and as the last one that which it needs; by
    the names of the files, for Alembic is not loaded."""
    found = (path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return tuple(sorted(found))


def schema_error(found: str | None) -> str | None:
    """Why this program cannot use a database of this schema, and the way out; None where it can."""
    known = known_revisions()
    if found is None:
        return "the database has no schema yet; run: bookapi init"
    if found < known[0]:
        return (
            f"the database has the schema {found} of a version before the first release, which "
            "cannot be upgraded; with the version that made it run: bookapi books export FILE, "
            "then import FILE into a new instance"
        )
    if found not in known:
        return (
            f"the database has the schema {found}, this program knows none after {known[-1]}; "
            "use the newer program"
        )
    if found != known[-1]:
        return (
            f"the database has the schema {found}, this program needs {known[-1]}; "
            "run: bookapi db upgrade (a backup first)"
        )
    return None


def schema_revision(connection: Connection) -> str | None:
    """The schema's revision in a database; None where there is no schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
