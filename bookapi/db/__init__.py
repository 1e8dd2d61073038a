"""The database: transactions, the state of the catalogue, and every difference between SQLite and
MySQL/MariaDB.

`db.write(operation)` is the only way to change anything, `db.read()` the way to read for an answer.
Failures of the database leave here as HTTP exceptions (503, 507, 409), so that nothing above knows
a driver.
"""

from ..timestamps import now, stored
from .advice import explain
from .dialects.upsert import AddUp
from .extension import Base, db
from .failures import FAILURES, InsufficientStorage, TooSlow, cause, translate
from .prepared import each, fetch, run
from .schema import MIGRATIONS, create_file, schema_error, schema_revisions
from .search import Match, found
from .types import (
    TABLE_OPTIONS,
    BigId,
    Instant,
    JoinInOrder,
    JsonList,
    LongBinary,
    LongText,
    apart,
    in_order_of,
    json_arrayagg,
    rfc3339,
)

__all__ = [
    "AddUp",
    "FAILURES",
    "Base",
    "BigId",
    "Instant",
    "InsufficientStorage",
    "JoinInOrder",
    "JsonList",
    "LongBinary",
    "LongText",
    "MIGRATIONS",
    "Match",
    "TABLE_OPTIONS",
    "TooSlow",
    "apart",
    "cause",
    "create_file",
    "db",
    "explain",
    "each",
    "fetch",
    "found",
    "in_order_of",
    "json_arrayagg",
    "now",
    "rfc3339",
    "run",
    "schema_error",
    "schema_revisions",
    "stored",
    "translate",
]


init_app = db.init_app
