"""Which passwords are refused as easily guessed."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.auth import passwords

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
    "กรุงเทพมหานครอมรรัตนโกสินทร์",
    "모든 인간은 태어날 때부터 자유로우며",
    "שלום לכולם זאת הסיסמה שלי",
    "الكتب نوافذ على العالم كله",
    "η βιβλιοθήκη κοιμάται αργά",
    "mossy lantern under Tuesday",
    "zebra-crossing-at-dawn-42",
    "Nobody expects the third shelf!",
    "kQ7#vTz2!mWx9&bLp",
    "f81d4fae7dec11d0a765",
    "80134759202648165937",
    "umbrella.turnip.glacier.ox",
    "my aunt keeps 3 geese & a harp",
    "1914 letters from Ghent, unsent",
    "vermilion_otter_sleeps_late",
    "hush, the catalogue is dreaming",
    "a" * 60 + " mossy lantern under Tuesday",
    "mossy lantern under Tuesday" + "!" * 90,
]

SPELLINGS = {
    "as it is": str,
    "in capitals": str.upper,
    "each word capitalized": str.title,
    "in full-width letters": lambda text: "".join(chr(ord(letter) + 0xFEE0) for letter in text),
    "digits behind": lambda text: text + "2024",
    "signs behind": lambda text: text + "!?!",
    "padded on both sides": lambda text: f"__1{text}-99 ",
    "spaces around": lambda text: f"  {text}  ",
    "letters as signs": lambda text: text.translate(str.maketrans("aeios", "@3!0$")),
    "letters as digits": lambda text: text.translate(str.maketrans("aeios", "43105")),
    "letters as signs, digits behind": lambda text: (
        text.translate(str.maketrans("aeios", "@3!0$")) + "123"
    ),
}


def is_guessable(password):
    return "guessed" in (passwords.error_in(password, "reader") or "")


@pytest.mark.parametrize(
    "entry", ["passwordpassword", "iloveyouiloveyou", "qazwsxedcrfvtgb", "qwertyuiopasdfgh"]
)
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_common_password_is_refused_in_any_spelling(entry, spelling):
    assert is_guessable(spelling(entry))


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
        "letmeinletmeinletmein",
        "admin123admin123",
        "administrator12345",
        "Summer2024!Summer2024!",
        "парольпарольпароль",
        "密码密码密码密码密码密码密码密码",
        "x" * 128,
        "plokimjunhybgtvfrcdex",
        "1234567890" * 12,
        "qwertyuiop" * 12,
        "password" * 16,
    ],
)
def test_common_passwords_keyboard_runs_and_repetitions_are_refused(password):
    assert is_guessable(password)


@pytest.mark.parametrize("password", PASSPHRASES)
def test_a_passphrase_of_any_script_is_accepted(password):
    assert passwords.error_in(password, "reader") is None


@pytest.mark.parametrize("odd", ["\x00" * 20, "\u0301" * 128, "1" * 20 + "!?", "\u200d" * 20])
def test_odd_characters_are_judged_without_a_failure(odd):
    assert passwords.error_in(odd, "reader")


AMBIGUOUS = "4@8({[<369&#!17|0$5+7%2/"  # each may stand for a letter, several for two


@pytest.mark.slow
@pytest.mark.parametrize(
    "password",
    [
        (AMBIGUOUS * 9)[:128],
        "a" * 40 + (AMBIGUOUS * 4)[:88],
        "1|7!" * 32,
        "aB3$" * 32,
        "(" * 128,
        "\U0001f4da1|7" * 32,
    ],
)
def test_a_hostile_password_costs_little(password):
    """zxcvbn alone takes ten seconds for the first one."""
    begun = time.process_time()
    passwords.error_in(password, "reader")
    assert time.process_time() - begun < 5


def test_parallel_checks_do_not_mix_up_the_words_of_others():
    names = ["zanzibarian", "quixotically"]
    together = threading.Barrier(2)

    def check(number):
        together.wait()
        return {passwords.error_in(names[number] * 2 + "xq", names[number]) for _ in range(30)}

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(check, range(2)))
    assert all(None not in errors for errors in found)
