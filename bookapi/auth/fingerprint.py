"""A fingerprint of the secret in the audit log, so that replicas with secrets of their own, which
refuse each other's sessions, are noticed.
"""

from sqlalchemy import select

from ..db import db
from . import audit
from .audit import Action
from .models import Event
from .sessions import keyed_digest

LENGTH = 16  # hexadecimal digits

_LAST = (
    select(Event.detail)
    .where(Event.action == Action.SECRET_USED.value)
    .order_by(Event.id.desc())
    .limit(1)
)


def _current() -> str:
    return keyed_digest("fingerprint", "")[:LENGTH]


def _recorded() -> str | None:
    with db.read() as connection:
        found: str | None = connection.scalar(_LAST)
    return found


def secret_fault() -> str | None:
    """Why the secret of this process is not the one that the database is used with, as a message
    for the operator; None where it is, or none is recorded.
    """
    recorded = _recorded()
    if recorded in (None, _current()):
        return None
    return (
        "the secret differs from the one that this database was used with: services with different "
        "secrets refuse each other's sessions"
    )


def record_secret(replace: bool) -> None:
    """Record the fingerprint of this secret, where there is none or, with `replace`, another."""
    recorded = _recorded()
    if recorded is None or (replace and recorded != _current()):
        db.write(audit.record, Action.SECRET_USED, detail=_current())
