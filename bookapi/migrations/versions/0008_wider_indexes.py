"""On SQLite the language stands in each index that a sorted list is found by, the date in that by
id, too: filters and facets need not look into the rows of the books. (On MySQL a key could become
too long, and a list by id would not use a longer one.)"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# The columns behind `deleted_at`, and for SQLite's planner the rows of a key. `sz`: bytes of a row,
# or it would think those of the books no larger, and read them.
INDEXES = {
    "id": ("id, language, published_key", "1 1 1 sz=12"),
    "title_key_id": ("title_key, id, language", "2 1 1"),
    "author_key_id": ("author_key, id, language", "4 1 1"),
    "author_desc_key_id": ("author_desc_key DESC, id, language", "4 1 1"),
    "published_key_id": ("published_key, id, language", "300 1 1"),
    "published_desc_key_id": ("published_desc_key DESC, id, language", "300 1 1"),
}


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    rows = []
    for ending, (columns, equal) in INDEXES.items():
        name = f"ix_books_deleted_at_{ending}"
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON books (deleted_at, {columns})")
        rows.append({"tbl": "books", "idx": name, "stat": f"100000 20000 {equal} noskipscan"})
    # As in the first migration, which says why.
    op.execute("ANALYZE alembic_version")  # creates the table where a dump left it out
    names: list[sa.ColumnClause[str]] = [sa.column(name) for name in ("tbl", "idx", "stat")]
    op.bulk_insert(sa.table("sqlite_stat1", *names), rows)
    op.execute("ANALYZE sqlite_schema")  # loads it
