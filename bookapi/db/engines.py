"""How connections are made and begin: the pragmas of SQLite, the session of MySQL/MariaDB."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql

from .sqlite import sqlite3

SORTED_BYTES = 4096  # of a value; by default 1,024, and a key may have 700 characters of four bytes
POOL_SIZE = 64  # no fewer than any sensible number of threads: nobody waits for a connection
# FULL: with NORMAL a power cut may take acknowledged changes back.
PRAGMAS = ("synchronous = FULL", "foreign_keys = ON")
OPENED_FILE = (
    "bookapi.sqlite_file"  # in the application's extensions: which file its first connection opened
)


def identity(path: str | Path) -> tuple[int, int]:
    """Which file this is, whatever it is called."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def sqlite_options(path: Path, wait: int, extensions: dict) -> dict[str, Any]:
    """The options of an engine on this file; `wait`: seconds for another one's lock."""
    # mode=rw: a missing file is an error, never a new and empty catalogue. Only `create_file` makes one.
    address = f"file:{quote(str(path))}?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False
        )
        extensions.setdefault(OPENED_FILE, identity(path))
        try:
            if (
                connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal"
            ):  # asking needs no lock, setting does
                connection.execute("PRAGMA journal_mode = WAL")
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return {"module": sqlite3, "creator": connect, "pool_size": POOL_SIZE, "max_overflow": -1}


def mysql_options(wait: int) -> dict[str, Any]:
    """The options of an engine on MySQL/MariaDB; `wait`: seconds for another one's lock."""
    session = ", ".join(
        (
            "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
            "time_zone = '+00:00'",
            f"innodb_lock_wait_timeout = {wait}",
            f"max_sort_length = {SORTED_BYTES}",
        )
    )
    return {
        "pool_size": POOL_SIZE,
        "max_overflow": -1,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "connect_args": {
            "charset": "utf8mb4",
            "init_command": f"SET SESSION {session}",
            "connect_timeout": wait,
        },
    }


def begin_on_sqlite(connection) -> None:
    """Begin as the connection's option `begin` says, where that was not done by hand."""
    if not connection.connection.driver_connection.in_transaction:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def know_galera(context) -> None:
    """A Galera node that is not ready is as good as gone; SQLAlchemy does not know its code."""
    error = context.original_exception
    if isinstance(error, pymysql.err.MySQLError) and error.args[:1] == (1047,):
        context.is_disconnect = True
