"""The second factor: codes of an app by time (TOTP, RFC 6238), and recovery codes for who lost it."""

import hashlib
import hmac
import secrets

import pyotp

from ..db import now
from .models import User

ISSUER = "bookapi"
STEP_SECONDS = 30
DRIFT = 1  # steps that a clock may be off, either way (RFC 6238, section 5.2)
RECOVERY_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that looks like another: 4.95 bits each
_RECOVERY_LENGTH = 24


def new_secret() -> str:
    """A secret to share with an app: 160 bits, in Base32."""
    return pyotp.random_base32()


def uri(secret: str, username: str) -> str:
    """What an app reads from a QR code (the Key URI format)."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def new_recovery_codes() -> list[str]:
    """Codes that each work once, in groups of six; 118 bits, so that a plain hash keeps them."""
    codes = [
        "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LENGTH))
        for _ in range(RECOVERY_CODES)
    ]
    return ["-".join(code[at : at + 6] for at in range(0, _RECOVERY_LENGTH, 6)) for code in codes]


def hash_of(recovery_code: str) -> str:
    """The hash to keep of a recovery code, however it is spaced and whatever its case."""
    plain = "".join(character for character in recovery_code.casefold() if character in _ALPHABET)
    return hashlib.sha256(plain.encode()).hexdigest()


def step_of(secret: str, code: str, after: int | None = None) -> int | None:
    """The step of time whose code this is, if it is later than `after`; None for any other code."""
    given = code.replace(" ", "").encode("utf-8", "surrogatepass")
    current = int(now().timestamp()) // STEP_SECONDS
    found = [
        step
        for step in range(current - DRIFT, current + DRIFT + 1)
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step).encode(), given)
    ]
    return next((step for step in found if after is None or step > after), None)


def spend(user: User, code: str) -> str | None:
    """Use up a code of a locked account's second factor: "app" or "recovery", None where it is none of them."""
    step = step_of(user.totp_secret, code, user.totp_step)
    if step is not None:
        user.totp_step = step
        return "app"
    hashed = hash_of(code)
    if hashed in (user.recovery_hashes or []):
        user.recovery_hashes = [other for other in user.recovery_hashes if other != hashed]
        return "recovery"
    return None
