"""What may stand in a book's address: an id or an ISBN. Anything else is no such address: 404."""
from flask import Flask
from werkzeug.routing import BaseConverter, ValidationError

from . import isbn


class BookId(BaseConverter):
    """A positive integer of ASCII digits that the database can hold, written in one way only."""
    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number >= 2 ** 63:
            raise ValidationError
        return number


class Isbn(BaseConverter):
    """An ISBN in any spelling; the view gets its thirteen digits."""

    def to_python(self, value: str) -> str:
        try:
            return isbn.parse(value)
        except ValueError:
            raise ValidationError from None


def init_app(app: Flask) -> None:
    """Teach the application these parts of an address."""
    app.url_map.converters.update(book_id=BookId, isbn=Isbn)
