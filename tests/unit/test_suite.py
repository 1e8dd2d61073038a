"""Rules of the test suite itself. CONTRIBUTING.md, Tests."""

import re
from collections import Counter

from helpers.instance import TESTS

MODULES = sorted(TESTS.rglob("test_*.py"))


def test_no_test_module_imports_another():
    imports = re.compile(r"^\s*(?:from|import) (?:test_|conftest)", re.MULTILINE)
    assert [path.name for path in MODULES if imports.search(path.read_text("utf-8"))] == []


def test_names_of_test_modules_are_unique():
    names = Counter(path.name for path in MODULES)
    assert [name for name, times in names.items() if times > 1] == []


def test_data_of_others_names_its_source_and_licence():
    text = (TESTS / "data" / "README.md").read_text("utf-8")
    folders = {path.relative_to(TESTS / "data").parts[0] for path in (TESTS / "data").rglob("*")}
    assert [name for name in sorted(folders) if f"`{name}" not in text] == []
