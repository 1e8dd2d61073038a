"""The book as clients send and get it. docs/api.md, A book."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from marshmallow import RAISE, Schema, ValidationError, fields, validate
from marshmallow.exceptions import SCHEMA

from ..http.problems import MAX_ERRORS, from_validation, invalid, messages_of, pointer
from ..schemas import (
    MAX_INTEGER,
    Integer,
    JsonSchema,
    ListOf,
    Text,
    Timestamp,
    about,
    document,
)
from .fields import dates, isbn, languages

MAX_AT_ONCE = 1000  # books in one request
READ_ONLY = ("id", "version", "created_at", "updated_at")


class Parsed(Text):
    """A text that a function parses, which raises ValueError."""

    parser: Callable[[str], str]

    def parse(self, text: str) -> str:
        try:
            return type(self).parser(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Isbn(Parsed):
    parser = staticmethod(isbn.parse)
    more: ClassVar[JsonSchema] = {"format": "isbn"}


class PartialDate(Parsed):
    parser = staticmethod(dates.parse)
    more: ClassVar[JsonSchema] = {
        "format": "partial-date",
        "pattern": "^-?[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$",
    }


class Language(Parsed):
    parser = staticmethod(languages.canonical)
    more: ClassVar[JsonSchema] = {"format": "language-tag"}


class WebAddress(Text):
    """An absolute http or https URL."""

    more: ClassVar[JsonSchema] = {"format": "uri"}

    def parse(self, text: str) -> str:
        try:
            parts = urlsplit(text)
            right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            right = False
        if not right or any(character.isspace() or character in '<>"{}|\\^`' for character in text):
            raise ValidationError("must be an http or https URL")
        return text


class IdentifierSchema(Schema):
    """Another number that the book has somewhere."""

    scheme = Text(
        32,
        required=True,
        metadata=about("whose number it is; isbn: a further ISBN of the book"),
        validate=validate.Regexp(
            r"[a-z0-9._-]{1,32}\Z", error="may only have the characters a-z, 0-9, . _ and -"
        ),
    )
    value = Text(500, required=True, metadata=about("the number"))

    error_messages = {
        "unknown": "is not a field of an identifier",
        "type": "must be an object with scheme and value",
    }

    class Meta:
        unknown = RAISE


class Identifier(fields.Nested):
    """An identifier; a further ISBN is checked and kept as thirteen digits, like the first."""

    default_error_messages = {"null": IdentifierSchema.error_messages["type"]}

    def __init__(self) -> None:
        super().__init__(IdentifierSchema)

    def _deserialize(
        self,
        value: Any,
        attr: str | None,
        data: Mapping[str, Any] | None,
        partial: Any = None,
        **kwargs: Any,
    ) -> dict[str, str]:
        # A PATCH replaces lists whole.
        identifier: dict[str, str] = super()._deserialize(value, attr, data, False, **kwargs)
        if identifier["scheme"] == "isbn":
            try:
                identifier["value"] = isbn.parse(identifier["value"])
            except ValueError as error:
                raise ValidationError({"value": [str(error)]}) from None
        return {"scheme": identifier["scheme"], "value": identifier["value"]}


def _optional(kind: type[Text], max_length: int, meaning: str) -> Text:
    return kind(max_length, allow_none=True, load_default=None, metadata=about(meaning))


def _count(minimum: int, meaning: str) -> Integer:
    return Integer(minimum, 100_000, allow_none=True, load_default=None, metadata=about(meaning))


_READ_ONLY = {
    "id": about("the number of the book, given by the service"),
    "version": about("1, and one more with every change"),
    "created_at": about("when the book was added"),
    "updated_at": about("when the book was last changed"),
}


@document("book")
class BookSchema(Schema):
    """A book. The order of its fields is that of every response. Read-only fields can't be sent."""

    id = Integer(1, MAX_INTEGER, dump_only=True, metadata=_READ_ONLY["id"])
    title = Text(2000, required=True, metadata=about("the title"))
    subtitle = _optional(Text, 2000, "the subtitle")
    authors = ListOf(Text(500), 100, metadata=about("the names of the authors, in order"))
    isbn = _optional(Isbn, 100, "ISBN-10 or ISBN-13, hyphens allowed; returned as 13 digits")
    publisher = _optional(Text, 500, "the publisher")
    published = _optional(PartialDate, 100, "YYYY, YYYY-MM or YYYY-MM-DD; - before years before 0")
    language = _optional(Language, 500, "BCP 47 tag, returned in its canonical form")
    series = _optional(Text, 500, "the series")
    series_number = _optional(Text, 50, "the number in the series")
    edition = _optional(Text, 200, "the edition")
    pages = _count(1, "the number of pages")
    description = _optional(Text, 20000, "a description")
    subjects = ListOf(Text(200), 100, metadata=about("subjects"))
    identifiers = ListOf(Identifier(), 50, metadata=about("numbers that the book has elsewhere"))
    cover_url = _optional(WebAddress, 2000, "http or https address of a picture of the cover")
    location = _optional(Text, 200, "where it stands: room, shelf, branch")
    call_number = _optional(Text, 100, "its mark on the shelf")
    copies = _count(0, "the number of copies")
    version = Integer(1, MAX_INTEGER, dump_only=True, metadata=_READ_ONLY["version"])
    created_at = Timestamp(dump_only=True, metadata=_READ_ONLY["created_at"])
    updated_at = Timestamp(dump_only=True, metadata=_READ_ONLY["updated_at"])

    example: ClassVar[dict[str, Any]] = {
        "title": "Emma",
        "authors": ["Jane Austen"],
        "isbn": "9780141439587",
        "published": "1815-12",
        "language": "en",
        "pages": 512,
        "subjects": ["Fiction"],
        "identifiers": [{"scheme": "goodreads", "value": "6969"}],
    }
    error_messages = {"unknown": "is not a field of a book", "type": "must be an object: a book"}

    class Meta:
        unknown = RAISE

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        """Say of a read-only field that it is one: to marshmallow it is an unknown field."""
        messages = messages_of(error)
        for name in READ_ONLY:
            if name in messages and self.fields[name].dump_only:
                messages[name] = ["is set by the service and cannot be sent"]
        # An unknown field of this very name would be taken for errors of the whole.
        if isinstance(data, dict) and SCHEMA in data:
            messages[SCHEMA] = {SCHEMA: messages.pop(SCHEMA)}


class EditSchema(BookSchema):
    """A book that is changed: read-only fields may be sent back. null is "not sent"."""

    id = Integer(1, MAX_INTEGER, allow_none=True, metadata=_READ_ONLY["id"])
    # One that no book can have is another one than the stored one, too.
    version = Integer(-MAX_INTEGER, MAX_INTEGER, allow_none=True, metadata=_READ_ONLY["version"])
    created_at = Timestamp(allow_none=True, metadata=_READ_ONLY["created_at"])
    updated_at = Timestamp(allow_none=True, metadata=_READ_ONLY["updated_at"])


class BooksSchema(Schema):
    """Books to add together; `load_all` reads them."""

    books = ListOf(BookSchema, MAX_AT_ONCE, required=True)


class PatchSchema(EditSchema):
    """What is to change of a book; null clears."""

    example: ClassVar[dict[str, Any]] = {"pages": 474, "location": "room 2, shelf 5"}


book_schema, edit_schema, books_schema = BookSchema(), EditSchema(), BooksSchema()
patch_schema = PatchSchema(partial=True)


def load_all(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The books of ``{"books": […]}``; raises the 422 that lists every error, by its place in the
    document.
    """
    given, others = document["books"], [name for name in document if name != "books"]
    if others:
        raise invalid([{"field": name, "detail": "is not allowed beside books"} for name in others])
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_AT_ONCE:
        raise invalid([{"field": "books", "detail": f"must be a list of 1 to {MAX_AT_ONCE} books"}])
    loaded, errors = [], []
    for index, sent in enumerate(given):
        try:
            loaded.append(book_schema.load(sent))
        except ValidationError as error:
            errors += [located(index, fault) for fault in from_validation(error)]
            if len(errors) >= MAX_ERRORS:
                break
    if errors:
        raise invalid(errors)
    return loaded


def located(index: int, error: dict[str, Any]) -> dict[str, Any]:
    """An error in a book as one in a list of books: with its JSON pointer (RFC 6901) in the
    document.
    """
    within = error.get("pointer") or (pointer(error["field"]) if "field" in error else "")
    return {**error, "pointer": f"/books/{index}{within}"}


FIELDS = tuple(book_schema.fields)
WRITABLE = tuple(name for name in FIELDS if name not in READ_ONLY)
LISTS = ("authors", "subjects", "identifiers")
