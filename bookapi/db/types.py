"""Column types, and SQL that each database writes in its own way."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    DateTime,
    Insert,
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
# TEXT holds 64 KiB; we may need 200.
LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
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


# -- SQL that each database writes in its own way --------------------------------------------------


def _as(form: str) -> Callable[..., str]:
    """A compiler of constructs: `form` with the arguments in the place of {}."""

    def write(element: Any, compiler: Any, **kw: Any) -> str:
        return form.format(compiler.process(element.clauses, **kw))

    return write


class rfc3339(FunctionElement[Any]):
    """An Instant column as the text of RFC 3339 (UTC, microseconds, Z), written by the database
    itself."""

    type = Text()
    inherit_cache = True


compiles(rfc3339, "sqlite")(_as("replace({}, ' ', 'T') || 'Z'"))
compiles(rfc3339, "mysql", "mariadb")(_as("date_format({}, '%%Y-%%m-%%dT%%H:%%i:%%s.%%fZ')"))


class apart(FunctionElement[Any]):
    """A column to sort by without its index.

    SQLite assumes that a quarter of all rows pass any filter, and would scan all books in the order
    of an index instead of sorting the few that pass.
    """

    inherit_cache = True


compiles(apart, "sqlite")(_as("+{}"))
compiles(apart, "mysql", "mariadb")(_as("{}"))


class json_arrayagg(FunctionElement[Any]):
    """All values of a column as one JSON array: sooner read than so many rows. NULL or `[]` where
    there are none."""

    type = Text()
    inherit_cache = True


compiles(json_arrayagg, "sqlite")(_as("json_group_array({})"))
compiles(json_arrayagg, "mysql", "mariadb")(_as("json_arrayagg({})"))


def in_order_of(index: str, table: Any, statement: Select[Any]) -> Select[Any]:
    """A statement that reads this index of the table alone. Of several that begin with the same
    column, MySQL 9 may choose one that has another order, and sort all rows."""
    return statement.with_hint(table, f"FORCE INDEX ({index})", "mysql")


class JoinInOrder(Join):
    """A join that is read from left to right, whatever the planner guesses about the number of rows
    on the left. `index`: an index of the table on the right that SQLite reads instead of the
    table."""

    inherit_cache = False

    def __init__(self, left: Any, right: Any, onclause: Any, index: str = ""):
        super().__init__(left, right, onclause)
        self.index = index


def _parts(element: Any, compiler: Any, **kw: Any) -> list[str]:
    parts = (element.left, element.right, element.onclause)
    return [compiler.process(part, **kw | {"asfrom": True}) for part in parts]


@compiles(JoinInOrder, "sqlite")
def _join_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    left, right, on = _parts(element, compiler, **kw)
    index = f" INDEXED BY {element.index}" if element.index else ""
    return f"{left} CROSS JOIN {right}{index} ON {on}"


@compiles(JoinInOrder, "mysql", "mariadb")
def _join_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    left, right, on = _parts(element, compiler, **kw)
    return f"{left} STRAIGHT_JOIN {right} ON {on}"


class AddUp(Insert):
    """An INSERT. Where there is a row with this primary key already, numbers are added to those of
    that row, and the smaller texts stay."""

    inherit_cache = False

    def changes(self, new: str, smaller: str) -> str:
        """The assignments; `new`: how a value is written that was to be inserted."""
        others: Any = [column for column in self.table.columns if not column.primary_key]
        return ", ".join(
            f"{column.name} = {column.name} + {new.format(column.name)}"
            if isinstance(column.type, Integer)
            else f"{column.name} = {smaller}({column.name}, {new.format(column.name)})"
            for column in others
        )


@compiles(AddUp, "sqlite")
def _add_up_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    inserted = compiler.visit_insert(element, **kw)
    keys = ", ".join(column.name for column in element.table.primary_key)
    return f"{inserted} ON CONFLICT ({keys}) DO UPDATE SET {element.changes('excluded.{}', 'min')}"


@compiles(AddUp, "mysql", "mariadb")
def _add_up_on_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    inserted = compiler.visit_insert(element, **kw)
    return f"{inserted} ON DUPLICATE KEY UPDATE {element.changes('VALUES ({})', 'least')}"
