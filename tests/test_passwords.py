"""What a password is, and what keeping it costs."""
import argon2
import pytest

from bookapi.auth import passwords

GOOD = "a long enough password"


def test_the_cost_is_what_owasp_asks_for():
    parameters = argon2.extract_parameters(passwords.PARAMETERS.hash(GOOD))
    assert parameters.type is argon2.Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19 * 1024, 2, 1)


@pytest.mark.parametrize("password", [
    "passwordpassword", "PasswordPassword", "aaaaaaaaaaaaaaaa", "123123123123123123", "abcdefghijklmnop",
    "1234567890123456", "0987654321098765", "qwertyuiopasdfgh", "1qaz2wsx3edc4rfv"])
def test_what_is_easily_guessed_is_refused(password):
    assert "guessed" in passwords.fault(password, "reader")


@pytest.mark.parametrize("password", [GOOD, "correct-horse-battery", "ß" * 7 + "öüäöüäöü", " spaces count here "])
def test_any_other_characters_will_do(password):
    assert passwords.fault(password, "reader") is None
    assert passwords.matches(passwords.make_hash(password), password)


@pytest.mark.parametrize("length, refused", [(14, True), (15, False), (128, False), (129, True)])
def test_the_length_is_counted_in_characters(length, refused):
    password = "".join(chr(0x4E00 + number * 7) for number in range(length))
    assert bool(passwords.fault(password, "reader")) == refused


def test_no_hash_matches_nothing():
    assert not passwords.matches(None, GOOD)
    assert not passwords.matches(passwords.make_hash(GOOD), GOOD + " ")
