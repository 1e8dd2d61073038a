"""How Alembic runs the migrations: on the engine of `db.schema.migrations`, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from bookapi.db.search import INDEX

LOCK = "concat(database(), '.bookapi schema')"
LOCK_SECONDS = 600
WIDER = [f"ix_books_deleted_at_{key}" for key in ("id", "title", "author", "published")]

extension = current_app.extensions["migrate"]


def is_in_models(item: Any, name: str | None, *more: Any) -> bool:
    """The models do not know what differs by engine: the full-text index, and the indexes that have
    more columns on SQLite (0008)."""
    return not (name or "").startswith((INDEX, "ft_", *WIDER))


@contextmanager
def lock(connection: Connection) -> Iterator[None]:
    """A lock for servers, which commit each change of a table by itself; SQLite has its own."""
    if connection.dialect.name == "sqlite":
        yield
        return
    connection.exec_driver_sql(f"SELECT get_lock({LOCK}, {LOCK_SECONDS})")
    connection.commit()  # or Alembic would leave its own commit to us
    try:
        yield
    finally:
        connection.exec_driver_sql(f"SELECT release_lock({LOCK})")


with (
    extension.db.engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection,
    lock(connection),
):
    context.configure(
        connection=connection,
        target_metadata=extension.db.metadata,
        include_object=is_in_models,
        **extension.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
