"""What a stored change is worth here: why this database may lose or spoil what was acknowledged, for its operator.

SQLite is set as it has to be by each connection (`engines`); a server is set by its admin, and can only be asked.
"""

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .sqlite import may_spoil, sqlite3

_LOST = "changes of the last moments may be lost, though acknowledged, when the server or its machine fails"
_ON_DISK = {"1", "3"}  # 3: MariaDB's, for a whole group of commits
_VARIABLES = ("innodb_flush_log_at_trx_commit", "log_bin", "sync_binlog", "innodb_doublewrite")


def warnings(connection: Connection) -> list[str]:
    """Why this database may lose or spoil what was acknowledged, and what to do: a line for each reason found."""
    if connection.dialect.name == "sqlite":
        return of_library(sqlite3.sqlite_version_info)
    return of_server(_variables(connection))


def of_library(version: tuple[int, int, int]) -> list[str]:
    """The warnings about a version of SQLite."""
    if not may_spoil(version):
        return []
    return [
        f"SQLite {'.'.join(map(str, version))} has a known fault that may, very rarely, spoil the database while "
        "several connections change it; install a newer one (pip install pysqlite3) and restart"
    ]


def of_server(variables: dict[str, str]) -> list[str]:
    """The warnings about a server of MySQL or MariaDB; what is not among its variables is taken to be right."""
    told = []
    log = variables.get("innodb_flush_log_at_trx_commit", "1")
    if log not in _ON_DISK:
        told.append(f"innodb_flush_log_at_trx_commit is {log}: {_LOST}; set it to 1")
    binary_log = variables.get("sync_binlog", "1")
    if variables.get("log_bin") in ("ON", "1") and binary_log != "1":
        told.append(f"sync_binlog is {binary_log}: {_LOST}; set it to 1")
    pages = variables.get("innodb_doublewrite", "ON")
    if pages in ("OFF", "0", "DETECT_ONLY"):
        told.append(
            f"innodb_doublewrite is {pages}: the database may be spoilt when the server's machine fails, "
            "unless its disk writes whole pages; set it to ON"
        )
    return told


def _variables(connection: Connection) -> dict[str, str]:
    """Those of the variables that this server has, and shows."""
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    try:
        return dict(
            connection.exec_driver_sql(
                f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"
            ).all()
        )
    except DBAPIError:
        return {}
