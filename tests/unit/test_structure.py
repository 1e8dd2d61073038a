"""Which module may import which."""

import ast
import re
from pathlib import Path

import pytest

import bookapi
from bookapi.db import Base

ROOT = Path(bookapi.__file__).parent
BASE = {"text", "timestamps", "config", "formats", "metrics"}
LOW = BASE | {"schemas", "logs", "cli", "db", "catalogue", "http"}
ALLOWED = {
    "text": set(),
    "timestamps": set(),
    "config": set(),
    "formats": set(),
    "logs": set(),
    "metrics": set(),
    "schemas": {"text", "timestamps"},
    "cli": {"db"},
    "db": {"config", "metrics", "timestamps"},
    "catalogue": {"db"},
    "http": BASE | {"db", "catalogue", "logs", "schemas"},
    "auth": LOW,
    "books": LOW | {"auth.permissions"},
    "server": BASE | {"http", "logs"},
    "site": LOW | {"auth", "books", "server"},
    "pages": LOW | {"auth", "books"},
    "app": {"db", "formats", "http"},
    "migrations": {"text", "db", "books.search"},
}


def _imports(path):
    """(module of ours, name or None) for every relative or absolute import of ours in a file."""
    package = ("bookapi", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            for alias in node.names:
                yield ".".join([*base, *([node.module] if node.module else [alias.name])])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bookapi"):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "bookapi")


def _files():
    return sorted(
        path
        for path in ROOT.rglob("*.py")
        if path.name != "__main__.py"
        and path.parent != ROOT
        or path.parent == ROOT
        and path.name not in ("__init__.py", "__main__.py", "factory.py")
    )


@pytest.mark.parametrize("path", _files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for module in _imports(path):
        target = module.removeprefix("bookapi").removeprefix(".")
        assert target, f"{path} imports the application factory"
        allowed = ALLOWED[room] | {room}
        assert any(target == name or target.startswith(name + ".") for name in allowed), (
            f"{path} imports {target}"
        )


def test_no_feature_imports_the_views_of_another():
    for path in _files():
        room = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for module in _imports(path):
            if module.endswith(".views"):
                assert module == f"bookapi.{room}.views", f"{path} imports {module}"


def test_every_room_is_in_the_rule():
    rooms = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in _files()}
    assert rooms == set(ALLOWED)


ASKS_WHICH_ENGINE = re.compile(r"dialect\.name|get_backend_name|[\"']sqlite[\"']|[\"']mysql[\"']")
# One reads a URL before there is an engine; the others give each engine its form of one construct.
MAY_ASK = {"config.py", "db/search.py", "db/types.py"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_no_file_outside_the_dialects_asks_which_engine_it_is(path):
    name = str(path.relative_to(ROOT))
    if name.startswith(("db/dialects/", "migrations/")) or name in MAY_ASK:
        return
    assert ASKS_WHICH_ENGINE.findall(path.read_text()) == []


def test_the_database_package_names_no_table_of_books_or_accounts():
    """But for `book_words`, which the full-text index reads."""
    names = {*Base.metadata.tables} - {"book_words"}
    quoted = {
        (path.name, node.value)
        for path in (ROOT / "db").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert names > {"books", "catalogue", "users"} and quoted == set()
