"""Where a book stands: location, call number and number of copies."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEYS = ("location_key", "call_number_key")


def upgrade() -> None:
    op.add_column("books", sa.Column("location", sa.String(200)))
    op.add_column("books", sa.Column("call_number", sa.String(100)))
    op.add_column("books", sa.Column("copies", sa.Integer))
    for name in KEYS:
        op.add_column("books", sa.Column(name, sa.String(700)))
        op.create_index(f"ix_books_{name}_deleted_at_id", "books", [name, "deleted_at", "id"])
