"""Passwords: what is taken, how they are kept (argon2id, OWASP's 19 MiB, t=2, p=1) and compared."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from . import common
from .usernames import canonical

SHORTEST, LONGEST = 15, 128  # code points
PARAMETERS = _hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# Compared against when there is no such account, so that the answer takes as long.
_DUMMY_HASH = _hasher.hash(secrets.token_urlsafe())


def fault(password: str, username: str) -> str | None:
    """What is wrong with a new password, or None. It is taken exactly as it was received."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"must have {SHORTEST} to {LONGEST} characters"
    if not _encodable(password):
        return "may not hold half a surrogate pair"
    if _is_made_of_names(canonical(password), canonical(username)):
        return "may not be made of the username or the name of this service"
    if _easily_guessed(password.casefold()):
        return "is too easily guessed: something short repeated, or a run along the keyboard"
    if common.is_common(password):
        return "is too easily guessed: it is one of those that everybody tries first"
    return None


SERVICE = "bookapi"
_OWN = 6  # letters that a password must have beside the names in it


def _is_made_of_names(password: str, username: str) -> bool:
    rest = password.replace(username, "").replace(SERVICE, "")
    return len(rest) < len(password) and sum(character.isalpha() for character in rest) < _OWN


_RUNS = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "1234567890" * 4,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1234567890qwertyuiop",
)


def _easily_guessed(password: str) -> bool:
    """What lists of common passwords have at this length: a short text again and again, or keys in their order."""
    repeated = any(password[period:] == password[:-period] for period in range(1, 9))
    return repeated or any(password in run or password in run[::-1] for run in _RUNS)


def _encodable(password: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in password)


def make_hash(password: str) -> str:
    """The hash to keep, with its parameters and salt inside."""
    return _hasher.hash(password)


def matches(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; without a hash as slowly False. What can be no password is not hashed at length."""
    possible = len(password) <= LONGEST and _encodable(password)
    try:
        return (
            _hasher.verify(password_hash or _DUMMY_HASH, password if possible else "")
            and possible
            and password_hash is not None
        )
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than those of now."""
    return _hasher.check_needs_rehash(password_hash)


def random_password() -> str:
    """A password that nobody guesses: 144 bits."""
    return secrets.token_urlsafe(18)
