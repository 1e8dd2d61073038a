"""Which passwords are refused as common, and what the list of them is."""

import itertools
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.auth import common

PASSPHRASES = [
    "correct horse battery staple",
    "a long enough password",
    "correct-horse-battery",
    "ß" * 7 + "öüäöüäöü",
    "the librarian counts blue herons",
    "seven tins of paint on the stairs",
    "Wir lesen gern am Kanal, abends",
    "le phare éteint regarde la mer",
    "ночью библиотека дышит тише",
    "図書館の窓から見える静かな海の色です",
    "mossy lantern under Tuesday",
    "zebra-crossing-at-dawn-42",
    "Nobody expects the third shelf!",
    "kQ7#vTz2!mWx9&bLp",
    "f81d4fae7dec11d0a765",
    "umbrella.turnip.glacier.ox",
    "my aunt keeps 3 geese & a harp",
    "1914 letters from Ghent, unsent",
    "vermilion_otter_sleeps_late",
    "hush, the catalogue is dreaming",
]

SPELLINGS = {
    "as it is": str,
    "in capitals": str.upper,
    "each word's first letter large": str.title,
    "in full-width letters": lambda text: "".join(chr(ord(letter) + 0xFEE0) for letter in text),
    "digits behind": lambda text: text + "2024",
    "signs behind": lambda text: text + "!?!",
    "both before and behind": lambda text: f"__1{text}-99 ",
    "spaces around": lambda text: f"  {text}  ",
    "letters as signs": lambda text: text.translate(str.maketrans("aeios", "@3!0$")),
    "letters as digits": lambda text: text.translate(str.maketrans("aeios", "43105")),
    "letters as signs, digits behind": lambda text: (
        text.translate(str.maketrans("aeios", "@3!0$")) + "123"
    ),
}


def _parts():
    lines = common.LIST.read_text("utf-8").splitlines()
    grouped = itertools.groupby(lines, key=lambda line: line.startswith(common.COMMENT))
    return [list(group) for is_comment, group in grouped if not is_comment]


@pytest.mark.parametrize(
    "entry", ["passwordpassword", "iloveyouiloveyou", "qazwsxedcrfvtgb", "qwertyuiopasdfgh"]
)
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_common_password_is_refused_in_any_spelling(entry, spelling):
    assert common.is_common(spelling(entry))


@pytest.mark.parametrize(
    "password",
    [
        "1qaz2wsx3edc4rfv",
        "1QAZ2w$x3edc4rfv",
        "123456789987654321",
        "１２３４５６７８９９８７６５４３２１",
        "password1234567",
        "samsung12345678",
        "aaaaaaaaaaaaaaa",
        "000000000000000",
        "abcdefghijklmno",
        "$un$hine$un$hine",
        "dragondragondragon",
    ],
)
def test_what_stands_in_the_list_is_refused(password):
    assert common.is_common(password)


def test_every_entry_is_refused_and_every_entry_in_capitals():
    entries = common.entries()
    assert [entry for entry in entries if not common.is_common(entry)] == []
    assert [entry for entry in entries if not common.is_common(entry.upper())] == []


@pytest.mark.parametrize("password", PASSPHRASES)
def test_a_passphrase_of_ones_own_is_not_common(password):
    assert len(password) >= 15
    assert not common.is_common(password)


@pytest.mark.parametrize(
    "password", ["", "1" * 20 + "!?", "\ud800" * 20, "\x00" * 20, "\u0301" * 128]
)
def test_what_is_no_word_at_all_is_no_trouble(password):
    assert common.is_common(password) is False


def test_the_list_has_more_than_three_thousand_passwords_that_a_user_could_choose():
    observed, guessable, _made = _parts()
    assert len(observed) + len(guessable) >= 3_000
    assert all(15 <= len(entry) <= 128 for entry in common.entries())


def test_the_list_is_in_its_compared_form_and_names_nothing_twice():
    entries = common.entries()
    assert len(set(entries)) == len(entries)
    assert [
        entry for entry in entries if unicodedata.normalize("NFKC", entry).casefold() != entry
    ] == []


def test_each_part_of_the_list_is_sorted():
    parts = _parts()
    assert len(parts) == 3
    assert all(part == sorted(part) for part in parts)


def test_the_list_holds_no_address_and_says_where_it_is_from():
    assert [entry for entry in common.entries() if "@" in entry] == []
    head = common.LIST.read_text("utf-8")[:1_000]
    assert "SecLists" in head and "MIT" in head and "public domain" in head
    assert common.LIST.stat().st_size < 200_000


def test_the_list_is_read_once_and_by_any_number_of_threads(monkeypatch):
    reads = []
    whole = common.entries
    monkeypatch.setattr(common, "entries", lambda: reads.append(1) or whole())
    common._known.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(common.is_common, ["passwordpassword"] * 64))
    first = len(reads)
    assert not common.is_common(PASSPHRASES[0]) and len(reads) == first <= 8


@pytest.mark.parametrize(
    "password", ["1" * 200_000 + "a", "a" + "1" * 200_000 + "a", "1a" * 100_000, "!" * 200_000]
)
def test_a_hostile_password_costs_no_more_than_its_length(password):
    common.is_common("warm")
    begun = time.process_time()
    common.is_common(password)
    assert time.process_time() - begun < 2  # a quadratic search takes minutes
