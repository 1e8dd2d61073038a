"""What may stand in a book's address: an id or an ISBN. Anything else is no such address: 404."""
from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

from . import isbn


class BookId(BaseConverter):
    """A positive integer of ASCII digits that the database can hold, written in one way only."""
    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number >= 2 ** 63:
            raise NotFound
        return number


class Isbn(BaseConverter):
    """An ISBN in any spelling; the view gets its thirteen digits."""

    def to_python(self, value: str) -> str:
        try:
            return isbn.parse(value)
        except ValueError:
            raise NotFound from None  # werkzeug's own error would let another method's rule answer 405


def init_app(app: Flask) -> None:
    """Teach the application these parts of an address."""
    app.url_map.converters.update(book_id=BookId, isbn=Isbn)
