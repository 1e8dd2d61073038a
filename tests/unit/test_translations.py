"""The catalogues of translations: complete, and compiled."""

import ast
import gettext

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from werkzeug.http import HTTP_STATUS_CODES

from bookapi.http.languages import LANGUAGES
from bookapi.pages.assets import FOLDER

METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}


SOURCE = "".join(path.read_text() for path in FOLDER.parent.rglob("*.py"))
STATUSES = set(HTTP_STATUS_CODES.values())
RAISED = ("ValidationError", "ServiceUnavailable", "Conflict", "RequestEntityTooLarge")
TABLES = ("default_error_messages", "error_messages", "_DETAILS")


def problems():
    """The texts of problems that the program has as they are, but for imports and commands."""
    for package in ("auth", "books", "db", "http", "pages", "."):
        for path in sorted(FOLDER.parent.joinpath(package).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                texts = []
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    texts = node.args[1:2] if name == "Problem" else []
                    texts += node.args[:1] if name in RAISED else []
                elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in TABLES:
                    texts = node.value.values
                yield from (text.value for text in texts if isinstance(text, ast.Constant))


PROBLEMS = set(problems())


def catalogue(language):
    path = FOLDER / "translations" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return read_po(file), path.with_suffix(".mo")


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_text_of_a_page_is_translated(language):
    known, _ = catalogue(language)
    translated = {message.id for message in known if message.id and message.string}
    found = {message for _, _, message, *_ in extract_from_dir(FOLDER, METHODS, OPTIONS)}
    assert len(found) > 150
    assert not (found | PROBLEMS) - translated
    # Those with numbers and the names of statuses are put together while the service runs.
    others = translated - found - PROBLEMS
    assert all("{}" in text or text in SOURCE or text in STATUSES for text in others)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_compiled_catalogue_is_that_of_the_texts(language, tmp_path):
    known, compiled = catalogue(language)
    with (tmp_path / "fresh.mo").open("wb") as file:
        write_mo(file, known)
    with compiled.open("rb") as file, (tmp_path / "fresh.mo").open("rb") as fresh:
        texts = [dict(gettext.GNUTranslations(each)._catalog) for each in (file, fresh)]
    assert texts[0] == texts[1]
