"""Books as the schema loads them."""

import pytest
from marshmallow import ValidationError

from bookapi.books.schemas import book_schema


def loaded(**fields):
    return book_schema.load({"title": "T", **fields})


def errors_of(document, **options):
    with pytest.raises(ValidationError) as failure:
        book_schema.load(document, **options)
    return failure.value.messages


def is_refused(**fields):
    return errors_of({"title": "T", **fields})
