"""Rows as records: the dict of the contract's section 2, made without an ORM object.

A test holds what comes from here equal to what marshmallow dumps.
"""
import orjson
from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute

from ..db import rfc3339
from .models import Book
from .schemas import FIELDS, LISTS

_LISTS_AT = tuple(FIELDS.index(name) for name in LISTS)
_INSTANTS = ("created_at", "updated_at")


def _column(name: str) -> InstrumentedAttribute:
    return rfc3339(getattr(Book, name)) if name in _INSTANTS else getattr(Book, name)


COLUMNS = tuple(_column(name) for name in FIELDS)


def selection(*more) -> Select:
    """The select whose rows `from_row` reads; columns in `more` stand behind the record's own."""
    return select(*COLUMNS, *more)


def from_row(row: tuple) -> dict:
    """The record of a row."""
    record = dict(zip(FIELDS, row))
    for name, position in zip(LISTS, _LISTS_AT):
        text = row[position]
        record[name] = orjson.loads(text) if text != "[]" else []
    return record
