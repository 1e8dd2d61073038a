"""Why this database may lose or damage acknowledged changes, or refuse them: warnings for its operator.

SQLite is configured by each connection; a server is configured by its admin, and can only be asked.
"""

import os
from pathlib import Path

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .sqlite import may_spoil, sqlite3

_LOST = "acknowledged changes of the last moments may be lost when the server or its machine fails"


def durability_warnings(connection: Connection, max_body: int) -> list[str]:
    """A line for each reason found, with what to do; `max_body`: bytes of the largest body of a request."""
    if connection.dialect.name == "sqlite":
        path = Path(connection.engine.url.database or "")
        return [*library_warnings(sqlite3.sqlite_version_info), *file_warnings(path)]
    try:
        rows = connection.exec_driver_sql("SHOW GLOBAL VARIABLES").all()
    except DBAPIError:
        return []
    return server_warnings({name: value for name, value in rows}, max_body)


def library_warnings(version: tuple[int, int, int]) -> list[str]:
    """The warnings about a version of SQLite."""
    if not may_spoil(version):
        return []
    return [
        f"SQLite {'.'.join(map(str, version))} has a known fault that may, very rarely, damage the "
        "database while several connections change it; install a newer one (pip install pysqlite3)"
    ]


def file_warnings(path: Path) -> list[str]:
    """The warnings about the database file and its folder, in which SQLite creates -wal and -shm."""
    return [
        f"{each} cannot be written by user {os.geteuid()}: its owner is user {each.stat().st_uid}, "
        f"its mode {each.stat().st_mode & 0o7777:04o}; changes will be refused"
        for each in (path, path.parent)
        if not os.access(each, os.W_OK)
    ]


def server_warnings(variables: dict[str, str], max_body: int) -> list[str]:
    """The warnings about a MySQL or MariaDB server; a variable that is missing is taken to be right."""
    flush = variables.get("innodb_flush_log_at_trx_commit", "1")
    sync = variables.get("sync_binlog", "1")
    pages = variables.get("innodb_doublewrite", "ON")
    packet = int(variables.get("max_allowed_packet", max_body))
    found = {
        # 3: MariaDB's, for a whole group of commits
        f"innodb_flush_log_at_trx_commit is {flush}: {_LOST}; set it to 1": flush not in ("1", "3"),
        f"sync_binlog is {sync}: {_LOST}; set it to 1": sync != "1"
        and variables.get("log_bin") in ("ON", "1"),
        f"innodb_doublewrite is {pages}: the database may be damaged when the server's machine "
        "fails, unless its disk writes whole pages; set it to ON": pages
        in ("OFF", "0", "DETECT_ONLY"),
        f"max_allowed_packet is {packet}, less than MAX_BODY_BYTES: large requests will be refused;"
        f" set it to {2 * max_body}": packet < max_body,
        "read_only is ON: changes will be refused; set it to OFF or use another server": variables.get(
            "read_only", "OFF"
        )
        not in ("OFF", "0"),
    }
    return [warning for warning, is_given in found.items() if is_given]
