"""`sqlite3`: the module of pysqlite3 or of Python, whichever has the newer library.

Import it from here only: two SQLite libraries in one process break each other's locks
(https://sqlite.org/howtocorrupt.html, Multiple copies of SQLite linked into the same application).
"""

import sqlite3 as _standard
from types import ModuleType

_pysqlite3: ModuleType
try:
    from pysqlite3 import dbapi2 as _pysqlite3
except ImportError:  # there is no wheel for this machine, or it cannot be loaded
    _pysqlite3 = _standard

_FIXED, _BACKPORTED = (3, 51, 3), ((3, 50, 7), (3, 44, 6))


def newer(one: ModuleType, other: ModuleType) -> ModuleType:
    """The module that has the newer library; the first where both have the same."""
    return max(one, other, key=lambda module: module.sqlite_version_info)


def may_spoil(version: tuple[int, int, int]) -> bool:
    """Whether this version may damage a file in WAL mode
    (https://sqlite.org/wal.html#walresetbug)."""
    return (3, 7, 0) <= version < _FIXED and not any(
        version[:2] == fixed[:2] and version >= fixed for fixed in _BACKPORTED
    )


sqlite3 = newer(_standard, _pysqlite3)
