"""What accounts sign in with (tokens, a second factor), what happened at the door, and who has to wait before it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
NEW_COLUMNS = {
    "users": (
        ("totp_offered", sa.String(64)),
        ("totp_secret", sa.String(64)),
        ("totp_step", sa.BigInteger),
        ("recovery_hashes", LONG),
    ),
    "sessions": (("address", sa.String(64)), ("user_agent", sa.String(200))),
}


def upgrade() -> None:
    for table, columns in NEW_COLUMNS.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind))
    op.create_index("ix_sessions_created_at", "sessions", ["created_at"])
    op.add_column(
        "catalogue", sa.Column("last_user_id", sa.BigInteger, nullable=False, server_default="0")
    )
    op.execute("UPDATE catalogue SET last_user_id = (SELECT coalesce(max(id), 0) FROM users)")
    op.create_table(
        "tokens",
        sa.Column("id", BIG, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column(
            "user_id",
            BIG,
            sa.ForeignKey("users.id", name="fk_tokens_user_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
        **OPTIONS,
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_table(
        "events",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("username", sa.String(64)),
        sa.Column("actor", sa.String(64)),
        sa.Column("address", sa.String(64)),
        sa.Column("request_id", sa.String(128)),
        sa.Column("detail", sa.String(300)),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        **OPTIONS,
    )
    op.create_index("ix_events_at", "events", ["at"])
    op.create_table(
        "throttles",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("failures", sa.Double, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("void_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_throttles"),
        **OPTIONS,
    )
    op.create_index("ix_throttles_void_at", "throttles", ["void_at"])


def downgrade() -> None:
    for table in ("throttles", "events", "tokens"):
        op.drop_table(table)
    op.drop_column("catalogue", "last_user_id")
    op.drop_index("ix_sessions_created_at", "sessions")
    for table, columns in NEW_COLUMNS.items():
        for name, _ in columns:
            op.drop_column(table, name)
