"""Requests to POST /books/import, and their reports."""

import pytest

from bookapi import formats
from helpers.books import EMPTY
from helpers.documents import TYPES, read

KINDS = {**TYPES, "csv": "text/csv", "jsonl": "application/x-ndjson"}
SECOND = {
    **EMPTY,
    "title": "Persuasion",
    "authors": ["Jane Austen"],
    "identifiers": [{"scheme": "n", "value": "2"}],
}
NASTY = {
    **EMPTY,
    "title": "=1+1",
    "subtitle": "'- a | b",
    "description": "a\r\nb\n\n<c> & \u2028\ud7ff\U0010fffd",
    "subjects": ["a | b", "|", "\\|"],
    "identifiers": [{"scheme": "n", "value": "3: | \\|"}],
}
COUNTS = ("read", "created", "updated", "unchanged", "rejected")
each = pytest.mark.parametrize("name", KINDS)


def post_import(
    client, body, name="jsonl", content_type=None, answer="json", headers=(), **parameters
):
    """The answer to an import of bytes of that format, asked for in JSON."""
    return client.post(
        "/books/import",
        data=body,
        content_type=content_type or KINDS[name],
        query_string=parameters,
        headers={"Accept": TYPES[answer], **dict(headers)},
    )


def body_of(name, *records):
    """Records as an export has them."""
    fields = tuple(records[0]) if records else ("title",)
    return b"".join(formats.by_name(name).write(records, fields))


def counts(answer):
    assert answer.status_code == 200, answer.get_data()
    return tuple(int(read(answer)[name]) for name in COUNTS)


def is_refused(answer, status):
    """A problem of that status, in the format that was asked for."""
    assert answer.status_code == status, answer.get_data()
    assert (
        answer.mimetype.startswith("application/problem+") and int(read(answer)["status"]) == status
    )
    return True
