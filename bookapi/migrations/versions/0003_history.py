"""History: who changed what and when, which is the change feed too; and the answers kept for an Idempotency-Key."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
BLOB = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}

# The books that are there already: made, and if in the trash deleted, without a word about by whom. What had been
# changed since nobody knows, so the newest version is the one that was made. Each had its step of `seq`, so the
# newest steps are free for them.
BOOKS_SO_FAR = """
    INSERT INTO history (seq, book_id, at, action, version, changes)
    SELECT (SELECT seq FROM catalogue) - count(*) OVER () + row_number() OVER (ORDER BY at, book_id, action), book_id,
           at, action, version, '[]'
    FROM (SELECT id AS book_id, created_at AS at, 'created' AS action,
                 CASE WHEN deleted_at IS NULL THEN version ELSE version - 1 END AS version FROM books
          UNION ALL
          SELECT id, deleted_at, 'deleted', version FROM books WHERE deleted_at IS NOT NULL) AS so_far"""


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("book_id", BIG, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("username", sa.String(64)),
        sa.Column("changes", LONG, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_history"),
        **OPTIONS,
    )
    op.execute(BOOKS_SO_FAR)
    op.create_index("ix_history_book_id_seq", "history", ["book_id", "seq"])
    op.create_table(
        "idempotency_keys",
        sa.Column(
            "user_id",
            BIG,
            sa.ForeignKey("users.id", name="fk_idempotency_keys_user_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", LONG, nullable=False),
        sa.Column("body", BLOB, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_idempotency_keys"),
        **OPTIONS,
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    _tell_planner("100000 100000 ", "100000 20000 ")


def _tell_planner(old: str, new: str) -> None:
    """Newer SQLites (3.53) sort all books rather than walk an index whose one side has all of them; they are told that
    it has a fifth, which changes nothing for the older ones."""
    if op.get_bind().dialect.name == "sqlite":
        told = f"UPDATE sqlite_stat1 SET stat = replace(stat, '{old}', '{new}') WHERE tbl = 'books'"  # nosec B608 # ours
        op.execute(told)
        op.execute("ANALYZE sqlite_schema")


def downgrade() -> None:
    _tell_planner("100000 20000 ", "100000 100000 ")
    op.drop_table("idempotency_keys")
    op.drop_table("history")
