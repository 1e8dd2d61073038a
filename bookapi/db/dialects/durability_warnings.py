"""Why this database may lose or damage acknowledged changes, or refuse them: warnings for its
operator. SQLite is configured by each connection; a server by its admin, so it is asked.
"""

import os
from pathlib import Path

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from ..sqlite import may_spoil, sqlite3

_LOST = "acknowledged changes of the last moments may be lost when the server or its machine fails"
_TORN = "the database may be damaged when the machine fails, unless its disk writes whole pages"
_VARIABLES = {  # of a server: the values that are right, and the risk of any other
    # 3: MariaDB's, for a whole group of commits
    "innodb_flush_log_at_trx_commit": (("1", "3"), f"{_LOST}; set it to 1"),
    "sync_binlog": (("1",), f"{_LOST}; set it to 1"),
    "innodb_doublewrite": (("ON", "1", "fast", "DETECT_AND_RECOVER"), f"{_TORN}; set it to ON"),
    "read_only": (("OFF", "0"), "changes will be refused; set it to OFF or use the primary"),
}


def durability_warnings(connection: Connection, max_body: int) -> list[str]:
    """A line for each reason, with what to do; `max_body`: bytes of the largest request body."""
    if connection.dialect.name == "sqlite":
        path = Path(connection.engine.url.database or "")
        return [*library_warnings(sqlite3.sqlite_version_info), *file_warnings(path)]
    try:
        rows = map(tuple, connection.exec_driver_sql("SHOW GLOBAL VARIABLES").all())
    except DBAPIError:
        return []
    return server_warnings(dict(rows), max_body)


def library_warnings(version: tuple[int, int, int]) -> list[str]:
    """The warnings about a version of SQLite."""
    fault = "has a known fault that may, very rarely, damage the database while several connections"
    name = f"SQLite {'.'.join(map(str, version))}"
    warning = f"{name} {fault} change it; install a newer one (pip install pysqlite3)"
    return [warning] if may_spoil(version) else []


def file_warnings(path: Path) -> list[str]:
    """The warnings about the file and its folder, which gets the -wal and -shm files."""
    return [
        f"{each} cannot be written by user {os.geteuid()}: its owner is user {each.stat().st_uid}, "
        f"its mode {each.stat().st_mode & 0o7777:04o}; changes will be refused"
        for each in (path, path.parent)
        if not os.access(each, os.W_OK)
    ]


def server_warnings(variables: dict[str, str], max_body: int) -> list[str]:
    """The warnings about a MySQL or MariaDB server; a missing variable is taken as right."""
    if variables.get("log_bin") not in ("ON", "1"):
        variables = variables | {"sync_binlog": "1"}
    found = [
        f"{name} is {variables[name]}: {risk}"
        for name, (right, risk) in _VARIABLES.items()
        if name in variables and variables[name] not in right
    ]
    if int(variables.get("max_allowed_packet", max_body)) < max_body:
        less = f"max_allowed_packet is {variables['max_allowed_packet']}, less than MAX_BODY_BYTES"
        found.append(f"{less}: large requests will be refused; set it to {2 * max_body}")
    return found
