"""bookapi: a book catalogue service for small teams."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app import BookApi

__version__ = "0.1.0"


def create_app(settings: Mapping[str, Any] | None = None) -> "BookApi":
    """The application. `settings` (names without BOOKAPI_) override the environment.

    It is loaded here and not before: the supervisor of `bookapi serve` does without it.
    """
    from . import factory

    return factory.create_app(settings)
