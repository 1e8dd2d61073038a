"""Normalization and comparison of text."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from bookapi.text import FORBIDDEN, KEY_LENGTH, clean, fold, key, printable, stands_alone, words
from helpers.inventions import bounded, texts


def _xml_can_carry(character):
    try:
        etree.Element("a").text = character
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Emma", "Emma"),
        ("  Emma\t\r\n", "Emma"),
        ("\u00a0\u3000Emma\u2003", "Emma"),
        ("e\u0301", "é"),
        ("\u2126", "\u03a9"),
        ("a\u200b", "a\u200b"),
        ("two  spaces", "two  spaces"),
        ("a\r\nb", "a\r\nb"),
        ("", None),
        (" \t\n", None),
        ("\u00a0\u2003", None),
        ("📚", "📚"),
        ("\u0085a", "a"),
        ("ﬁ", "ﬁ"),
    ],
)
def test_text_is_trimmed_and_normalized_to_nfc(sent, kept):
    assert clean(sent) == kept


@pytest.mark.parametrize(
    "character",
    [
        "\x00",
        "\x01",
        "\x08",
        "\x0b",
        "\x0c",
        "\x0e",
        "\x1b",
        "\x1c",
        "\x1f",
        "\ud800",
        "\udbff",
        "\udc00",
        "\udfff",
        "\ufffe",
        "\uffff",
    ],
)
@pytest.mark.parametrize("place", ["{}", "{}a", "a{}", "a{}b", " {} "])
def test_a_character_that_xml_forbids_is_rejected_by_code_point(place, character):
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        clean(place.format(character))


def test_forbidden_characters_are_those_that_xml_cannot_contain():
    wrong = [
        hex(code)
        for code in (*range(0x10000), 0x10000, 0x1F4DA, 0x1FFFE, 0x10FFFF)
        if (FORBIDDEN.search(chr(code)) is None) != _xml_can_carry(chr(code))
    ]
    assert wrong == []


@bounded
@given(texts)
def test_cleaning_text_twice_changes_nothing(text):
    kept = clean(text)
    assert kept is None or clean(kept) == kept
    assert kept is None or unicodedata.is_normalized("NFC", kept)


@bounded
@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_printable_text_can_be_written_as_xml(text):
    shown = printable(text)
    assert FORBIDDEN.search(shown) is None
    assert len(shown) == len(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Émile", "emile"),
        ("EMMA", "emma"),
        ("Straße", "STRASSE"),
        ("  a   b ", "a b"),
        ("e\u0301", "\u00e9"),
        ("Ⅳ", "iv"),
        ("ﬁn", "FIN"),
        ("Ａ１", "a1"),
        ("İstanbul", "istanbul"),
        ("Σίσυφος", "ΣΙΣΥΦΟΣ"),
        ("a\u00a0b", "A b"),
        ("Čapek", "capek"),
        ("שָׁלוֹם", "שלום"),
    ],
)
def test_comparison_ignores_case_accents_and_spaces(one, other):
    assert fold(one) == fold(other)
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Łódź", "lodz"),
        ("Søren", "SOREN"),
        ("Đorđe", "dorde"),
        ("Ðað", "dad"),
        ("Æther", "aether"),
        ("ŒUVRE", "oeuvre"),
        ("Ħal", "hal"),
        ("ısı", "ISI"),
        ("Ǿ", "o"),
        ("Ǽon", "aeon"),
        ("Øre", "öre"),
        ("Æ Œ", "ae  oe"),
    ],
)
def test_comparison_ignores_strokes_and_ligatures(one, other):
    assert fold(one) == fold(other)
    assert fold(one).isascii()


@pytest.mark.parametrize(
    ("one", "other"), [("Emma", "Emm"), ("a b", "ab"), ("日本", "日"), ("C", "C++"), ("1", "2")]
)
def test_different_texts_stay_different(one, other):
    assert fold(one) != fold(other)
    assert key(one) != key(other)


@bounded
@given(texts)
def test_folding_is_idempotent_and_independent_of_normalization(text):
    assert fold(fold(text)) == fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


def by_definition(text):
    """D146 of the Unicode Standard, less the non-spacing marks."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    text = text.translate(BASE_LETTERS)
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Mn").split())


BASE_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ħ": "h", "ı": "i"}
)
near_ascii = st.lists(
    st.sampled_from([*"aZ 1", "\u0301", "\u0323", "\u302e", "\u302f", "\U0001d165", *"éΣİıßﬁ™Ꭰ한"])
    | st.characters(exclude_categories=["Cs"]),
    max_size=12,
).map("".join)


@bounded
@given(near_ascii)
@example("é" * 30)
@example("A\u0301\u0323B")
def test_folding_part_by_part_is_folding_the_whole(text):
    assert fold(text) == by_definition(text)


def test_every_character_between_letters_is_folded_as_defined():
    every = [chr(code) for code in range(0x110000)]
    assigned = [char for char in every if unicodedata.category(char) not in ("Cn", "Co", "Cs")]
    for first in range(0, len(assigned), 256):
        text = "Z A".join(assigned[first : first + 256])
        assert fold(text) == by_definition(text)


@bounded
@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_the_ascii_shortcut_folds_like_the_general_case(text):
    assert fold(text + "é") == fold(text + "e")


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (KEY_LENGTH - 1, KEY_LENGTH - 1),
        (KEY_LENGTH, KEY_LENGTH),
        (KEY_LENGTH + 1, KEY_LENGTH),
        (20000, KEY_LENGTH),
    ],
)
def test_a_key_never_exceeds_the_index_limit(length, expected):
    assert len(key("x" * length)) == expected
    assert key("x" * length) == key("X" * length)


def test_long_texts_that_differ_at_the_end_have_different_keys():
    one, other = key("x" * 1999 + "a"), key("x" * 1999 + "b")
    assert one != other
    assert one[:600] == other[:600] == "x" * 600


def test_different_texts_have_different_keys():
    long = "x" * (KEY_LENGTH + 1)
    impostor = key(long)  # a text that anyone can send
    assert fold(impostor) != fold(long)
    assert key(impostor) != key(long)


# -- words -----------------------------------------------------------------------------

WORDS = {
    "": [],
    " \t ": [],
    "…—!?*\"'()": [],
    "📚 ♥ →": [],
    "_": [],
    "%": [],
    "\u0301": [],
    "Emma": ["emma"],
    "Jane  AUSTEN": ["jane", "austen"],
    "Émile, ou": ["emile", "ou"],
    "Straße": ["strasse"],
    "C++": ["c"],
    "AT&T": ["at", "t"],
    "snake_case": ["snake", "case"],
    "1984": ["1984"],
    "x²": ["x2"],
    "½": ["1", "2"],
    "a.b,c;d": ["a", "b", "c", "d"],
    "well-known": ["well", "known"],
    "Ａ１ ﬁn Ⅳ": ["a1", "fin", "iv"],
    "𝔸𝕓": ["ab"],
    # An apostrophe parts words, whichever it is; those of romanization are part of a name and are
    # not heard.
    "don't": ["don", "t"],
    "don’t": ["don", "t"],
    "L’Été": ["l", "ete"],
    "l'été": ["l", "ete"],
    "Qurʼān": ["quran"],
    "Hawaiʻi": ["hawaii"],
    "ʻAbd al-Raḥmān": ["abd", "al", "rahman"],
    "rodʹ": ["rod"],
    "co\u00adoperate": ["cooperate"],
    "a\u200bb\u2060c\ufeffd": ["abcd"],
    "\u200fשלום\u200e": ["שלום"],
    "Война и мир": ["воина", "и", "мир"],
    "ΣΊΣΥΦΟΣ Ίλιον": ["σισυφοσ", "ιλιον"],
    "מַה־שָּׁלוֹם": ["מה", "שלום"],
    "مَكْتَبَة كبيرة": ["مكتبة", "كبيرة"],
    "日本語": ["日", "本", "語"],
    "日本語 text2": ["日", "本", "語", "text2"],
    "《红楼梦》": ["红", "楼", "梦"],
    "がﾊﾟ": ["か", "ハ"],
    "한국 문학": ["한", "국", "문", "학"],
    "ภาษา": ["ภ", "า", "ษ", "า"],
    "ກີ": ["ກ"],
    "हिन्दी साहित्य।": ["हिनदी", "साहितय"],
    "தமிழ் நூல்": ["தமிழ", "நூல"],
    "বাংলা ভাষা": ["বাংলা", "ভাষা"],
}


def test_the_words_of_many_scripts():
    assert {text: words(text) for text in WORDS} == {
        text: [unicodedata.normalize("NFC", word) for word in found]
        for text, found in WORDS.items()
    }


def test_punctuation_of_no_script_is_a_word():
    marks = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code))[0] in "PZ"]
    assert [
        f"{ord(mark):04x} {unicodedata.name(mark, '')}"
        for mark in marks
        if any(
            unicodedata.category(character)[0] in "PZ" for word in words(mark) for character in word
        )
    ] == []


@bounded
@given(texts)
def test_words_consist_of_letters_marks_and_digits(text):
    assert all(word and " " not in word for word in words(text))
    assert words(" ".join(words(text))) == words(text)


@bounded
@given(texts)
def test_words_are_independent_of_case_and_normalization(text):
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert [words(form) for form in (*forms, text.upper(), text.lower(), text.casefold())] == [
        words(text)
    ] * 7


@bounded
@given(texts, st.sampled_from("\u0300\u0301\u0308\u0327\u05b4\u064b\u0e49\u302a"), st.data())
def test_words_are_independent_of_accents(text, mark, data):
    at = data.draw(st.integers(0, len(text)))
    assert words(text[:at] + mark + text[at:]) == words(text)


@bounded
@given(st.lists(texts, max_size=4))
def test_the_words_of_a_text_are_the_words_of_its_parts(parts):
    assert words("\n".join(parts)) == [word for part in parts for word in words(part)]


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("日", True),
        ("か", True),
        ("한", True),
        ("ก", True),
        ("a", False),
        ("é", False),
        ("и", False),
        ("ת", False),
        ("क", False),
        ("日本", False),
    ],
)
def test_a_character_of_a_script_without_spaces_stands_alone(text, alone):
    assert stands_alone(text) is alone


@pytest.mark.parametrize("mark", ["\u0301", "\u0323\u0301", "\u0f73", "\u0345"])
def test_a_long_run_of_combining_marks_is_refused_at_once(mark):
    begun = time.process_time()
    with pytest.raises(ValueError, match="combining marks"):
        clean("a" + mark * (80_000 // len(mark)))
    assert time.process_time() - begun < 0.5


def test_as_many_combining_marks_as_languages_have_are_kept():
    zalgo = "a" + "\u0323\u0301" * 50
    assert clean(f"{zalgo} {zalgo}") is not None
