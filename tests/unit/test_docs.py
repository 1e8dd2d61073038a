"""The documents agree with the code: links, files, tests, settings, routes, fields, formats."""

import re

import pytest

from bookapi import create_app, formats
from bookapi.books.imports import profiles
from bookapi.books.queries.filters import FILTERS
from bookapi.books.queries.listing import FACETS
from bookapi.books.schemas import FIELDS
from bookapi.config import SECRETS, SETTINGS
from bookapi.http import endpoints
from bookapi.http.problems import TYPE_PREFIX, TYPES
from helpers.instance import ROOT

DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("tests/**/*.md"),
    ]
)
SOURCES = [
    path
    for folder in (".ci", "benchmarks", "bookapi", "deploy", "docs", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.is_file()
]
SETTING_NAMES = [setting.name for setting in SETTINGS]


def _text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def _section(name, heading):
    """The text below a heading, up to the next one of the same or a higher level."""
    level = heading.split(" ")[0]
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{len(level)}}} |\Z)",
        _text(name),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{name} has no heading {heading}"
    return found[1]


def _rows(text):
    """The cells of each row of the first table in a text, without its header."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines[2:]
    ]


def _quoted(text):
    return re.findall(r"`([^`\n]+)`", text)


def _anchors(path):
    """The anchors of the headings, as GitHub and PyPI make them."""
    text = re.sub(
        r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def plain_app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    return create_app({"INSTANCE_PATH": str(folder), "SECRET_KEY": "x" * 40})


# -- links, files, tests


def test_every_internal_link_and_anchor_exists():
    missing = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            if not path.exists() or anchor and anchor not in _anchors(path):
                missing.append(f"{document.name}: {target}")
    assert missing == []


def _exists(name):
    if "/" in name or name == "Makefile":
        return (ROOT / name).exists()
    return (ROOT / name).exists() or any(path.name == name for path in SOURCES)


def test_every_file_that_is_named_exists():
    named = {
        (document.name, name.partition("::")[0])
        for document in DOCUMENTS
        for name in _quoted(document.read_text(encoding="utf-8"))
        if re.fullmatch(
            r"(bookapi|tests|docs|benchmarks|deploy|\.ci)/[\w./-]*(::\w+)?|\w[\w-]*\.(py|md|txt|cfg|toml)|Makefile",
            name,
        )
    }
    assert len(named) > 60
    assert [(document, name) for document, name in sorted(named) if not _exists(name)] == []


def test_every_test_that_is_named_exists():
    named = [
        name.split("::")
        for document in DOCUMENTS
        for name in _quoted(document.read_text())
        if "::test_" in name
    ]
    assert len(named) > 80
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists() or f"\ndef {test}(" not in _text(file)
    ]
    assert missing == []


def test_each_promise_of_durability_names_a_test():
    rows = _rows(_section("docs/durability.md", "# Durability"))
    assert len(rows) > 10
    assert [
        promise for promise, test in rows if not re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", test)
    ] == []


def test_no_module_refers_to_a_document_outside_the_repository():
    outside = re.compile("the " + "contract|contract, " + "section", re.IGNORECASE)
    modules = [path for path in SOURCES if path.suffix == ".py"]
    assert [str(path) for path in modules if outside.search(path.read_text("utf-8"))] == []


# -- settings


def test_the_table_of_settings_has_each_setting_with_its_default():
    rows = _rows(_section("docs/operations.md", "## Settings"))
    assert [name for name, _, _ in rows] == [f"`BOOKAPI_{name}`" for name in SETTING_NAMES]
    for (_, default, meaning), setting in zip(rows, SETTINGS, strict=True):
        assert meaning and setting.meaning
        if setting.default not in (None, []):
            assert default == f"`{str(setting.default).lower()}`", setting.name
        else:
            assert default and not default.strip("`").isdigit(), setting.name


def test_every_setting_that_is_named_exists():
    documents = (
        "README.md",
        "docs/asvs.md",
        "docs/durability.md",
        "docs/operations.md",
        "docs/security.md",
    )
    named = {
        name.removeprefix("BOOKAPI_")
        for document in documents
        for name in _quoted(_text(document))
        if re.fullmatch("[A-Z]+(_[A-Z]+)+", name)
    }
    assert len(named) > 10
    from_files = {f"{name}_FILE" for name in SECRETS}
    assert named - set(SETTING_NAMES) - from_files == set()


# -- the API


def test_the_table_of_resources_has_each_route_with_its_access(plain_app):
    documented = sorted(
        (path.strip("`"), method, access)
        for methods, path, access, _ in _rows(_section("docs/api.md", "## Resources"))
        for method in methods.split(", ")
    )
    routes = sorted(
        (re.sub(r"<(?:\w+:)?(\w+?)>", _placeholder, path), method, str(declared.access))
        for path, methods, declared in endpoints.routes(plain_app)
        for method in methods
    )
    assert documented == routes


def _placeholder(found):
    return {"digits": "{isbn}", "name": "{name}"}.get(found[1], "{id}")


def test_the_table_of_a_book_has_each_field_in_its_order():
    rows = _rows(_section("docs/api.md", "## A book"))
    assert [name for cells in rows for name in _quoted(cells[0])] == list(FIELDS)


def test_the_table_of_formats_has_each_format_with_its_media_types():
    rows = _rows(_section("docs/api.md", "## Formats"))
    documented = {name.strip("`"): _quoted(types) for name, types, _, _ in rows}
    assert documented == {known.name: list(known.media_types) for known in formats.all_formats()}


def test_each_problem_type_is_documented():
    rows = _rows(_section("docs/api.md", "### Problem types"))
    assert [name for name, _ in rows] == [f"`{TYPE_PREFIX}{name}`" for name in TYPES]


def test_each_filter_and_facet_is_documented():
    named = [
        name
        for cells in _rows(_section("docs/api.md", "### Filters"))
        for name in _quoted(cells[0])
    ]
    assert sorted(named) == sorted([*FILTERS, "state"])
    assert set(FACETS) <= set(_quoted(_section("docs/api.md", "### Fields and facets")))


def test_each_profile_of_imports_is_documented():
    section = _section("docs/operations.md", "## Moving in from other programs")
    commands, rows = map(_rows, section.split("The program is recognised"))
    assert [name for _, name, *_ in rows] == [f"`{name}`" for name in profiles.names()]
    assert [row[0] for row in commands] == [row[0] for row in rows]
    assert all("--dry-run" in row[2] and "--on-error skip" in row[3] for row in commands)
    assert set(profiles.names()) <= set(_quoted(_section("docs/api.md", "### Profiles")))
    for _, name, fields, identifiers, _ in rows:
        own = [p for p in profiles.all_profiles().values() if f"`{p.name}`" == name]
        assert set(fields.split(", ")) == {field for profile in own for field in profile.fields}
        schemes = {scheme for p in own for scheme in (*p.identifiers.values(), p.otherwise)}
        assert set(_quoted(identifiers)) == schemes - {""}


def test_each_command_is_documented(plain_app):
    text = " ".join(_quoted(_section("docs/api.md", "## Command line")))
    commands = [
        f"{name} {inner}" if inner else name
        for name, command in plain_app.cli.commands.items()
        for inner in getattr(command, "commands", {None: None})
    ]
    assert len(commands) > 15
    assert [command for command in commands if not re.search(rf"\b{command}\b", text)] == []


# -- limits of the README


def test_the_readme_is_short():
    text = _text("README.md")
    assert len(text.splitlines()) <= 150
    assert len(text.encode()) <= 12 * 1024
