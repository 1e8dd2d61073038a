"""Ids of sessions and tokens are never reused; kept results of any size; `mark` is `revision`."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.alter_column(
        "catalogue",
        "mark",
        new_column_name="revision",
        existing_type=sa.BigInteger,
        existing_nullable=False,
    )
    op.execute("DELETE FROM idempotency_keys")  # responses, not results: kept for a day anyway
    op.drop_column("idempotency_keys", "status")
    op.drop_column("idempotency_keys", "headers")
    op.alter_column(
        "idempotency_keys",
        "body",
        new_column_name="result",
        existing_type=sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"),
        existing_nullable=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in ("sessions", "tokens"):
            with op.batch_alter_table(
                table, recreate="always", table_kwargs={"sqlite_autoincrement": True}
            ):
                pass  # the same columns in a table that counts its ids
    else:
        op.alter_column(
            "idempotency_keys",
            "result",
            type_=mysql.LONGBLOB(),
            existing_type=mysql.MEDIUMBLOB(),
            existing_nullable=False,
        )
