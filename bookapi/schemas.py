"""The fields of text, numbers and instants that every schema is made of (contract, section 2)."""
import re
from typing import Any

from marshmallow import ValidationError, fields

from .text import MOST_COMPOSED, clean

_INTEGER = re.compile("-?[0-9]{1,18}")


def cleaned(text: str) -> str | None:
    """The stored form of a text; raises ValidationError for what XML cannot carry."""
    try:
        return clean(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class Text(fields.Field):
    """Text in its stored form (NFC, trimmed, empty is null) of at most `longest` code points."""

    default_error_messages = {"type": "must be a text", "null": "may not be null or empty", "required": "is missing"}

    def __init__(self, longest: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.longest = longest

    def _deserialize(self, value, attr, data, **kwargs):
        if not isinstance(value, str):
            raise self.make_error("type")
        most = self.longest * MOST_COMPOSED  # looked at before NFC, whose time is the square of a run of accents
        if len(value) > most and len(value.strip()) > most:
            raise ValidationError(f"may have at most {self.longest} characters")
        text = cleaned(value)
        if text is None:
            if not self.allow_none:
                raise self.make_error("null")
            return None
        if len(text) > self.longest:
            raise ValidationError(f"may have at most {self.longest} characters, this has {len(text)}")
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
            value = cleaned(value)
            if value is None and self.allow_none:
                return None
            value = int(value) if _INTEGER.fullmatch(value or "") else None
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValidationError(f"must be a whole number from {self.least} to {self.most}")
        return value


class Instant(fields.Field):
    """An instant, written by RFC 3339: UTC, microseconds, Z."""

    def _serialize(self, value, attr, obj, **kwargs):
        return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
