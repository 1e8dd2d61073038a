"""Timestamps in their forms: aware instants in UTC, the text of RFC 3339 that clients see, and the
text that a database stores."""

import re
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def stored(instant: datetime) -> str:
    """A time in UTC as stored in an Instant column, for parameters without a type."""
    return instant.replace(tzinfo=None).isoformat(" ", "microseconds")


def stored_text(text: str) -> str:
    """The same for a time that `format_timestamp` wrote."""
    return text[:-1].replace("T", " ")


def format_timestamp(at: datetime) -> str:
    """An instant in UTC as every response writes it."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


# RFC 3339, section 5.6. A plus sign that a client did not percent-encode arrives as a space.
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+ -])([0-9]{2}):([0-9]{2}))"
)


def parse_timestamp(text: str) -> datetime:
    """The instant that a text names by RFC 3339, in UTC; raises ValueError."""
    found = _TIMESTAMP.fullmatch(text)
    try:
        if not found or int(found[3]) > 60 or int(found[6] or 0) > 23 or int(found[7] or 0) > 59:
            raise ValueError
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}:00").replace(tzinfo=UTC)
        # A leap second (:60) is the first of the next minute.
        at += timedelta(
            seconds=int(found[3]), microseconds=int((found[4] or "0").ljust(6, "0")[:6])
        )
        offset = timedelta(hours=int(found[6] or 0), minutes=int(found[7] or 0))
        return at + offset if found[5] == "-" else at - offset
    except (ValueError, OverflowError):
        raise ValueError("must be an RFC 3339 timestamp, such as 2024-01-31T12:00:00Z") from None
