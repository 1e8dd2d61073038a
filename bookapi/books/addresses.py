"""The addresses of books, by id or by ISBN. Anything else in their place is a 404."""

from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

from ..http.routing import base_url
from .fields import isbn


def address(book_id: int) -> str:
    """The address of a book."""
    return f"{base_url('/books')}/{book_id}"


class Isbn(BaseConverter):
    """An ISBN in any spelling; the view gets its thirteen digits."""

    def to_python(self, value: str) -> str:
        try:
            return isbn.parse(value)
        except ValueError:
            # werkzeug's own error would let the rule of another method answer 405.
            raise NotFound from None


def init_app(app: Flask) -> None:
    """Teach the application these parts of an address."""
    app.url_map.converters.update(isbn=Isbn)
