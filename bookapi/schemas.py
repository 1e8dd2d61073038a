"""The fields of text, numbers and instants that every schema is made of (contract, section 2)."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from marshmallow import ValidationError, fields

from .text import MAX_COMPOSED, clean

MAX_NUMBER = (
    100  # characters, blanks around it included; looked at before NFC, whose time may be a square
)
_INTEGER = re.compile("-?[0-9]{1,18}")


def cleaned(text: str) -> str | None:
    """The stored form of a text; raises ValidationError for what XML cannot carry."""
    try:
        return clean(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class Text(fields.Field):
    """Text in its stored form (NFC, trimmed, empty is null) of at most `longest` code points."""

    default_error_messages = {
        "type": "must be a text",
        "null": "may not be null or empty",
        "required": "is missing",
    }

    def __init__(self, longest: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.longest = longest

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str):
            raise self.make_error("type")
        most = (
            self.longest * MAX_COMPOSED
        )  # looked at before NFC, whose time is the square of a run of accents
        if len(value) > most and len(value.strip()) > most:
            raise ValidationError(f"may have at most {self.longest} characters")
        text = cleaned(value)
        if text is None:
            if not self.allow_none:
                raise self.make_error("null")
            return None
        if len(text) > self.longest:
            raise ValidationError(
                f"may have at most {self.longest} characters, this has {len(text)}"
            )
        return self.read(text)

    def read(self, text: str) -> Any:
        """What this text means; raises ValidationError. Subclasses narrow it."""
        return text


class Verbatim(fields.Field):
    """Text exactly as it was received: a name to look up, a password."""

    default_error_messages = {"type": "must be a text", "required": "is missing"}

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str):
            raise self.make_error("type")
        return value


class Whole(fields.Field):
    """A whole number in a range, exact: an integer, or text of ASCII digits; no fraction, exponent or boolean."""

    def __init__(self, least: int, most: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.least, self.most = least, most

    def _deserialize(self, value, attr, data, **kwargs):
        if isinstance(value, str):
            value = cleaned(value) if len(value) <= MAX_NUMBER else ""
            if value is None and self.allow_none:
                return None
            value = int(value) if _INTEGER.fullmatch(value or "") else None
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValidationError(f"must be a whole number from {self.least} to {self.most}")
        return value


class Truth(fields.Field):
    """true or false; as text, too, for XML knows nothing else."""

    default_error_messages = {"type": "must be true or false", "null": "must be true or false"}

    def _deserialize(self, value, attr, data, **kwargs):
        if value in ("true", "false"):
            return value == "true"
        if type(value) is not bool:
            raise self.make_error("type")
        return value


class OneOf(fields.Field):
    """One of a few words."""

    default_error_messages = {"required": "is missing", "null": "may not be null or empty"}

    def __init__(self, words: Sequence[str], **kwargs: Any):
        super().__init__(**kwargs)
        self.words = words

    def _deserialize(self, value, attr, data, **kwargs):
        if value not in self.words:
            raise ValidationError(f"must be {' or '.join(self.words)}")
        return value


class Instant(fields.Field):
    """An instant, read and written by RFC 3339; written in UTC with microseconds and Z."""

    def _serialize(self, value, attr, obj, **kwargs):
        return None if value is None else rfc3339(value)

    def _deserialize(self, value, attr, data, **kwargs):
        try:
            return instant(value if isinstance(value, str) else "")
        except ValueError as error:
            raise ValidationError(str(error)) from None


def rfc3339(at: datetime) -> str:
    """An instant of UTC, as every answer writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# RFC 3339, section 5.6. A plus sign that nobody percent-encoded arrives as a space.
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+ -])([0-9]{2}):([0-9]{2}))"
)


def instant(text: str) -> datetime:
    """The instant of RFC 3339 that a text names, in UTC; raises ValueError."""
    found = _INSTANT.fullmatch(text)
    try:
        if not found or int(found[3]) > 60 or int(found[6] or 0) > 23 or int(found[7] or 0) > 59:
            raise ValueError
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}:00").replace(tzinfo=UTC)
        at += timedelta(
            seconds=int(found[3]), microseconds=int((found[4] or "0").ljust(6, "0")[:6])
        )  # :60 is a leap
        offset = timedelta(hours=int(found[6] or 0), minutes=int(found[7] or 0))
        return at + offset if found[5] == "-" else at - offset
    except (ValueError, OverflowError):
        raise ValueError("must be an instant of RFC 3339, such as 2024-01-31T12:00:00Z") from None
