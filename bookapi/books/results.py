"""What the catalogue returns beside a book, as schemas: docs/api.md, Lists, Changing books and
Importing.

They check nothing: OpenAPI and the XSD are made from them, and tests hold every response to those.
"""

from marshmallow import Schema, fields

from ..schemas import (
    MAX_INTEGER,
    MAX_LIMIT,
    Anything,
    Boolean,
    Choice,
    Integer,
    LinksSchema,
    ListOf,
    Timestamp,
    Verbatim,
    about,
    document,
    register_list,
)
from .imports.report import MAX_REPORTED
from .queries.listing import FACETS
from .schemas import BookSchema

ACTIONS = ("created", "updated", "deleted", "restored")


def _number(meaning: str, minimum: int = 0, **more: bool) -> Integer:
    return Integer(minimum, MAX_INTEGER, metadata=about(meaning, **more))


class TermSchema(Schema):
    """A value with the number of books that have it."""

    value = Verbatim(metadata=about("the value, as most books spell it"))
    count = _number("the books that have it", 1)


class FacetSchema(TermSchema):
    """A value with the number of books of the list that have it."""


FacetsSchema = Schema.from_dict(
    {name: ListOf(FacetSchema, MAX_LIMIT, metadata=about(name, sparse=True)) for name in FACETS},
    name="Facets",
)
FacetsSchema.__doc__ = "The commonest values among the books of a list."


class ListedBookSchema(BookSchema):
    """A book in a list, with the fields that `fields` chose."""

    partial_result, xml_type = True, "Book"


@document("catalogue")
class CatalogueSchema(Schema):
    """A list of books. An export has the books alone."""

    books = ListOf(ListedBookSchema, MAX_INTEGER)
    total = Integer(0, MAX_INTEGER, metadata=about("books in all", sparse=True))
    limit = Integer(1, MAX_LIMIT, metadata=about("books on a page at most", sparse=True))
    facets = fields.Nested(FacetsSchema, metadata=about("those that were asked for", sparse=True))
    links = fields.Nested(LinksSchema, metadata=about("the page and its neighbours", sparse=True))


class FieldChangeSchema(Schema):
    """A field that was changed."""

    field = Verbatim(metadata=about("the name of the field"))
    before = Anything(allow_none=True, metadata=about("its value before"))
    after = Anything(allow_none=True, metadata=about("its value since"))


class EntrySchema(Schema):
    """A change of a book."""

    seq = _number("the number of the change", 1)
    at = Timestamp(metadata=about("when it was made"))
    action = Choice(ACTIONS, metadata=about("what was done"))
    version = _number("the version of the book since", 1)
    username = Verbatim(allow_none=True, metadata=about("who did it; null: the command line"))
    changes = ListOf(FieldChangeSchema, MAX_LIMIT, metadata=about("the fields that differ"))


class ChangeSchema(Schema):
    """An entry of the change feed."""

    seq = _number("the number of the change: grows with each, never repeats", 1)
    at = Timestamp(metadata=about("when it was made"))
    action = Choice(ACTIONS, metadata=about("what was done"))
    book_id = _number("the number of the book", 1)
    version = _number("the version of the book since", 1)


@document("changes")
class ChangesSchema(Schema):
    """A page of the change feed."""

    changes = ListOf(ChangeSchema, MAX_LIMIT, metadata=about("oldest first"))
    links = fields.Nested(LinksSchema)


class IssueSchema(Schema):
    """What is wrong with a record of an import, or was left out of it."""

    record = _number("the record, from 1; none: the whole file", 1, sparse=True)
    line = _number("the line where the record begins", 1, sparse=True)
    kind = Verbatim(metadata=about("what it is, in one word"))
    field = Verbatim(metadata=about("the field", sparse=True))
    value = Verbatim(metadata=about("what could not be read", sparse=True))
    detail = Verbatim(metadata=about("what is wrong"))


class IssueCountSchema(Schema):
    """How often something was wrong."""

    kind = Verbatim(metadata=about("what it is, in one word"))
    field = Verbatim(metadata=about("the field", sparse=True))
    count = _number("how often", 1)


class ColumnSchema(Schema):
    """A column of the file, and the field that it is read as."""

    column = Verbatim(metadata=about("the column's name"))
    field = Verbatim(allow_none=True, metadata=about("the field; none: left aside"))


@document("report")
class ReportSchema(Schema):
    """What an import did, or would have done."""

    read = _number("records in the file")
    created = _number("new books")
    updated = _number("books that were changed")
    unchanged = _number("records that agree with their book")
    rejected = _number("records that were not stored")
    stored = Boolean(metadata=about("whether anything was stored"))
    profile = Verbatim(allow_none=True, metadata=about("the program that wrote the file"))
    encoding = Verbatim(metadata=about("the encoding that it was read in"))
    delimiter = Verbatim(allow_none=True, metadata=about("what separates its cells"))
    columns = ListOf(ColumnSchema, MAX_REPORTED, metadata=about("what became of each column"))
    errors = ListOf(IssueSchema, MAX_REPORTED, metadata=about("why records were rejected"))
    warnings = ListOf(IssueSchema, MAX_REPORTED, metadata=about("what was left out"))
    counts = ListOf(IssueCountSchema, MAX_REPORTED, metadata=about("the full number of each kind"))
    ignored = ListOf(Verbatim(), MAX_REPORTED, metadata=about("columns that were left aside"))


register_list("history", EntrySchema)
register_list("terms", TermSchema)
