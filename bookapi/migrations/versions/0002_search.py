"""Search and fast lists: words, keys of publishers and series, indexes that cover a page, the number of books."""

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

# What is derived is made by the program's own functions: the fold of this version, whichever one made it before.
from bookapi.books.search import text_of
from bookapi.text import key

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
INSTANT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
OPTIONS = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}

OLD_INDEXES = ("title_key", "author_key", "published_key", "language")
NEW_INDEXES = (
    "title_key",
    "author_key",
    "publisher_key",
    "series_key",
    "published_key",
    "language",
    "created_at",
    "updated_at",
)
BATCH = 500

books = sa.table(
    "books",
    *[
        sa.column(name, kind)
        for name, kind in (
            ("id", BIG),
            ("title", sa.String),
            ("subtitle", sa.String),
            ("authors", LONG),
            ("isbn", sa.String),
            ("publisher", sa.String),
            ("series", sa.String),
            ("description", LONG),
            ("subjects", LONG),
            ("identifiers", LONG),
            ("deleted_at", INSTANT),
            ("title_key", sa.String),
            ("author_key", sa.String),
            ("publisher_key", sa.String),
            ("series_key", sa.String),
        )
    ],
)
words = sa.table("book_words", sa.column("book_id", BIG), sa.column("words", LONG))
LISTS = {
    "authors": ("name", "name_key"),
    "subjects": ("name", "name_key"),
    "identifiers": ("scheme", "value"),
}
lists = {
    name: sa.table(
        f"book_{name}",
        sa.column("book_id", BIG),
        sa.column("position", sa.Integer),
        *[sa.column(column, sa.String) for column in columns],
    )
    for name, columns in LISTS.items()
}

# FTS5 over a table of ours: nothing is stored twice, and the triggers keep the one with the other in its transaction.
# `ascii`: a token is as it was written. `columnsize=0`: relevance does not rest on lengths.
SQLITE_INDEX = (
    """CREATE VIRTUAL TABLE book_words_index USING fts5 (words, content = 'book_words', content_rowid = 'book_id',
       tokenize = 'ascii', columnsize = 0)""",
    """CREATE TRIGGER book_words_insert AFTER INSERT ON book_words BEGIN
       INSERT INTO book_words_index (rowid, words) VALUES (new.book_id, new.words); END""",
    """CREATE TRIGGER book_words_delete AFTER DELETE ON book_words BEGIN
       INSERT INTO book_words_index (book_words_index, rowid, words) VALUES ('delete', old.book_id, old.words); END""",
    """CREATE TRIGGER book_words_update AFTER UPDATE ON book_words BEGIN
       INSERT INTO book_words_index (book_words_index, rowid, words) VALUES ('delete', old.book_id, old.words);
       INSERT INTO book_words_index (rowid, words) VALUES (new.book_id, new.words); END""",
)

# What SQLite's planner may expect (sqlite.org/optoverview.html: "Manual control of query plans"). Without figures it
# takes `deleted_at IS NULL` for rare, and walks the whole catalogue instead of the few books that an author has; with
# them it would skip that column, which has two sides, instead of looking at one.
FIGURES = [
    ("books", None, "100000"),
    *[
        ("books", f"ix_books_deleted_at_{column}_id", f"100000 100000 {alike} 1 noskipscan")
        for column, alike in (
            ("title_key", 2),
            ("author_key", 4),
            ("publisher_key", 20),
            ("series_key", 1000),
            ("published_key", 300),
            ("language", 2000),
            ("created_at", 1),
            ("updated_at", 1),
        )
    ],
    ("books", "ix_books_deleted_at_id", "100000 100000 1 noskipscan"),
    ("books", "uq_books_live_isbn", "100000 2"),
    ("book_authors", "ix_book_authors_name_key_book_id", "150000 3 1"),
    ("book_subjects", "ix_book_subjects_name_key_book_id", "250000 10 1"),
    ("book_identifiers", "ix_book_identifiers_scheme_value_book_id", "150000 30000 2 1"),
    ("book_words", None, "100000"),
]


def upgrade() -> None:
    bind = op.get_bind()
    for column in ("total", "mark"):
        op.add_column(
            "catalogue", sa.Column(column, sa.BigInteger, nullable=False, server_default="0")
        )
    with op.batch_alter_table("catalogue") as batch:
        for column in ("total", "mark"):
            batch.alter_column(
                column, existing_type=sa.BigInteger, existing_nullable=False, server_default=None
            )
    op.add_column("books", sa.Column("publisher_key", sa.String(700)))
    op.add_column("books", sa.Column("series_key", sa.String(700)))
    op.create_table(
        "book_words",
        sa.Column(
            "book_id",
            BIG,
            sa.ForeignKey("books.id", name="fk_book_words_book_id", ondelete="CASCADE"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("words", LONG, nullable=False),
        sa.PrimaryKeyConstraint("book_id", name="pk_book_words"),
        **OPTIONS,
    )
    if bind.dialect.name == "sqlite":
        for statement in SQLITE_INDEX:
            op.execute(statement)
    _derive(bind)
    for column in OLD_INDEXES:
        op.drop_index(f"ix_books_{column}_id", "books")
    for column in NEW_INDEXES:
        op.create_index(f"ix_books_deleted_at_{column}_id", "books", ["deleted_at", column, "id"])
    if bind.dialect.name == "sqlite":
        _tell_planner(bind)
    else:  # behind the rows: an index of words is made faster than it grows
        op.execute("CREATE FULLTEXT INDEX ft_book_words_words ON book_words (words)")


def _derive(bind) -> None:
    """Make again all that is derived from the books: the keys, the tables of lists, the words, the number of books."""
    for table in lists.values():
        bind.execute(table.delete())
    last = 0
    while rows := bind.execute(
        sa.select(books).where(books.c.id > last).order_by(books.c.id).limit(BATCH)
    ).all():
        last = rows[-1].id
        records = [_record(row) for row in rows]
        bind.execute(
            sa.update(books)
            .where(books.c.id == sa.bindparam("book_id"))
            .values(
                {
                    name: sa.bindparam(f"new_{name}")
                    for name in ("title_key", "author_key", "publisher_key", "series_key")
                }
            ),
            [
                {
                    "book_id": record["id"],
                    "new_title_key": key(record["title"]),
                    "new_author_key": key(record["authors"][0]) if record["authors"] else None,
                    "new_publisher_key": record["publisher"] and key(record["publisher"]),
                    "new_series_key": record["series"] and key(record["series"]),
                }
                for record in records
            ],
        )
        bind.execute(
            words.insert(),
            [
                {
                    "book_id": record["id"],
                    "words": text_of(record, in_trash=record["deleted_at"] is not None),
                }
                for record in records
            ],
        )
        for name, table in lists.items():
            made = [row for record in records for row in _list_rows(record["id"], record[name])]
            if made:
                bind.execute(table.insert(), made)
    bind.execute(
        sa.text(
            "UPDATE catalogue SET total = (SELECT count(*) FROM books WHERE deleted_at IS NULL)"
        )
    )


def _record(row) -> dict:
    return {**row._mapping, **{name: json.loads(getattr(row, name)) for name in LISTS}}


def _list_rows(book_id: int, values: list) -> list[dict]:
    """A row a value, each once: what is equal by its key would be counted twice."""
    rows = {}
    for value in values:
        if isinstance(value, str):
            rows.setdefault(key(value), {"name": value, "name_key": key(value)})
        else:
            rows.setdefault(
                (value["scheme"], value["value"]),
                {name: value[name] for name in ("scheme", "value")},
            )
    return [
        {"book_id": book_id, "position": position, **row}
        for position, row in enumerate(rows.values())
    ]


def _tell_planner(bind) -> None:
    bind.execute(sa.text("ANALYZE"))  # makes the table
    bind.execute(sa.text("DELETE FROM sqlite_stat1"))
    bind.execute(
        sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:tbl, :idx, :stat)"),
        [{"tbl": table, "idx": index, "stat": stat} for table, index, stat in FIGURES],
    )
    bind.execute(sa.text("ANALYZE sqlite_schema"))  # has them read


def downgrade() -> None:
    bind = op.get_bind()
    for column in NEW_INDEXES:
        op.drop_index(f"ix_books_deleted_at_{column}_id", "books")
    for column in OLD_INDEXES:
        op.create_index(f"ix_books_{column}_id", "books", [column, "id"])
    if bind.dialect.name == "sqlite":
        for statement in ("DROP TABLE book_words_index", "DELETE FROM sqlite_stat1"):
            op.execute(statement)
    op.drop_table("book_words")
    for table, column in (
        ("books", "series_key"),
        ("books", "publisher_key"),
        ("catalogue", "mark"),
        ("catalogue", "total"),
    ):
        op.drop_column(table, column)
