"""The marshmallow fields that every schema is made of, and the registry of the documents made of
them. docs/api.md, A book: texts, integers, timestamps.

OpenAPI, the JSON Schema and the XSD are made from the same schemas (site/contract/): `json_schema`
of a field is its type and bounds, its `description` the meaning. In what is sent, `required` is
checked; in what is returned it says that the field is never left out.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields

from .text import MAX_COMPOSED, clean
from .timestamps import format_timestamp, parse_timestamp

MAX_INTEGER = 2**63 - 1
MAX_LIMIT = 100  # items on a page
MAX_URL = 8192  # characters
MAX_DIGITS = 100  # characters of an integer as text, with blanks around it
_INTEGER = re.compile("-?[0-9]{1,19}")


JsonSchema = dict[str, Any]

# Root element → schema of the results with this root; filled by `document`.
DOCUMENTS: dict[str, Schema] = {}


def document(root: str) -> Callable[[type[Schema]], type[Schema]]:
    """Register a schema as that of the results whose root element in XML has this name."""

    def register(schema: type[Schema]) -> type[Schema]:
        DOCUMENTS[root] = schema()
        return schema

    return register


def cleaned(text: str) -> str | None:
    """The stored form of a text; raises ValidationError for what can't be stored."""
    try:
        return clean(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class Text(fields.Field[Any]):
    """Text in its stored form (NFC, trimmed, empty is null) of at most `max_length` code points."""

    default_error_messages = {
        "type": "must be a string",
        "null": "must not be null or empty",
        "required": "is required",
    }
    more: ClassVar[JsonSchema] = {}  # format, pattern

    def __init__(self, max_length: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_length = max_length

    def json_schema(self) -> JsonSchema:
        """Its type and bounds."""
        least = {} if self.allow_none else {"minLength": 1}
        return {"type": "string", **least, "maxLength": self.max_length, **self.more}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        if not isinstance(value, str):
            raise self.make_error("type")
        # Checked before NFC, which takes long for long texts and makes at most so many characters
        # one.
        most = self.max_length * MAX_COMPOSED
        if len(value) > most and len(value.strip()) > most:
            raise ValidationError(f"must have at most {self.max_length} characters")
        text = cleaned(value)
        if text is None:
            if not self.allow_none:
                raise self.make_error("null")
            return None
        if len(text) > self.max_length:
            raise ValidationError(
                f"must have at most {self.max_length} characters, this has {len(text)}"
            )
        return self.parse(text)

    def parse(self, text: str) -> Any:
        """The value that this text stands for; raises ValidationError. For subclasses."""
        return text


class Verbatim(fields.Field[str]):
    """Text exactly as it was received: a username to look up, a password."""

    default_error_messages = {
        "type": "must be a string",
        "null": "must not be null or empty",
        "required": "is required",
    }

    def json_schema(self) -> JsonSchema:
        """Its type."""
        return {"type": "string"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str):
            raise self.make_error("type")
        return value


class Integer(fields.Field[int | None]):
    """An integer in a range, exact: a JSON integer or ASCII digits; no fraction, exponent or
    boolean.
    """

    def __init__(self, minimum: int, maximum: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    def json_schema(self) -> JsonSchema:
        """Its type and bounds."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int | None:
        if isinstance(value, str):
            text = cleaned(value) if len(value) <= MAX_DIGITS else ""
            if text is None and self.allow_none:
                return None
            value = int(text) if _INTEGER.fullmatch(text or "") else None  # type: ignore[arg-type]
        if type(value) is not int or not self.minimum <= value <= self.maximum:
            raise ValidationError(f"must be an integer from {self.minimum} to {self.maximum}")
        return value


class Boolean(fields.Field[bool]):
    """true or false, as text too: XML has nothing else."""

    default_error_messages = {"type": "must be true or false", "null": "must be true or false"}

    def json_schema(self) -> JsonSchema:
        """Its type."""
        return {"type": "boolean"}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if value in ("true", "false"):
            return bool(value == "true")
        if type(value) is not bool:
            raise self.make_error("type")
        return value


class Choice(fields.Field[str]):
    """One of a few words."""

    default_error_messages = {"required": "is required", "null": "must not be null or empty"}

    def __init__(self, choices: Sequence[str], **kwargs: Any):
        super().__init__(**kwargs)
        self.choices = choices

    def json_schema(self) -> JsonSchema:
        """Its values."""
        return {"type": "string", "enum": [*self.choices]}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if value not in self.choices:
            raise ValidationError(f"must be {' or '.join(self.choices)}")
        return str(value)


class Timestamp(fields.Field[datetime | None]):
    """An instant by RFC 3339; written in UTC with microseconds and Z."""

    def json_schema(self) -> JsonSchema:
        """Its format."""
        return {"type": "string", "format": "date-time"}

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format_timestamp(value)

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime | None:
        if value == "" and self.allow_none:
            return None
        try:
            return parse_timestamp(value if isinstance(value, str) else "")
        except ValueError as error:
            raise ValidationError(str(error)) from None


class ListOf(fields.List[Any]):
    """A list; null is the empty one."""

    default_error_messages = {"invalid": "must be a list"}

    def __init__(self, inner: fields.Field[Any] | type[Schema], max_items: int, **kwargs: Any):
        inner = inner if isinstance(inner, fields.Field) else fields.Nested(inner)
        if not kwargs.get("required"):
            kwargs["load_default"] = list
        super().__init__(inner, **kwargs)
        self.max_items = max_items

    def deserialize(
        self,
        value: Any,
        attr: str | None = None,
        data: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        # Before its items, of which there may be half a million.
        if isinstance(value, list) and len(value) > self.max_items:
            raise ValidationError(f"must have at most {self.max_items} items")
        return super().deserialize([] if value is None else value, attr, data, **kwargs)


class Anything(fields.Raw):
    """A value of any field: text, a number, a list; null where there is none."""


def about(description: str, **more: Any) -> dict[str, Any]:
    """Metadata of a field for the documents. `sparse`: results may be without it."""
    return {"description": description, **more}


class LinksSchema(Schema):
    """The addresses of this page of a list and its neighbours; those that there are."""

    self = Text(MAX_URL, metadata=about("this page"))
    first = Text(MAX_URL, metadata=about("the first page", sparse=True))
    prev = Text(MAX_URL, metadata=about("the previous page; none on the first", sparse=True))
    next = Text(MAX_URL, metadata=about("the next page; none on the last", sparse=True))
    last = Text(MAX_URL, metadata=about("the last page", sparse=True))


def register_list(root: str, item: type[Schema]) -> None:
    """Register pages of `item` as the document of this root, which is the list's name, too."""
    page: dict[str, fields.Field[Any]] = {
        root: ListOf(item, MAX_LIMIT),
        "total": Integer(0, MAX_INTEGER, metadata=about("items on all pages")),
        "limit": Integer(1, MAX_LIMIT, metadata=about("items on a page at most")),
        "links": fields.Nested(LinksSchema),
    }
    made = Schema.from_dict(page, name=root.title())
    made.__doc__ = f"A page of the {root}."
    document(root)(made)
