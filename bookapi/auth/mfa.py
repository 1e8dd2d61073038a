"""The second factor: time-based codes of an app (TOTP, RFC 6238), and recovery codes for when the
app is lost.
"""

import hashlib
import hmac
import secrets
from typing import Any

import pyotp
from sqlalchemy import update
from sqlalchemy.engine import Connection

from ..db import now
from .models import Account, User

ISSUER = "bookapi"
STEP_SECONDS = 30
MAX_DRIFT = 1  # steps that a clock may be off, either way (RFC 6238, section 5.2)
RECOVERY_CODES = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # 4.95 bits each; none looks like another
_RECOVERY_LENGTH = 24


def new_secret() -> str:
    """A secret to share with an app: 160 bits, in Base32."""
    return pyotp.random_base32()


def uri(secret: str, username: str) -> str:
    """The Key URI that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def new_recovery_codes() -> list[str]:
    """Codes that each work once, in groups of six characters; 118 bits, so that a plain hash is
    enough.
    """
    codes = [
        "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_LENGTH))
        for _ in range(RECOVERY_CODES)
    ]
    return ["-".join(code[at : at + 6] for at in range(0, _RECOVERY_LENGTH, 6)) for code in codes]


def hash_of(recovery_code: str) -> str:
    """The hash to keep of a recovery code, whatever its case and separators."""
    plain = "".join(character for character in recovery_code.casefold() if character in _ALPHABET)
    return hashlib.sha256(plain.encode()).hexdigest()


def step_of(secret: str, code: str, after: int | None = None) -> int | None:
    """The time step whose code this is, if it is later than `after`; None for any other code."""
    given = code.replace(" ", "").encode("utf-8", "surrogatepass")
    current = int(now().timestamp()) // STEP_SECONDS
    found = [
        step
        for step in range(current - MAX_DRIFT, current + MAX_DRIFT + 1)
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step).encode(), given)
    ]
    return next((step for step in found if after is None or step > after), None)


def spend(connection: Connection, user: Account, code: str) -> str | None:
    """Use up a code of an account whose row is locked. Returns how it was proved, "app" or
    "recovery, N left"; None for a wrong code.
    """
    change: dict[str, Any]
    step = step_of(user.totp_secret, code, user.totp_step)
    hashes = user.recovery_hashes or []
    if step is not None:
        proof, change = "app", {"totp_step": step}
    elif hash_of(code) in hashes:
        left = [other for other in hashes if other != hash_of(code)]
        proof, change = f"recovery, {len(left)} left", {"recovery_hashes": left}
    else:
        return None
    connection.execute(update(User).where(User.id == user.id).values(**change))
    return proof
