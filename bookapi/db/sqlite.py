"""The SQLite of this program: `sqlite3`, the module of pysqlite3 or of Python itself, whichever has
the newer library.

Everything in one process has to take it from here. Two libraries in a process do not see each
other's locks (POSIX drops those of the whole process with any file that is closed), and the errors
of the one are not those of the other.
"""

import sqlite3 as _of_python
from types import ModuleType

_of_its_own: ModuleType
try:
    from pysqlite3 import dbapi2 as _of_its_own
except ImportError:  # there is no wheel for this machine, or it cannot be loaded
    _of_its_own = _of_python

_FIXED = (
    (3, 51, 3),
    (3, 50, 7),
    (3, 44, 6),
)  # the first of all later ones; and two that the fix was brought back to


def newer(one: ModuleType, other: ModuleType) -> ModuleType:
    """The module that has the newer library; the first where both have the same."""
    return max(one, other, key=lambda module: module.sqlite_version_info)


def may_spoil(version: tuple[int, int, int]) -> bool:
    """Whether this SQLite may spoil a file in WAL mode (https://sqlite.org/wal.html#walresetbug)."""
    first, *brought_back = _FIXED
    return (3, 7, 0) <= version < first and not any(
        version[:2] == fixed[:2] and version >= fixed for fixed in brought_back
    )


sqlite3 = newer(_of_python, _of_its_own)
