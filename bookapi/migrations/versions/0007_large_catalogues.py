"""Large catalogues: keys to sort by with the books last that have none, and the number of books of
each term."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# column: (type, the key it is made of, the key of a book that has none)
KEYS: dict[str, Any] = {
    "author_desc_key": (sa.String(700), "author_key", "'0'"),
    "author_key": (sa.String(700), "author_key", "'2'"),
    "published_desc_key": (sa.Integer(), "published_key", "-2147483647"),
    "published_key": (sa.Integer(), "published_key", "2147483647"),
}
DECADE = """CASE WHEN published_key < 2147483647 THEN CAST(2000000000 + published_key
    - (published_key % 100000 + 100000) % 100000 AS CHAR(10)) END"""
TERMS = (  # kind, key, spelling, and the tables that have them
    ("author", "name_key", "name", "book_authors JOIN books ON books.id = book_id"),
    ("subject", "name_key", "name", "book_subjects JOIN books ON books.id = book_id"),
    ("publisher", "publisher_key", "publisher", "books"),
    ("series", "series_key", "series", "books"),
    ("location", "location_key", "location", "books"),
    ("language", "language", "language", "books"),
    ("decade", DECADE, DECADE, "books"),
)
ROWS_OF_A_KEY = {"author_desc_key": 4, "published_desc_key": 300}  # for SQLite's planner


def upgrade() -> None:
    for column in ROWS_OF_A_KEY:
        op.add_column("books", sa.Column(column, KEYS[column][0]))
    _fill()
    for column in ROWS_OF_A_KEY:
        op.create_index(
            f"ix_books_deleted_at_{column}_id",
            "books",
            ["deleted_at", sa.text(f"{column} DESC"), "id"],
        )
    _create_terms()
    if op.get_bind().dialect.name == "sqlite":
        _set_statistics()


def _create_terms() -> None:
    options: dict[str, Any] = {
        f"{dialect}_{name}": value
        for dialect in ("mysql", "mariadb")
        for name, value in (
            ("engine", "InnoDB"),
            ("charset", "utf8mb4"),
            ("collate", "utf8mb4_bin"),
        )
    }
    op.create_table(
        "terms",
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("term_key", sa.String(700), nullable=False),
        sa.Column("spelling", sa.String(500), nullable=False),
        sa.Column("books", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("kind", "term_key", name="pk_terms"),
        sqlite_with_rowid=False,
        **options,
    )
    for kind, key, spelling, source in TERMS:
        op.execute(
            f"INSERT INTO terms SELECT '{kind}', {key}, min({spelling}), count(*) FROM {source} "  # noqa: S608
            f"WHERE deleted_at IS NULL AND {key} IS NOT NULL GROUP BY {key}"
        )
    op.create_index(
        "ix_terms_kind_books_term_key", "terms", ["kind", sa.text("books DESC"), "term_key"]
    )


def _fill() -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    author = (
        "substr('1' || author_key, 1, 700)" if on_sqlite else "left(concat('1', author_key), 700)"
    )
    # On MySQL and MariaDB each assignment sees those before it: the old keys are changed last.
    values = {
        column: author if source == "author_key" else source
        for column, (_, source, _) in KEYS.items()
    }
    changes = [
        f"{column} = coalesce({values[column]}, {last})" for column, (*_, last) in KEYS.items()
    ]
    op.execute(f"UPDATE books SET {', '.join(changes)}")  # noqa: S608


def _set_statistics() -> None:
    """As in the first migration, which says why."""
    op.execute("ANALYZE alembic_version")  # creates the table where a dump left it out
    statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    rows = [
        {
            "tbl": "books",
            "idx": f"ix_books_deleted_at_{column}_id",
            "stat": f"100000 20000 {equal} 1 noskipscan",
        }
        for column, equal in ROWS_OF_A_KEY.items()
    ]
    rows += [
        {"tbl": "terms", "idx": "terms", "stat": "150000 30000 1"},
        {"tbl": "terms", "idx": "ix_terms_kind_books_term_key", "stat": "150000 30000 500 1"},
    ]
    op.bulk_insert(statistics, rows)
    op.execute("ANALYZE sqlite_schema")  # loads it
