"""The functions and files of bookapi that one `GET /books?author=…` passes, as XML: the figures of
docs/architecture.md.

    python -m benchmarks.path

In this process, without a server. Statements are compiled, nothing else is cached: the query string
is parsed, the page found, written and cached. Comprehensions do not count.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from werkzeug.test import create_environ, run_wsgi_app

import bookapi
from bookapi import create_app
from bookapi.db import db
from bookapi.db.schema import upgrade_schema

from .large_books import Catalogue

ROOT = Path(bookapi.__file__).parent
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
ADDRESS, HEADERS = "/books?author=A.+Common", {"Accept": "application/xml"}


def passed(app: Any, address: str) -> list[tuple[str, str]]:
    """(file, function) of each that the request calls, in the order of the first call."""
    found: dict[tuple[str, str], None] = {}

    def note(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        path, is_comprehension = Path(code.co_filename), code.co_name in COMPREHENSIONS
        if event == "call" and path.is_relative_to(ROOT) and not is_comprehension:
            found[str(path.relative_to(ROOT)), code.co_qualname] = None

    environ = create_environ(address, headers=HEADERS)
    sys.setprofile(note)
    _, status, _ = run_wsgi_app(app.wsgi_app, environ, buffered=True)
    sys.setprofile(None)
    assert status == "200 OK", status
    return [*found]


def main() -> None:
    """Print the functions of each file, and how many there are."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app({"INSTANCE_PATH": folder})
        with app.app_context():
            db.dialect.create_file()
            upgrade_schema(db.engine)
        books = Path(folder) / "books.jsonl"
        books.write_text("".join(json.dumps(book) + "\n" for book in Catalogue(200)))
        app.test_cli_runner().invoke(args=["books", "import", str(books)])
        passed(app, f"{ADDRESS}&page=1")  # compiles the statements
        functions = passed(app, ADDRESS)
    files = Counter(file for file, _ in functions)
    for file, number in files.items():
        print(f"{number:3} {file}: {', '.join(name for each, name in functions if each == file)}")
    print(f"{len(functions)} functions in {len(files)} files")


if __name__ == "__main__":
    main()
