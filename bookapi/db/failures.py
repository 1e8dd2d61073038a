"""Database errors: the HTTP exception for each (503, 507, 409, 413), and whether an operation runs
again."""

from typing import NoReturn

import pymysql
from flask import current_app, has_request_context
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import Conflict, HTTPException, RequestEntityTooLarge, ServiceUnavailable

from .sqlite import sqlite3


class FileFault(Exception):
    """A SQLite file may not be written: it is not the one that was opened, or belongs to another
    user. The message is for the operator."""


FAILURES = (DBAPIError, sqlite3.Error, pymysql.err.Error, FileFault)


class InsufficientStorage(HTTPException):
    code = 507
    description = "the disk of the service is full; nothing was stored"


class TooLarge(RequestEntityTooLarge):
    """413: a statement is larger than max_allowed_packet."""

    description = "this is larger than the database takes; send less at once"


class Unavailable(ServiceUnavailable):
    """503: the database cannot be used."""

    def __init__(self) -> None:
        super().__init__("the database cannot be reached; try again later", retry_after=10)


class Lost(Unavailable):
    """503: the connection to the database was lost. A new one may work at once: another node of a
    cluster takes over."""


class Busy(ServiceUnavailable):
    """503: another change holds the lock for too long."""

    def __init__(self) -> None:
        super().__init__(
            "another change took too long; nothing was stored, try again", retry_after=1
        )


class TooSlow(ServiceUnavailable):
    """503: a query took longer than QUERY_SECONDS. `less`: what to ask for in its place."""

    def __init__(self, less: str = "fewer facets, a narrower search"):
        super().__init__(f"the query took too long; ask for less ({less})", retry_after=10)


# The account has no such right; the server is read-only.
MYSQL_DENIED, MYSQL_READ_ONLY = (1044, 1045, 1142, 1143, 1227, 1698), (1290, 1792, 1836)
_MYSQL: dict[int, type[HTTPException]] = {
    # 1213: a deadlock; 1020: a conflict where innodb_snapshot_isolation is ON, the default of
    # MariaDB from 11.6.2.
    **dict.fromkeys((1020, 1205, 1213), Busy),
    # 1969: MariaDB; 3024 and, if interrupted during execution, 1317: MySQL; 188: InnoDB in a
    # full-text search.
    **dict.fromkeys((188, 1317, 1969, 3024), TooSlow),
    **dict.fromkeys((1021, 1114), InsufficientStorage),
    1153: TooLarge,
    # 1047: a Galera node that is not ready; it is not in SQLAlchemy's own list of disconnects.
    **dict.fromkeys((1047, 1927, 2006, 2013, 2014, 2045, 2055, 4031), Lost),
    **dict.fromkeys((1040, 1049, 1053, 1146, 2002, 2003), Unavailable),
    **dict.fromkeys((*MYSQL_DENIED, *MYSQL_READ_ONLY), Unavailable),
}
_SQLITE: dict[int, type[HTTPException]] = {
    **dict.fromkeys((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), Busy),
    sqlite3.SQLITE_INTERRUPT: TooSlow,
    sqlite3.SQLITE_FULL: InsufficientStorage,
    **dict.fromkeys(
        (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_PERM,
            sqlite3.SQLITE_NOMEM,
        ),
        Unavailable,
    ),
}


def translate(error: BaseException | None) -> HTTPException | None:
    """The HTTP exception for a database error; None for an error of this program."""
    if isinstance(error, StaleDataError):
        return Conflict("somebody else changed this at the same time; read it again")
    driver = driver_error(error)
    if isinstance(driver, (sqlite3.IntegrityError, pymysql.err.IntegrityError)):
        return Conflict("this is in conflict with what is stored")
    made: type[HTTPException] | None = None
    if isinstance(driver, FileFault):
        made = Unavailable
    elif isinstance(driver, sqlite3.DatabaseError):
        code = getattr(driver, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        made = _SQLITE.get(code & 0xFF)  # the primary code
        if str(driver).startswith("no such table"):
            made = Unavailable
    elif isinstance(driver, pymysql.err.InterfaceError):
        made = Lost
    elif isinstance(driver, pymysql.err.MySQLError):
        made = _MYSQL.get(driver.args[0] if driver.args else 0)
    return made() if made else None


def driver_error(error: BaseException | None) -> BaseException | None:
    """The error of the driver, which SQLAlchemy wraps."""
    return error.orig if isinstance(error, DBAPIError) else error


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection was lost."""
    return isinstance(translate(error), Lost)


def worth_another_try(error: BaseException) -> bool:
    """Whether the operation may run again: a conflict, a lock wait, or a connection lost before the
    commit."""
    return isinstance(translate(error), (Busy, Lost))


def raise_translated(error: Exception, hint: str | None = None) -> NoReturn:
    """Raise the HTTP exception for a database error, and log the error with `hint`; raise an error
    of this program unchanged."""
    translated = translate(error)
    if translated is None:
        raise error
    if (translated.code or 500) >= 500 and has_request_context():  # a command prints it itself
        words = dict.fromkeys((str(driver_error(error)), hint))
        current_app.logger.error("database: %s", "; ".join(word for word in words if word))
    raise translated from error


def cause(error: Exception) -> BaseException | None:
    """The driver's error, for the operator: of a DBAPIError, or the cause of an HTTP exception
    that was raised here."""
    return driver_error(error if isinstance(error, DBAPIError) else error.__cause__)
