"""Which names look alike, and which mix scripts."""

import pytest

from bookapi.auth import usernames
from helpers.data import naughty_strings

ALIKE = [
    ("admin", "аdmin"),
    ("admin", "admın"),
    ("admin", "Аdmin"),
    ("admin", "adrnin"),
    ("ADMIN", "АDМIN"),
    ("admin", "ａｄｍｉｎ"),
    ("admin", "ad\u3164min"),
    ("admin", "ad\ufe0fmin"),
    ("alice", "aIice"),
    ("alice", "a1ice"),
    ("alice", "a|ice"),
    ("Ian", "lan"),
    ("bob", "b0b"),
    ("BOB", "B0B"),
    ("bob", "bоb"),
    ("modern", "modem"),
    ("paypal", "раураl"),
    ("scope", "ѕсоре"),
    ("henry", "Неnry"),
    ("user1", "userl"),
    ("user1", "userI"),
    ("mary", "ⅿary"),
    ("anna", "ɑnna"),
    ("o'neil", "o’neil"),
    ("jean-luc", "jean‐luc"),
    ("müller", "mu\u0308ller"),
    ("straße", "STRASSE"),
    ("Ωmega", "ωmega"),
    ("fiona", "ﬁona"),
    ("jurgen", "ϳurgen"),
]

APART = [
    ("anna", "anne"),
    ("müller", "muller"),
    ("neil", "nell"),
    ("ali", "all"),
    ("ian", "lan"),
    ("user1", "user2"),
    ("admin", "adm1n"),
    ("a_b", "a-b"),
    ("jean-luc", "jeanluc"),
    ("françois", "francois"),
    ("иван", "ivan"),
    ("Ελένη", "Elena"),
    ("reader", "reade"),
    ("田中", "中田"),
    ("mark", "marc"),
    ("reader10", "reader11"),
]


def alike(one, other):
    return bool(usernames.skeletons(one) & usernames.skeletons(other))


@pytest.mark.parametrize("one, other", ALIKE)
def test_names_that_a_reader_could_confuse_are_alike(one, other):
    assert one != other
    assert alike(one, other) and alike(other, one)


@pytest.mark.parametrize("one, other", APART)
def test_names_that_a_reader_can_tell_apart_are_not_alike(one, other):
    assert not alike(one, other)


@pytest.mark.parametrize(
    "name, skeleton",
    [
        ("admin", "adrnin"),
        ("Admin", "adrnin"),
        ("аdmın", "adrnin"),
        ("b0b", "bob"),
        ("IllI1|", "llllll"),
        ("%", "o/o"),
    ],
)
def test_the_skeleton_is_of_prototypes_without_case(name, skeleton):
    assert usernames.skeleton(name) == skeleton


@pytest.mark.parametrize(
    "name", ["admin", "Müller", "ΣΊΣΥΦΟΣ", "Ꭹꭹ", "İstanbul", "ǅungla", "田中", "ﬃne"]
)
def test_every_spelling_of_one_name_is_alike(name):
    for spelling in (name.upper(), name.lower(), name.title(), usernames.canonical(name)):
        if usernames.canonical(spelling) == usernames.canonical(name):
            assert alike(name, spelling)


@pytest.mark.slow
def test_every_character_has_a_skeleton_that_is_its_own_and_meets_its_compared_form():
    for character in map(chr, range(0x10000)):  # the Basic Multilingual Plane, surrogates included
        found, compared = usernames.skeleton(character), usernames.canonical(character)
        assert found == character or usernames.skeleton(found) == found, hex(ord(character))
        assert compared == character or alike(character, compared), hex(ord(character))
        assert usernames.mixes_scripts(character) in (True, False)


@pytest.mark.parametrize(
    "name",
    [
        "аdmin",
        "pаypal",
        "Aλpha",
        "usеr",
        "abcд",
        "Βob",
        "יוסיjo",
        "µtorrent",
        "ivanиван",
        "김カナ",
        "漢字ㄅカ",
        "ᎪᎠᎷin",
        "анна漢",
        "०१abc",
    ],
)  # Devanagari digits are of their script
def test_letters_of_scripts_not_written_together_are_a_mix(name):
    assert usernames.mixes_scripts(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "admin",
        "müller-42",
        "Ångström_1",
        "иван.петров",
        "Ελένη",
        "田中さくらサクラー",
        "tanaka田中さん",
        "김철수",
        "kim김漢",
        "ㄅㄆ漢字abc",
        "שלום1",
        "عمر٣",
        "ａｄｍｉｎ",
        "123_45",
        "नमस्ते",
        "नि७",
        "e\u0301mile",
        "\U000e0fff\U0010ffff",
    ],
)
def test_what_one_language_writes_is_no_mix(name):
    assert not usernames.mixes_scripts(name)


def test_nothing_that_a_client_can_send_makes_it_fail():
    strings = naughty_strings()
    assert len(strings) > 500
    for text in strings:
        assert 1 <= len(usernames.skeletons(text)) <= 2
        assert usernames.mixes_scripts(text) in (True, False)


@pytest.mark.parametrize(
    "name", ["\ud800", "\x00", "a" * 64 + "\u0301" * 64, "\ufdfa" * 64, "\u3164" * 3]
)
def test_odd_characters_are_no_trouble(name):
    assert all(isinstance(found, str) for found in usernames.skeletons(name))
    assert usernames.mixes_scripts(name) is False
