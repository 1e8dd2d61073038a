"""The names of list items in XML."""

# List → the name of its items.
ITEMS = {
    "authors": "author",
    "subjects": "subject",
    "identifiers": "identifier",
    "books": "book",
    "users": "user",
    "sessions": "session",
    "tokens": "token",
    "events": "event",
    "changes": "change",
    "history": "entry",
    "terms": "term",
    "errors": "error",
    "warnings": "warning",
    "recovery_codes": "code",
}
# Only for writing: the lists in `facets` have the names of fields, which in a book are no lists.
WRITTEN = (
    ITEMS
    | dict.fromkeys(
        ("language", "author", "subject", "publisher", "series", "location", "decade"), "facet"
    )
    | {"ignored": "name", "columns": "column", "counts": "count"}
)

# Lists of books that other programs write: the root, and what each record is called.
RECORDS_OF = {"calibredb": "record"}
