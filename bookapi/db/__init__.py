"""The database: transactions, and every difference between SQLite and MySQL/MariaDB.

`db.write(operation)` is the only way to change anything, `db.read()` the way to read for an answer.
Failures of the database leave here as HTTP exceptions (503, 507, 409), so that nothing above knows
a driver.
"""

from ..timestamps import now
from .advice import explain
from .extension import Base, db
from .failures import FAILURES
from .prepared import fetch, run
from .types import (
    TABLE_OPTIONS,
    AddUp,
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
    "JoinInOrder",
    "JsonList",
    "LongBinary",
    "LongText",
    "TABLE_OPTIONS",
    "apart",
    "db",
    "explain",
    "fetch",
    "in_order_of",
    "json_arrayagg",
    "now",
    "rfc3339",
    "run",
]


init_app = db.init_app
