"""Passwords: which are accepted, how they are hashed (argon2id with OWASP's 19 MiB, t=2, p=1) and
compared.
"""

import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..http.load import PROCESSORS, run_in_background
from .usernames import canonical

MIN_LENGTH, MAX_LENGTH = 15, 128  # code points
MIN_SCORE = 3  # of zxcvbn's 0 to 4: at least 10^8 guesses
SERVICE = "bookapi"
MIN_OTHER_LETTERS = 6  # that a password has besides the names in it
MAX_JUDGED = 32  # characters; zxcvbn takes 10 s for 128 that may each stand for several letters

# Tests replace `_hasher` by a cheaper one; PARAMETERS stays.
PARAMETERS = _hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# Hashing releases the interpreter's lock: without this limit, sign-ins could take every processor.
_background = ThreadPoolExecutor(max(1, len(PROCESSORS) // 2), "hashing", run_in_background)


# -- strength --------------------------------------------------------------------------------------


def error_in(password: str, username: str) -> str | None:
    """What is wrong with a new password, or None. It is neither trimmed nor normalized before it is
    hashed.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"must have {MIN_LENGTH} to {MAX_LENGTH} characters"
    if not _is_encodable(password):
        return "contains an unpaired surrogate"
    compared = canonical(password)
    if _is_made_of_names(compared, canonical(username)):
        return "must not be made of the username or the name of this service"
    if _is_run(compared) or not _is_strong(compared, username):
        return "is too easily guessed: it is a common password, a keyboard run or a repetition"
    return None


def _is_made_of_names(password: str, username: str) -> bool:
    rest = password.replace(username, "").replace(SERVICE, "")
    return len(rest) < len(password) and sum(map(str.isalpha, rest)) < MIN_OTHER_LETTERS


# Keys in their order, which zxcvbn rates too high where they wrap around or where a sign stands for
# a letter.
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz" * 2,
    "1234567890" * 4,
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1234567890qwertyuiop",
    "qazwsxedcrfvtgbyhnujmikolp",
    "plokimjunhybgtvfrcdexswzaq",
)
_SIGNS = str.maketrans("@$!", "asi")


def _is_run(password: str) -> bool:
    plain = password.translate(_SIGNS)
    return any(plain in run or plain in run[::-1] for run in _RUNS)


_PADDING = re.compile(r"\A[\W\d_]+")
_judging = threading.Lock()  # zxcvbn keeps the words of its caller in a global dictionary


def _is_strong(password: str, username: str) -> bool:
    """Whether zxcvbn rates the password strong enough, and what is left without the digits and
    signs around it, too.

    zxcvbn rates padding too high (" passwordpassword "). A password is at least as strong as a part
    of it, so the first and last MAX_JUDGED characters are judged, each by itself.
    """
    core = _PADDING.sub("", _PADDING.sub("", password)[::-1])[::-1]
    readings = {password, core} if len(core) >= MIN_LENGTH else {password}
    return all(
        any(
            _score(part, username) >= MIN_SCORE
            for part in {reading[:MAX_JUDGED], reading[-MAX_JUDGED:]}
        )
        for reading in readings
    )


def _score(text: str, username: str) -> int:
    from zxcvbn import zxcvbn  # its lists take 13 MB: only where a password is set

    with _judging:
        return int(zxcvbn(text, [username, SERVICE], max_length=MAX_LENGTH)["score"])


# -- hashes ----------------------------------------------------------------------------------------


def make_hash(password: str) -> str:
    """The hash to keep, with its parameters and salt inside."""
    return _background.submit(_hasher.hash, password).result()


def dummy_hash() -> str:
    """A hash to compare against where there is no account, so that the answer takes as long: its
    salt and digest are zeros, which no password has.
    """
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v=19${costs}${'A' * 22}${'A' * 43}"


def matches(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; False takes as long where there is no hash. What cannot be a
    password is not hashed at its full length.
    """
    possible = len(password) <= MAX_LENGTH and _is_encodable(password)
    compared = (password_hash or dummy_hash(), password if possible else "")
    try:
        verified = _background.submit(_hasher.verify, *compared).result()
    except (VerificationError, InvalidHashError):
        return False
    return verified and possible and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


def random_password() -> str:
    """A random password of 144 bits."""
    return secrets.token_urlsafe(18)


def _is_encodable(password: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in password)
