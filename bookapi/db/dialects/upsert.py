"""Rows that count: inserted, or added to the row that is there."""

from typing import Any

from sqlalchemy import Insert, Integer
from sqlalchemy.ext.compiler import compiles


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
