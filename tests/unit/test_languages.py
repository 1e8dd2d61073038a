"""Language tags in their canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookapi.books.fields import languages
from helpers.inventions import bounded


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("en", "en"),
        ("eng", "en"),
        ("EN", "en"),
        ("EN_us", "en-US"),
        ("en-us", "en-US"),
        ("pt-br", "pt-BR"),
        ("zh_hant", "zh-Hant"),
        ("ZH-hant-tw", "zh-Hant-TW"),
        ("ger", "de"),
        ("deu", "de"),
        ("fre", "fr"),
        ("chi", "zh"),
        ("grc", "grc"),
        ("enm", "enm"),
        ("mul", "mul"),
        ("und", "und"),
        ("zxx", "zxx"),
        ("iw", "he"),
        ("en-UK", "en-GB"),
        ("es-419", "es-419"),
        ("de-1996", "de-1996"),
        ("i-klingon", "tlh"),
        ("zh-yue", "yue"),
        ("sr-Latn-RS", "sr-Latn-RS"),
    ],
)
def test_a_language_tag_is_stored_in_canonical_form(sent, kept):
    assert languages.canonical(sent) == kept
    assert languages.canonical(kept) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "e",
        "english",
        "English",
        "xyzzy",
        "xxx",
        "en-",
        "-en",
        "en--US",
        "en US",
        "en/fr",
        "en,fr",
        "en-USA1234567",
        "en\n",
        "en\x00",
        "日本語",
        "еn",
        "en-ÜS",
        "9780674842113",
        "e" * 101,
        "en-" + "x" * 98,
        "*",
        "en;q=1",
        "nl-zz-zz-zz",
    ],
)
def test_an_unregistered_language_tag_is_rejected(text):
    with pytest.raises(ValueError, match="BCP 47"):
        languages.canonical(text)


@bounded
@given(st.from_regex(r"[A-Za-z]{1,8}([_-][A-Za-z0-9]{1,8}){0,4}", fullmatch=True))
def test_canonicalizing_a_language_tag_twice_changes_nothing(text):
    try:
        kept = languages.canonical(text)
    except ValueError as error:
        assert "BCP 47" in str(error)
    else:
        assert languages.canonical(kept) == kept
        assert len(kept) <= languages.MAX_LENGTH
