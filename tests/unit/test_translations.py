"""The catalogues of translations: complete, and compiled."""

import gettext

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from bookapi.http.languages import LANGUAGES
from bookapi.pages.assets import FOLDER

METHODS = [("templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"templates/**.html": {"trim_blocks": "true", "lstrip_blocks": "true"}}


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
    assert found == translated


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_compiled_catalogue_is_that_of_the_texts(language, tmp_path):
    known, compiled = catalogue(language)
    with (tmp_path / "fresh.mo").open("wb") as file:
        write_mo(file, known)
    with compiled.open("rb") as file, (tmp_path / "fresh.mo").open("rb") as fresh:
        texts = [dict(gettext.GNUTranslations(each)._catalog) for each in (file, fresh)]
    assert texts[0] == texts[1]
