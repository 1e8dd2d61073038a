"""Requests that are sent again with their Idempotency-Key."""

import pytest

from helpers.books import FULL, OTHER
from helpers.documents import TYPES, write

LIST = {"books": [{"title": "a", "isbn": OTHER}, {"title": "b"}]}
REQUESTS = {
    "book": ("/books", FULL, "book"),
    "list": ("/books", LIST, "catalogue"),
    "restore": ("/books/1/restore", {}, "book"),
}
each = pytest.mark.parametrize("what", REQUESTS)


def post(
    client,
    key,
    document=FULL,
    name="json",
    address="/books",
    root="book",
    content_type=None,
    **headers,
):
    """The answer to a POST with a key (None: without one)."""
    own = {} if key is None else {"Idempotency-Key": key}
    return client.post(
        address,
        data=write(name, document, root),
        content_type=content_type or TYPES[name],
        headers={"Accept": TYPES[name], **own, **headers},
    )


def request(client, key, what, name="json", **headers):
    """The answer to one of REQUESTS with a key."""
    address, document, root = REQUESTS[what]
    return post(client, key, document, name, address, root, **headers)
