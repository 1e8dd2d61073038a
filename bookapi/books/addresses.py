"""The addresses of books: what may stand in them is an id or an ISBN. Anything else is no such
address: 404.
"""

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
            raise NotFound from None  # werkzeug's own error would let another method's rule answer 405


def init_app(app: Flask) -> None:
    """Teach the application these parts of an address."""
    app.url_map.converters.update(isbn=Isbn)
