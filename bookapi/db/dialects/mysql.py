"""MySQL and MariaDB."""

import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pymysql
from sqlalchemy import Select, event, func
from sqlalchemy.engine import Connection, Engine

from ..prepared import MAX_STATEMENTS, fetch
from ..search import MAX_TOKEN, MIN_TOKEN, TABLE, InnoDbFullText
from .base import Dialect, Watch
from .mysql_heartbeat import Heartbeat

POOL_SIZE = 64  # at least the number of threads: nobody waits for a connection
# Of a value; the default is 1,024, and a key may have 700 characters of four bytes.
SORTED_BYTES = 4096
MAX_ID_BYTES = 16  # of an id in a JSON array, more than enough
MIN_SECONDS = 0.001  # a limit of 0 means that there is none


class MysqlDialect(Dialect):
    shares_commits = False
    looking_costs = 1
    full_text = InnoDbFullText
    # InnoDB empties the cache of its full-text index a moment before what was in it can be read
    # from the table. A search in that moment misses books (seen: 1 of 1,000 with the smallest
    # cache).
    search_is_current = False
    looks_up_fast = False

    def engine_options(self) -> dict[str, Any]:
        session = (
            "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
            "time_zone = '+00:00'",
            f"innodb_lock_wait_timeout = {self.wait}",
            f"lock_wait_timeout = {self.wait}",  # for FLUSH TABLES WITH READ LOCK of a backup tool
            f"max_sort_length = {SORTED_BYTES}",
            "group_concat_max_len = 4294967295",  # of an array, too
        )
        return {
            "pool_size": POOL_SIZE,
            "max_overflow": -1,
            "pool_pre_ping": True,
            "pool_recycle": 1800,
            "hide_parameters": True,
            "isolation_level": "REPEATABLE READ",  # what a read transaction shows is one state
            "connect_args": {
                "charset": "utf8mb4",
                "cursorclass": LimitedCursor,
                "init_command": f"SET SESSION {', '.join(session)}",
                "connect_timeout": self.wait,
            },
        }

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "handle_error", _recognize_galera)
        event.listen(engine, "connect", _opened)

    def limit_silence(self, engine: Engine, seconds: float) -> None:
        # Not for commands: changing a large table takes its time.
        heartbeat = Heartbeat()

        def connect(_: Any, record: Any, args: Any, options: dict[str, Any]) -> Any:
            return heartbeat.connect({**options, "read_timeout": seconds})

        event.listen(engine, "do_connect", connect)
        engine.dispose()
        _, options = engine.dialect.create_connect_args(engine.url)
        heartbeat.start({**options, **self.engine_options()["connect_args"]})

    def search_fault(self, connection: Connection) -> str | None:
        least, most = connection.exec_driver_sql(
            "SELECT @@innodb_ft_min_token_size, @@innodb_ft_max_token_size"
        ).one()
        if least <= MIN_TOKEN and most >= MAX_TOKEN + MIN_TOKEN - 1:
            return None
        return (
            f"the server's full-text index takes words of {least} to {most} characters; set "
            f"innodb_ft_min_token_size to {MIN_TOKEN} and innodb_ft_max_token_size to 84, "
            f"restart it and rebuild the index of {TABLE}"
        )

    def watch(self, engine: Engine) -> Watch:
        pooled: Any = engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        connection.autocommit(True)
        return Watch(connection, engine.dialect)

    def check_writable(self, connection: Connection) -> None:
        # Refused on a read-only server, or where the account may only read; locks no row.
        connection.exec_driver_sql(
            "UPDATE alembic_version SET version_num = version_num WHERE 1 = 0"
        )
        connection.rollback()

    def most_marked(self, connection: Connection) -> int:
        driver: Any = connection.connection.driver_connection
        return int(driver.max_packet) // MAX_ID_BYTES

    def begin_read(self, engine: Engine, seconds: float | None) -> Connection:
        connection = engine.connect()
        driver: Any = connection.connection.driver_connection
        driver.end = None if seconds is None else time.monotonic() + seconds
        return connection

    def begin_write(self, engine: Engine, seconds: float) -> Connection:
        connection = engine.connect()
        # Or nothing would be committed of what ran on the driver's own cursor.
        connection.begin()
        return connection

    def fetch_wide(
        self, connection: Connection, statement: Select[Any], values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        # PyMySQL is written in Python: 22 columns take it thrice the time of one with them as JSON.
        rows = fetch(connection, _as_json(statement), values)
        found: list[list[Any]] = orjson.loads(f"[{','.join([row[0] for row in rows])}]")
        return found

    def end(self, connection: Connection) -> None:
        if not connection.invalidated:
            driver: Any = connection.connection.driver_connection
            if getattr(driver, "end", None) is not None:
                driver.end = None
        connection.close()


@functools.lru_cache(MAX_STATEMENTS)
def _as_json(statement: Select[Any]) -> Select[Any]:
    """The statement with all its columns as one JSON array."""
    return statement.with_only_columns(func.json_array(*statement.selected_columns))


def limited(sql: str, seconds: float, is_mariadb: bool) -> str:
    """A SELECT as one that the server gives up after so many seconds."""
    seconds = max(seconds, MIN_SECONDS)
    if is_mariadb:
        return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {sql}"
    return f"SELECT /*+ MAX_EXECUTION_TIME({seconds * 1000:.0f}) */ {sql.removeprefix('SELECT ')}"


class LimitedCursor(pymysql.cursors.Cursor):
    """Sends with each SELECT how much time is left. The attribute `end` of the connection says when
    the time is over; None: never, as for changes on the same connection. Raises 1153 before a
    statement is sent that is larger than the server takes (`max_packet`): the server would close
    the connection."""

    def execute(self, query: Any, args: Any = None) -> int:
        connection: Any = self.connection
        end = getattr(connection, "end", None)
        if end is not None and query.startswith("SELECT"):
            is_mariadb = "MariaDB" in connection.server_version
            query = limited(query, end - time.monotonic(), is_mariadb)
        query = self.mogrify(query, args)
        most = getattr(connection, "max_packet", math.inf)
        if len(query) * 4 > most:  # characters, of at most four bytes; `executemany` gives bytes
            sent = query.encode() if isinstance(query, str) else query
            if len(sent) >= most:
                raise pymysql.err.OperationalError(
                    1153, f"a statement is larger than max_allowed_packet ({most})"
                )
        return super().execute(query)


def _opened(driver: Any, record: Any) -> None:
    with driver.cursor() as cursor:
        cursor.execute("SHOW VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'wsrep_on')")
        found = dict(cursor.fetchall())
        driver.max_packet = int(found["max_allowed_packet"])
        if found.get("wsrep_on") == "ON":
            _catch_up(cursor)


def _catch_up(cursor: Any) -> None:
    """Wait until this Galera node has what the others have acknowledged: it may have taken over."""
    cursor.execute("SET SESSION wsrep_sync_wait = 1")
    try:
        cursor.execute("SELECT 1")
    except pymysql.err.OperationalError as error:  # 1205 where it has lost the others
        raise pymysql.err.OperationalError(1047, "the node is behind the others") from error
    cursor.execute("SET SESSION wsrep_sync_wait = DEFAULT")


def _recognize_galera(context: Any) -> None:
    """A Galera node that is not ready (1047) is a lost connection; SQLAlchemy does not know its
    code."""
    error = context.original_exception
    if isinstance(error, pymysql.err.MySQLError) and error.args[:1] == (1047,):
        context.is_disconnect = True
