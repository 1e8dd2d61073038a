"""The database: engine, read and write transactions, and every difference between SQLite and MySQL/MariaDB.

`db.write(unit)` is the only way to change anything, `db.read()` the way to read for an answer. Failures of the
database leave here as HTTP exceptions (503, 507, 409), so that nothing above knows a driver.
"""
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pymysql
from flask import Flask, current_app, has_request_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Integer, MetaData, Select, Text, TypeDecorator, event, inspect, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql.functions import FunctionElement
from werkzeug.exceptions import Conflict, HTTPException, ServiceUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
ATTEMPTS = 5  # of a unit that lost a deadlock or its connection
STREAMED_ROWS = 200  # fetched at a time while streaming
POOL_SIZE = 64  # no fewer than any sensible number of threads: nobody waits for a connection


# -- the failures ---------------------------------------------------------------------------------------------

class InsufficientStorage(HTTPException):
    code = 507
    description = "the disk of the service is full; nothing was stored"


def _unavailable() -> ServiceUnavailable:
    return ServiceUnavailable("the database cannot be reached; try again later", retry_after=10)


def _busy() -> ServiceUnavailable:
    return ServiceUnavailable("another change took too long; nothing was stored, try again", retry_after=1)


_DEADLOCK, _LOCK_WAIT = 1213, 1205
_MYSQL_BUSY = {_DEADLOCK, _LOCK_WAIT, 3572}
_MYSQL_FULL = {1021, 1114}
# 1047: a Galera node that is not ready; it is not in SQLAlchemy's own list of disconnects.
_MYSQL_AWAY = {1040, 1047, 1049, 1053, 1146, 2002, 2003, 2006, 2013, 2014, 2055}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_AWAY = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY,
                sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}


def translate(error: Exception) -> HTTPException | None:
    """What a failure of the database is to a client; None where it is a fault of ours."""
    if isinstance(error, IntegrityError):
        return Conflict("this is in conflict with what is stored")
    if isinstance(error, StaleDataError):
        return Conflict("somebody else changed this at the same time; read it again")
    driver = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver, sqlite3.DatabaseError):
        code = getattr(driver, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extension
        if code in _SQLITE_BUSY:
            return _busy()
        if code == sqlite3.SQLITE_FULL:
            return InsufficientStorage()
        return _unavailable() if code in _SQLITE_AWAY or str(driver).startswith("no such table") else None
    if isinstance(driver, pymysql.err.MySQLError):
        code = driver.args[0] if driver.args else 0
        if code in _MYSQL_BUSY:
            return _busy()
        if code in _MYSQL_FULL:
            return InsufficientStorage()
        return _unavailable() if code in _MYSQL_AWAY else None
    return None


def _worth_another_try(error: Exception) -> bool:
    """Whether the whole unit may simply be run again: it lost a deadlock, or the connection before it committed."""
    driver = getattr(error, "orig", None)
    return isinstance(driver, pymysql.err.MySQLError) and (
        getattr(error, "connection_invalidated", False) or driver.args[:1] == (_DEADLOCK,))


# -- types ------------------------------------------------------------------------------------------------------

BigId = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a rowid there
LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")  # TEXT holds 64 KiB; we may need 200
_MYSQL_TABLE = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
# Collations are named nowhere else: text is compared by its folded form, keys byte by byte, on every database.
TABLE_OPTIONS = {f"{dialect}_{name}": value for dialect in ("mysql", "mariadb") for name, value in _MYSQL_TABLE.items()}


class Instant(TypeDecorator):
    """An aware datetime in UTC, to the microsecond. A plain DATETIME drops the fraction on MySQL."""
    impl = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value, dialect):
        return None if value is None else value.replace(tzinfo=UTC)


class JsonList(TypeDecorator):
    """A list of JSON values as text: MySQL's own JSON type reorders the keys of objects."""
    impl = LongText
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value, dialect):
        return None if value is None else orjson.loads(value)


class rfc3339(FunctionElement):
    """An Instant column as the text of RFC 3339 (UTC, microseconds, Z), written by the database itself."""
    type = Text()
    inherit_cache = True


@compiles(rfc3339, "sqlite")
def _rfc3339_on_sqlite(element, compiler, **kw):
    return f"replace({compiler.process(element.clauses, **kw)}, ' ', 'T') || 'Z'"


@compiles(rfc3339, "mysql", "mariadb")
def _rfc3339_on_mysql(element, compiler, **kw):
    return f"date_format({compiler.process(element.clauses, **kw)}, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')"


def now() -> datetime:
    """This instant, aware, in UTC."""
    return datetime.now(UTC)


# -- reading ----------------------------------------------------------------------------------------------------

class Query:
    """A Select compiled once for each dialect and run without SQLAlchemy's result layer, which would cost twice
    what SQLite does. Its columns must be plain ones: text, integers, `rfc3339`, lists still as JSON."""

    def __init__(self, statement: Select):
        self.statement = statement
        self._compiled: dict[str, tuple[str, dict, list | None]] = {}

    def prepare(self, engine: Engine, values: dict[str, Any]) -> tuple[str, list | dict]:
        """The statement as the driver takes it, and its values: in order, or by name where the driver wants that."""
        known = self._compiled.get(engine.dialect.name)
        if known is None:
            made = self.statement.compile(engine)
            known = self._compiled[engine.dialect.name] = (str(made), made.params, made.positiontup)
        sql, defaults, names = known
        if names is None:
            return sql, {**defaults, **values}
        return sql, [values[name] if name in values else defaults[name] for name in names]


class Reader:
    """One read transaction: what it shows is one state of the database."""

    def __init__(self, engine: Engine, connection):
        self.engine, self._connection = engine, connection

    def rows(self, query: Query, **values: Any) -> list[tuple]:
        """All rows of a query that has few."""
        cursor = self._connection.cursor()
        cursor.execute(*query.prepare(self.engine, values))
        rows = cursor.fetchall()
        cursor.close()
        return rows

    def stream(self, query: Query, **values: Any) -> Iterator[tuple]:
        """The rows of a query that may have many, in constant memory."""
        mysql_like = self.engine.dialect.name != "sqlite"
        cursor = self._connection.cursor(*([pymysql.cursors.SSCursor] if mysql_like else []))
        try:
            cursor.execute(*query.prepare(self.engine, values))
            while rows := cursor.fetchmany(STREAMED_ROWS):
                yield from rows
        finally:
            cursor.close()


# -- the extension ------------------------------------------------------------------------------------------------

class Base(DeclarativeBase):
    metadata = MetaData(naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s"})


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with one way to read and one way to write."""

    def init_app(self, app: Flask) -> None:
        url = make_url(app.config["DATABASE_URL"])
        wait = app.config["DATABASE_WAIT_SECONDS"]
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        on_sqlite = url.get_backend_name() == "sqlite"
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = (
            _sqlite_options(Path(url.database), wait, app.extensions) if on_sqlite else _mysql_options(wait))
        super().init_app(app)
        with app.app_context():
            if self.engine.dialect.name == "sqlite":
                event.listen(self.engine, "begin", _begin_on_sqlite)
            else:
                event.listen(self.engine, "handle_error", _know_galera)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A read transaction, for as long as the block runs."""
        try:
            connection = self.engine.raw_connection()
            try:
                if self.engine.dialect.name == "sqlite":
                    connection.driver_connection.execute("BEGIN")
                yield Reader(self.engine, connection)
            finally:
                connection.close()  # the pool rolls back
        except (DBAPIError, sqlite3.Error, pymysql.err.Error) as error:
            _raise_translated(error)

    def write(self, unit: Callable, *args: Any, **kwargs: Any) -> Any:
        """What ``unit(session, …)`` returns, once all it changed is committed; nothing of it if it raises.

        A unit may run more than once (MySQL answers a deadlock so), hence it must not change anything but
        the session. On SQLite it holds the only write lock from its first line (BEGIN IMMEDIATE).
        """
        self.check_file()
        engine = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        for attempt in range(1, ATTEMPTS + 1):
            committing = False
            try:
                with Session(engine, expire_on_commit=False, autoflush=False) as session:
                    result = unit(session, *args, **kwargs)
                    session.flush()
                    committing = True  # lost from here on, nobody knows whether it was stored: not to be run again
                    session.commit()
                return result
            except (DBAPIError, StaleDataError) as error:
                if committing or attempt == ATTEMPTS or not _worth_another_try(error):
                    _raise_translated(error)

    def check_file(self) -> None:
        """503 when the SQLite file is gone or is not the one that was opened: never write beside the catalogue."""
        if self.engine.dialect.name != "sqlite":
            return
        try:
            identity = _identity(self.engine.url.database)
        except OSError:
            raise _unavailable() from None
        if current_app.extensions.get(OPENED_FILE, identity) != identity:
            current_app.logger.error("the database file was replaced while serving; restart the service")
            raise _unavailable()


def _raise_translated(error: Exception) -> None:
    told = translate(error)
    if told is None:
        raise error
    if told.code >= 500 and has_request_context():  # a command tells it on its own one line
        current_app.logger.error("database: %s", getattr(error, "orig", error))
    raise told from error


def cause(error: Exception) -> str:
    """What the driver said, for the operator's eyes: behind an HTTP exception that came from here, or a DBAPIError."""
    told = error if isinstance(error, DBAPIError) else error.__cause__
    return str(getattr(told, "orig", told) or "")


OPENED_FILE = "bookapi.sqlite_file"  # in the application's extensions: which file its first connection opened


def _identity(path: str | Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _sqlite_options(path: Path, wait: int, extensions: dict) -> dict[str, Any]:
    # mode=rw: a missing file is an error, never a new and empty catalogue. Only `create_file` makes one.
    address = f"file:{quote(str(path))}?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)
        extensions.setdefault(OPENED_FILE, _identity(path))
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":  # asking needs no lock, setting does
                connection.execute("PRAGMA journal_mode = WAL")
            # FULL: with NORMAL a power cut may take acknowledged changes back.
            for pragma in ("synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return {"creator": connect, "pool_size": POOL_SIZE, "max_overflow": -1}


def _mysql_options(wait: int) -> dict[str, Any]:
    session = ", ".join(("sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'", "time_zone = '+00:00'",
                         f"innodb_lock_wait_timeout = {wait}"))
    return {"pool_size": POOL_SIZE, "max_overflow": -1, "pool_pre_ping": True, "pool_recycle": 1800,
            "connect_args": {"charset": "utf8mb4", "init_command": f"SET SESSION {session}", "connect_timeout": wait}}


def _begin_on_sqlite(connection) -> None:
    # A plain BEGIN that reads and then writes either loses updates or fails at once as locked.
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _know_galera(context) -> None:
    error = context.original_exception
    if isinstance(error, pymysql.err.MySQLError) and error.args[:1] == (1047,):
        context.is_disconnect = True


db = Database(model_class=Base)


# -- the schema ---------------------------------------------------------------------------------------------------

def create_file() -> None:
    """Make the SQLite file where there is none, readable by its owner alone; others are made by their admins."""
    if db.engine.dialect.name == "sqlite":
        path = Path(db.engine.url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def schema_revisions() -> tuple[str | None, str]:
    """The schema's revision in the database (None: no schema) and the one that this program needs.

    Revisions are numbered by their files, so that a service that serves need not carry Alembic about (10 MB).
    """
    needed = max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    try:
        with db.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None, needed
            return connection.scalar(text("SELECT version_num FROM alembic_version")), needed
    except DBAPIError as error:
        _raise_translated(error)


def init_app(app: Flask) -> None:
    """Give the application its database."""
    db.init_app(app)
