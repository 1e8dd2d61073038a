"""How Alembic runs the migrations: on the service's own engine, in one transaction."""

from alembic import context
from flask import current_app

from bookapi.db.search import INDEX

extension = current_app.extensions["migrate"]


def ours(item, name, *more) -> bool:
    """Whether the models know it: the index of words is each database's own, made by a migration."""
    return not (name or "").startswith((INDEX, "ft_"))


with extension.db.engine.execution_options(begin="BEGIN IMMEDIATE").connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=extension.db.metadata,
        include_object=ours,
        **extension.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()
