"""Every difference between SQLite and MySQL/MariaDB that the program has to know, one module each.

Nothing outside this package and the migrations asks which engine it is: it calls a method of
`Dialect`.
"""

from sqlalchemy.engine import URL

from .base import Dialect, Watch
from .mysql import MysqlDialect
from .sqlite import SqliteDialect

__all__ = ["Dialect", "Watch", "dialect_of"]


def dialect_of(url: URL, wait: int) -> Dialect:
    """The dialect of a database URL; `wait`: seconds to wait for a lock that another connection
    holds."""
    if url.get_backend_name() == "sqlite":
        return SqliteDialect(url, wait)
    return MysqlDialect(url, wait)
