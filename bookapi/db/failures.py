"""Database errors: the HTTP exception for each (503, 507, 409, 413), and whether an operation runs
again."""

from typing import NoReturn

import pymysql
from flask import current_app, has_request_context
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import (
    Conflict,
    HTTPException,
    RequestEntityTooLarge,
    ServiceUnavailable,
)

from .sqlite import sqlite3


class FileFault(Exception):
    """A SQLite file may not be written: it is not the one that was opened, or belongs to another
    user. The message is for the operator."""


FAILURES = (DBAPIError, sqlite3.Error, pymysql.err.Error, FileFault)


class InsufficientStorage(HTTPException):
    code = 507
    description = "the disk of the service is full; nothing was stored"


def unavailable() -> ServiceUnavailable:
    """503: the database cannot be used."""
    return ServiceUnavailable("the database cannot be reached; try again later", retry_after=10)


class Lost(ServiceUnavailable):
    """503: the connection to the database was lost. A new one may work at once: another node of a
    cluster takes over."""

    def __init__(self) -> None:
        super().__init__(unavailable().description, retry_after=10)


def busy() -> ServiceUnavailable:
    """503: another change holds the lock for too long."""
    return ServiceUnavailable(
        "another change took too long; nothing was stored, try again", retry_after=1
    )


class TooSlow(ServiceUnavailable):
    """503: a query took longer than QUERY_SECONDS. `less`: what to ask for in its place."""

    def __init__(self, less: str = "fewer facets, a narrower search"):
        super().__init__(f"the query took too long; ask for less ({less})", retry_after=10)


# 1020: a conflict where innodb_snapshot_isolation is ON, the default of MariaDB from 11.6.2; 1213:
# a deadlock.
_CONFLICTS, _LOCK_WAIT = {1020, 1213}, 1205
_MYSQL_BUSY = {*_CONFLICTS, _LOCK_WAIT, 3572}
_MYSQL_TOO_LARGE = 1153  # than max_allowed_packet
# The account has no such right (1044, 1045, 1142, 1143, 1227, 1698), or the server is read-only
# (1290, 1792, 1836).
_MYSQL_REFUSED = {1044, 1045, 1142, 1143, 1227, 1290, 1698, 1792, 1836}
_MYSQL_FULL = {1021, 1114}
# 1969: MariaDB; 3024 and, if interrupted during execution, 1317: MySQL; 188: InnoDB in a full-text
# search.
_MYSQL_SLOW = {188, 1317, 1969, 3024}
# 1047: a Galera node that is not ready; it is not in SQLAlchemy's own list of disconnects.
_MYSQL_LOST = {1047, 1927, 2006, 2013, 2014, 2045, 2055, 4031}
_MYSQL_AWAY = _MYSQL_LOST | _MYSQL_REFUSED | {1040, 1049, 1053, 1146, 2002, 2003}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_SQLITE_AWAY = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
}


def translate(error: Exception) -> HTTPException | None:
    """The HTTP exception for a database error; None for an error of this program."""
    if isinstance(error, StaleDataError):
        return Conflict("somebody else changed this at the same time; read it again")
    driver = _of_driver(error)
    if isinstance(driver, (sqlite3.IntegrityError, pymysql.err.IntegrityError)):
        return Conflict("this is in conflict with what is stored")
    if isinstance(driver, FileFault):
        return unavailable()
    if isinstance(driver, sqlite3.DatabaseError):
        code = getattr(driver, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code
        if code in _SQLITE_BUSY:
            return busy()
        if code == sqlite3.SQLITE_INTERRUPT:
            return TooSlow()
        if code == sqlite3.SQLITE_FULL:
            return InsufficientStorage()
        return (
            unavailable()
            if code in _SQLITE_AWAY or str(driver).startswith("no such table")
            else None
        )
    if isinstance(driver, pymysql.err.MySQLError):
        code = driver.args[0] if driver.args else 0
        if code in _MYSQL_BUSY:
            return busy()
        if code in _MYSQL_SLOW:
            return TooSlow()
        if code in _MYSQL_FULL:
            return InsufficientStorage()
        if code == _MYSQL_TOO_LARGE:
            return RequestEntityTooLarge(
                "this is larger than the database takes; send less at once"
            )
        return unavailable() if code in _MYSQL_AWAY else None
    return None


def _of_driver(error: BaseException | None) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def is_lost(error: BaseException | None) -> bool:
    """Whether the connection was lost."""
    driver = _of_driver(error)
    return isinstance(driver, pymysql.err.InterfaceError) or (
        isinstance(driver, pymysql.err.MySQLError)
        and bool(driver.args)
        and driver.args[0] in _MYSQL_LOST
    )


def worth_another_try(error: BaseException) -> bool:
    """Whether the operation may run again: a conflict, a lock wait, or a connection lost before the
    commit."""
    driver = _of_driver(error)
    return is_lost(error) or (
        isinstance(driver, pymysql.err.MySQLError)
        and driver.args[:1] != ()
        and driver.args[0] in {*_CONFLICTS, _LOCK_WAIT}
    )


def raise_translated(error: Exception, hint: str | None = None) -> NoReturn:
    """Raise the HTTP exception for a database error, and log the error with `hint`; raise an error
    of this program unchanged."""
    translated = Lost() if is_lost(error) else translate(error)
    if translated is None:
        raise error
    if (translated.code or 500) >= 500 and has_request_context():  # a command prints it itself
        words = dict.fromkeys((str(getattr(error, "orig", error)), hint))
        current_app.logger.error("database: %s", "; ".join(word for word in words if word))
    raise translated from error


def cause(error: Exception) -> str:
    """The driver's message, for the operator: of a DBAPIError, or of the cause of an HTTP exception
    raised here."""
    failure = error if isinstance(error, DBAPIError) else error.__cause__
    return str(getattr(failure, "orig", failure) or "")
