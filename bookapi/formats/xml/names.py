"""What the elements of lists are called."""

# What one element of each list is called.
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
# Written alone, for in a book these are no lists: within `facets` one list a field, in a report
# names.
WRITTEN = (
    ITEMS
    | dict.fromkeys(
        ("language", "author", "subject", "publisher", "series", "location", "decade"), "facet"
    )
    | {"ignored": "name", "columns": "column", "counts": "count"}
)

# Lists of books that other programs write: the root, and what each record is called.
RECORDS_OF = {"calibredb": "record"}
