"""The schema of the first release. (0001 to 0003 belong to versions that were never released.)"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = None

# Written out, not imported from the models: a migration stays what it was when it was released.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
BLOB = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}

SORT_COLUMNS = (
    "title_key",
    "author_key",
    "publisher_key",
    "series_key",
    "published_key",
    "language",
    "created_at",
    "updated_at",
)

# FTS5 with external content: the words are stored once, and the triggers update the index in the
# transaction of the change. tokenize `ascii`: tokens are compared as they were written.
# `columnsize=0`: ranking does not use lengths.
SQLITE_SEARCH_INDEX = (
    """CREATE VIRTUAL TABLE book_words_index USING fts5 (words, content = 'book_words',
       content_rowid = 'book_id', tokenize = 'ascii', columnsize = 0)""",
    """CREATE TRIGGER book_words_insert AFTER INSERT ON book_words BEGIN
       INSERT INTO book_words_index (rowid, words) VALUES (new.book_id, new.words); END""",
    """CREATE TRIGGER book_words_delete AFTER DELETE ON book_words BEGIN
       INSERT INTO book_words_index (book_words_index, rowid, words)
       VALUES ('delete', old.book_id, old.words); END""",
    """CREATE TRIGGER book_words_update AFTER UPDATE ON book_words BEGIN
       INSERT INTO book_words_index (book_words_index, rowid, words)
       VALUES ('delete', old.book_id, old.words);
       INSERT INTO book_words_index (rowid, words) VALUES (new.book_id, new.words); END""",
)

# Statistics for SQLite's planner (sqlite.org/optoverview.html, "Manual control of query plans").
# Without them it takes `deleted_at IS NULL` for rare and walks the whole catalogue instead of an
# author's few books. `noskipscan`: or it skips that column. They say that 20,000 of 100,000 rows
# are in one state: if all were, SQLite 3.53 would sort all books rather than walk the index.
SQLITE_STATISTICS = [
    ("books", None, "100000"),
    *[
        ("books", f"ix_books_deleted_at_{column}_id", f"100000 20000 {equal} 1 noskipscan")
        for column, equal in zip(SORT_COLUMNS, (2, 4, 20, 1000, 300, 2000, 1, 1), strict=True)
    ],
    ("books", "ix_books_deleted_at_id", "100000 20000 1 noskipscan"),
    ("books", "uq_books_live_isbn", "100000 2"),
    ("book_authors", "ix_book_authors_name_key_book_id", "150000 3 1"),
    ("book_subjects", "ix_book_subjects_name_key_book_id", "250000 10 1"),
    ("book_identifiers", "ix_book_identifiers_scheme_value_book_id", "150000 30000 2 1"),
    ("book_words", None, "100000"),
]


def _create_table(name: str, *items: sa.Column[Any] | sa.Constraint) -> sa.Table:
    return op.create_table(name, *items, **OPTIONS)


def _reference(name: str, table: str, target: str, **options: Any) -> sa.Column[int]:
    """A foreign key column whose rows go with the row that they refer to."""
    key = sa.ForeignKey(target, name=f"fk_{table}_{name}", ondelete="CASCADE")
    return sa.Column(name, BIG, key, nullable=False, **options)


def _create_list_table(name: str, *columns: sa.Column[Any]) -> None:
    _create_table(
        name,
        _reference("book_id", name, "books.id"),
        sa.Column("position", sa.Integer, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("book_id", "position", name=f"pk_{name}"),
    )
    keys = [column.name for column in columns if column.name != "name"]
    op.create_index(f"ix_{name}_{'_'.join(keys)}_book_id", name, [*keys, "book_id"])


def upgrade() -> None:
    _create_catalogue()
    _create_accounts()
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE_SEARCH_INDEX:
            op.execute(statement)
        _set_statistics()
    else:
        op.execute("CREATE FULLTEXT INDEX ft_book_words_words ON book_words (words)")


def _create_catalogue() -> None:
    catalogue = _create_table(
        "catalogue",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("mark", sa.BigInteger, nullable=False),
        sa.Column("last_user_id", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue"),
    )
    row = {"id": 1, "seq": 0, "last_id": 0, "total": 0, "mark": 0, "last_user_id": 0}
    op.bulk_insert(catalogue, [row])
    _create_table(
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
        sa.Column("publisher_key", sa.String(700)),
        sa.Column("series_key", sa.String(700)),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
        sa.UniqueConstraint("live_isbn", name="uq_books_live_isbn"),
    )
    op.create_index("ix_books_deleted_at_id", "books", ["deleted_at", "id"])
    for column in SORT_COLUMNS:
        op.create_index(f"ix_books_deleted_at_{column}_id", "books", ["deleted_at", column, "id"])
    for name, length in (("book_authors", 500), ("book_subjects", 200)):
        _create_list_table(
            name,
            sa.Column("name", sa.String(length), nullable=False),
            sa.Column("name_key", sa.String(700), nullable=False),
        )
    _create_list_table(
        "book_identifiers",
        sa.Column("scheme", sa.String(32), nullable=False),
        sa.Column("value", sa.String(500), nullable=False),
    )
    _create_table(
        "book_words",
        _reference("book_id", "book_words", "books.id", autoincrement=False),
        sa.Column("words", LONG, nullable=False),
        sa.PrimaryKeyConstraint("book_id", name="pk_book_words"),
    )
    _create_table(
        "history",
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("book_id", BIG, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("username", sa.String(64)),
        sa.Column("changes", LONG, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_history"),
    )
    op.create_index("ix_history_book_id_seq", "history", ["book_id", "seq"])


def _create_accounts() -> None:
    _create_table(
        "users",
        sa.Column("id", BIG, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(255), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("provisional", sa.Boolean, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("totp_offered", sa.String(64)),
        sa.Column("totp_secret", sa.String(64)),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("recovery_hashes", LONG),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name_key", name="uq_users_name_key"),
    )
    _create_table(
        "sessions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        _reference("user_id", "sessions", "users.id"),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("last_seen_at", INSTANT, nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("user_agent", sa.String(200)),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("secret_hash", name="uq_sessions_secret_hash"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_created_at", "sessions", ["created_at"])
    _create_table(
        "tokens",
        sa.Column("id", BIG, nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        _reference("user_id", "tokens", "users.id"),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scope", sa.String(8), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("last_used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    _create_table(
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
    )
    op.create_index("ix_events_at", "events", ["at"])
    _create_table(
        "throttles",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("failures", sa.Double, nullable=False),
        sa.Column("last_at", INSTANT, nullable=False),
        sa.Column("void_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_throttles"),
    )
    op.create_index("ix_throttles_void_at", "throttles", ["void_at"])
    _create_table(
        "idempotency_keys",
        _reference("user_id", "idempotency_keys", "users.id"),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", LONG, nullable=False),
        sa.Column("body", BLOB, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _set_statistics() -> None:
    op.execute("ANALYZE")  # creates the table
    op.execute("DELETE FROM sqlite_stat1")
    statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    rows = [dict(zip(("tbl", "idx", "stat"), row, strict=True)) for row in SQLITE_STATISTICS]
    op.bulk_insert(statistics, rows)
    op.execute("ANALYZE sqlite_schema")  # loads it
