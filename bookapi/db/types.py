"""Column types, and SQL functions that differ between databases."""

from datetime import UTC
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    Join,
    LargeBinary,
    Select,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

BigId = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER is a rowid there
LongText = Text().with_variant(
    mysql.MEDIUMTEXT(), "mysql", "mariadb"
)  # TEXT holds 64 KiB; we may need 200
LongBinary = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_MYSQL_TABLE = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
# The only collation: text is compared by its folded form, keys byte by byte, on every database.
TABLE_OPTIONS = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in _MYSQL_TABLE.items()
}


class Instant(TypeDecorator[Any]):
    """An aware datetime in UTC, to the microsecond. A plain DATETIME drops the fraction on
    MySQL."""

    impl = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else value.replace(tzinfo=UTC)


class JsonList(TypeDecorator[Any]):
    """A list of JSON values as text: MySQL's own JSON type reorders the keys of objects."""

    impl = LongText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else orjson.loads(value)


class rfc3339(FunctionElement[Any]):
    """An Instant column as the text of RFC 3339 (UTC, microseconds, Z), written by the database
    itself."""

    type = Text()
    inherit_cache = True


@compiles(rfc3339, "sqlite")
def _rfc3339_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"replace({compiler.process(element.clauses, **kw)}, ' ', 'T') || 'Z'"


@compiles(rfc3339, "mysql", "mariadb")
def _rfc3339_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"date_format({compiler.process(element.clauses, **kw)}, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')"


class apart(FunctionElement[Any]):
    """A column to sort by without its index.

    SQLite assumes that a quarter of all rows pass any filter, and would scan all books in the order
    of an index instead of sorting the few that pass.
    """

    inherit_cache = True


@compiles(apart, "sqlite")
def _apart_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"+{compiler.process(element.clauses, **kw)}"


@compiles(apart, "mysql", "mariadb")
def _apart_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


def in_order_of(index: str, table: Any, statement: Select[Any]) -> Select[Any]:
    """A statement that reads this index of the table alone. Of several that begin with the same
    column, MySQL 9 may choose one that has another order, and sort all rows."""
    return statement.with_hint(table, f"FORCE INDEX ({index})", "mysql")


class JoinInOrder(Join):
    """A join that is read from left to right: no planner is to guess how few rows are on the
    left. `index`: of the table on the right, which SQLite reads in its place, though a row has its
    number."""

    inherit_cache = False

    def __init__(self, left: Any, right: Any, onclause: Any, index: str = ""):
        super().__init__(left, right, onclause)
        self.index = index


def _join(element: Any, compiler: Any, words: str, then: str = "ON", **kw: Any) -> str:
    left, right, on = (
        compiler.process(part, **kw | {"asfrom": True})
        for part in (element.left, element.right, element.onclause)
    )
    return f"{left} {words} {right} {then} {on}"


@compiles(JoinInOrder, "sqlite")
def _join_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    right = f"INDEXED BY {element.index} ON" if element.index else "ON"
    return _join(element, compiler, "CROSS JOIN", right, **kw)


@compiles(JoinInOrder, "mysql", "mariadb")
def _join_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    return _join(element, compiler, "STRAIGHT_JOIN", **kw)


class json_arrayagg(FunctionElement[Any]):
    """All values of a column as one JSON array: sooner read than so many rows. NULL or `[]` where
    there are none."""

    type = Text()
    inherit_cache = True


@compiles(json_arrayagg, "sqlite")
def _json_arrayagg_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **kw)})"


@compiles(json_arrayagg, "mysql", "mariadb")
def _json_arrayagg_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_arrayagg({compiler.process(element.clauses, **kw)})"
