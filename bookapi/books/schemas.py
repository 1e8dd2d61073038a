"""The book as clients send and get it: every rule of the contract's section 2."""

from typing import Any
from urllib.parse import urlsplit

from marshmallow import RAISE, Schema, ValidationError, fields, validate
from marshmallow.exceptions import SCHEMA

from ..http.problems import MAX_ERRORS, from_validation, invalid, pointer
from ..schemas import Instant, Text, Whole
from .fields import dates, isbn, languages

READ_ONLY = ("id", "version", "created_at", "updated_at")


def _reading(parse):
    """A `read` for a Text whose meaning a function gives that raises ValueError."""

    def read(self, text: str) -> str:
        try:
            return parse(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    return read


class Isbn(Text):
    read = _reading(isbn.parse)


class PartialDate(Text):
    read = _reading(dates.parse)


class Language(Text):
    read = _reading(languages.canonical)


class WebAddress(Text):
    """An absolute http or https URL."""

    def read(self, text: str) -> str:
        try:
            parts = urlsplit(text)
            right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right or any(character.isspace() or character in '<>"{}|\\^`' for character in text):
            raise ValidationError("must be an http or https URL")
        return text


class ListOf(fields.List):
    """A list; null is the empty one."""

    default_error_messages = {"invalid": "must be a list"}

    def __init__(self, inner, longest: int):
        super().__init__(inner, load_default=list)
        self.longest = longest

    def deserialize(self, value: Any, attr=None, data=None, **kwargs):
        if (
            isinstance(value, list) and len(value) > self.longest
        ):  # before its items: there may be half a million
            raise ValidationError(f"may have at most {self.longest} items")
        return super().deserialize([] if value is None else value, attr, data, **kwargs)


class IdentifierSchema(Schema):
    """Another number that the book has somewhere."""

    scheme = Text(
        32,
        required=True,
        validate=validate.Regexp(
            r"[a-z0-9._-]{1,32}\Z", error="must be of the characters a-z, 0-9, . _ and -"
        ),
    )
    value = Text(500, required=True)

    error_messages = {
        "unknown": "is no field of an identifier",
        "type": "must be an object with scheme and value",
    }

    class Meta:
        unknown = RAISE


class Identifier(fields.Nested):
    """An identifier; a further ISBN is checked and kept as thirteen digits, like the first."""

    def __init__(self):
        super().__init__(IdentifierSchema)

    def _deserialize(self, value, attr, data, partial=None, **kwargs):
        identifier = super()._deserialize(
            value, attr, data, partial=False, **kwargs
        )  # a PATCH replaces lists whole
        if identifier["scheme"] == "isbn":
            try:
                identifier["value"] = isbn.parse(identifier["value"])
            except ValueError as error:
                raise ValidationError({"value": [str(error)]}) from None
        return {"scheme": identifier["scheme"], "value": identifier["value"]}


def _optional(kind: type[Text], longest: int) -> Text:
    return kind(longest, allow_none=True, load_default=None)


class BookSchema(Schema):
    """A book, its fields in the contract's order."""

    id = fields.Integer(dump_only=True)
    title = Text(2000, required=True)
    subtitle = _optional(Text, 2000)
    authors = ListOf(Text(500), 100)
    isbn = _optional(Isbn, 100)
    publisher = _optional(Text, 500)
    published = _optional(PartialDate, 100)
    language = _optional(Language, 500)
    series = _optional(Text, 500)
    series_number = _optional(Text, 50)
    edition = _optional(Text, 200)
    pages = Whole(1, 100000, allow_none=True, load_default=None)
    description = _optional(Text, 20000)
    subjects = ListOf(Text(200), 100)
    identifiers = ListOf(Identifier(), 50)
    cover_url = _optional(WebAddress, 2000)
    version = fields.Integer(dump_only=True)
    created_at = Instant(dump_only=True)
    updated_at = Instant(dump_only=True)

    error_messages = {"unknown": "is no field of a book", "type": "must be an object: one book"}

    class Meta:
        unknown = RAISE

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        """Tell a read-only field from an unknown one."""
        for name in READ_ONLY:
            if name in error.messages:
                error.messages[name] = ["is given by the service and cannot be sent"]
        if (
            isinstance(data, dict) and SCHEMA in data
        ):  # the key where marshmallow tells what is no field's error
            error.messages[SCHEMA] = {SCHEMA: error.messages.pop(SCHEMA)}


book_schema = BookSchema()
MAX_AT_ONCE = 1000  # books in one request


def load_all(document: dict) -> list[dict[str, Any]]:
    """The books of ``{"books": […]}``; raises the 422 that names all that is wrong, by its place in the document."""
    given, others = document["books"], [name for name in document if name != "books"]
    if others:
        raise invalid(
            [
                {"field": name, "detail": "stands beside `books`, where nothing else may"}
                for name in others
            ]
        )
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_AT_ONCE:
        raise invalid([{"field": "books", "detail": f"must be a list of 1 to {MAX_AT_ONCE} books"}])
    loaded, errors = [], []
    for place, sent in enumerate(given):
        try:
            loaded.append(book_schema.load(sent))
        except ValidationError as error:
            errors += [placed(place, told) for told in from_validation(error)]
            if len(errors) >= MAX_ERRORS:  # no more are told
                break
    if errors:
        raise invalid(errors)
    return loaded


def placed(place: int, error: dict) -> dict:
    """An error in a book as one in the list of books: with its JSON pointer (RFC 6901) in the document."""
    within = error.get("pointer") or (pointer(error["field"]) if "field" in error else "")
    return {**error, "pointer": f"/books/{place}{within}"}


FIELDS = tuple(book_schema.fields)
WRITABLE = tuple(name for name in FIELDS if name not in READ_ONLY)
LISTS = ("authors", "subjects", "identifiers")
