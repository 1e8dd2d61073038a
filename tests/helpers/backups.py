"""What the tests of backups store, run and compare."""

from sqlalchemy import create_engine

from helpers.support import _rows, one_line

BOOKS = [
    {
        "title": "Emma",
        "authors": ["Jane Austen", "JANE AUSTEN"],
        "isbn": "9780141439587",
        "published": "1815-12",
        "language": "en-GB",
        "subjects": ["Fiction"],
        "series": "Classics",
        "pages": 512,
        "description": "Handsome",
    },
    {
        "title": "红楼梦",
        "authors": ["曹雪芹"],
        "identifiers": [{"scheme": "lccn", "value": "1"}],
        "description": "石头\n记",
    },
    {"title": "Łódź", "publisher": "O'Brien & Søn", "published": "-0720"},
    {"title": "Thrown away"},
]
MARK = 4  # the column of the catalogue that names its state
MORE = [
    {"title": f"Number {number}", "authors": [f"Author {number % 9}"]} for number in range(600)
]  # than one batch


def run(app, *arguments, status=0):
    """What a command says; fails where its status is another one."""
    result = app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
    assert result.exit_code == status and (status or result.exception is None), (
        result.output,
        result.exception,
    )
    return result.stdout.strip() if status == 0 else one_line(result.stderr)


def in_file(path):
    """All rows of all tables of a backup."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        return _rows(engine)
    finally:
        engine.dispose()


def comparable(rows):
    """Without what putting back changes: sessions are over, the state has another name."""
    catalogue = [row[:MARK] + row[MARK + 1 :] for row in rows["catalogue"]]
    return {**rows, "sessions": [], "catalogue": catalogue}
