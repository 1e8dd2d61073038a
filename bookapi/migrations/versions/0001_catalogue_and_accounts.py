"""The catalogue and the accounts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

# Written out, not imported from the models: a migration stays what it was when it was released.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def _list_table(name: str, *columns: sa.Column) -> None:
    op.create_table(
        name,
        sa.Column(
            "book_id",
            BIG,
            sa.ForeignKey("books.id", name=f"fk_{name}_book_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("position", sa.Integer, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("book_id", "position", name=f"pk_{name}"),
        **OPTIONS,
    )
    keys = [column.name for column in columns if column.name != "name"]
    op.create_index(f"ix_{name}_{'_'.join(keys)}_book_id", name, [*keys, "book_id"])


def upgrade() -> None:
    catalogue = op.create_table(
        "catalogue",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue"),
        **OPTIONS,
    )
    op.bulk_insert(catalogue, [{"id": 1, "seq": 0, "last_id": 0}])

    op.create_table(
        "books",
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("title", sa.String(2000), nullable=False),
        sa.Column("subtitle", sa.String(2000)),
        sa.Column("authors", LONG, nullable=False),
        sa.Column("isbn", sa.String(13)),
        sa.Column("publisher", sa.String(500)),
        sa.Column("published", sa.String(11)),
        sa.Column("language", sa.String(100)),
        sa.Column("series", sa.String(500)),
        sa.Column("series_number", sa.String(50)),
        sa.Column("edition", sa.String(200)),
        sa.Column("pages", sa.Integer),
        sa.Column("description", LONG),
        sa.Column("subjects", LONG, nullable=False),
        sa.Column("identifiers", LONG, nullable=False),
        sa.Column("cover_url", sa.String(2000)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.Column("title_key", sa.String(700), nullable=False),
        sa.Column("author_key", sa.String(700)),
        sa.Column("published_key", sa.Integer),
        sa.Column(
            "live_isbn",
            sa.String(13),
            sa.Computed("CASE WHEN deleted_at IS NULL THEN isbn END", persisted=False),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
        sa.UniqueConstraint("live_isbn", name="uq_books_live_isbn"),
        **OPTIONS,
    )
    for column in ("title_key", "author_key", "published_key", "language", "deleted_at"):
        op.create_index(f"ix_books_{column}_id", "books", [column, "id"])

    _list_table(
        "book_authors",
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("name_key", sa.String(700), nullable=False),
    )
    _list_table(
        "book_subjects",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sa.String(700), nullable=False),
    )
    _list_table(
        "book_identifiers",
        sa.Column("scheme", sa.String(32), nullable=False),
        sa.Column("value", sa.String(500), nullable=False),
    )

    op.create_table(
        "users",
        sa.Column("id", BIG, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(255), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name_key", name="uq_users_name_key"),
        **OPTIONS,
    )
    op.create_table(
        "sessions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column(
            "user_id",
            BIG,
            sa.ForeignKey("users.id", name="fk_sessions_user_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("secret_hash", name="uq_sessions_secret_hash"),
        **OPTIONS,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])


def downgrade() -> None:
    for table in (
        "sessions",
        "users",
        "book_identifiers",
        "book_subjects",
        "book_authors",
        "books",
        "catalogue",
    ):
        op.drop_table(table)
