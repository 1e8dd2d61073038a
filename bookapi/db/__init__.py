"""The database: transactions, the state of the catalogue, and every difference between SQLite and MySQL/MariaDB.

`db.write(unit)` is the only way to change anything, `db.read()` the way to read for an answer. Failures of the
database leave here as HTTP exceptions (503, 507, 409), so that nothing above knows a driver.
"""

from flask import Flask

from .extension import ATTEMPTS, Base, db
from .failures import InsufficientStorage, cause, translate
from .reading import Query, Reader
from .schema import MIGRATIONS, create_file, schema_error, schema_revisions
from .search import Match, found
from .state import Catalogue, State, locked
from .turns import shares_commit, waits_for
from .types import TABLE_OPTIONS, BigId, Instant, JsonList, LongText, apart, now, rfc3339, stored
from .writing import Work, Writer

__all__ = [
    "ATTEMPTS",
    "Base",
    "BigId",
    "Catalogue",
    "Instant",
    "InsufficientStorage",
    "JsonList",
    "LongText",
    "MIGRATIONS",
    "Match",
    "Query",
    "Reader",
    "State",
    "TABLE_OPTIONS",
    "Work",
    "Writer",
    "apart",
    "cause",
    "create_file",
    "db",
    "found",
    "locked",
    "now",
    "rfc3339",
    "schema_error",
    "schema_revisions",
    "shares_commit",
    "stored",
    "translate",
    "waits_for",
]


def init_app(app: Flask) -> None:
    """Give the application its database."""
    db.init_app(app)
