"""What a PUT or PATCH sends of a book: read and validated before the transaction, applied inside
it.

A client may send back what it has read: read-only fields with their stored values change nothing.
docs/api.md, Changing books.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from marshmallow import ValidationError

from .. import formats
from ..http.bodies import deferred_body
from ..http.problems import from_validation, invalid
from ..timestamps import parse_timestamp
from .schemas import READ_ONLY, edit_schema, patch_schema

PRECISION = timedelta(milliseconds=1)  # clients keep no more of a timestamp


class Edit(NamedTuple):
    """Valid values of writable fields, the read-only fields that were sent, and the errors of the
    rest.
    """

    values: dict[str, Any]
    read_only: dict[str, Any]
    errors: list[dict[str, Any]]

    @property
    def version(self) -> int | None:
        """The version that the client has read, if it sent one."""
        return self.read_only.get("version")

    def values_for(self, record: Mapping[str, Any] | None) -> dict[str, Any]:
        """The values to store in this record (None: a new one); 422 where anything that was sent is
        wrong.
        """
        changed = [
            {"field": name, "detail": "is set by the service and cannot be changed"}
            for name, value in self.read_only.items()
            if name != "version" and (record is None or not _is_same(record[name], value))
        ]
        if self.errors or changed:
            raise invalid(self.errors + changed)
        return self.values


def _is_same(stored: int | str, sent: Any) -> bool:
    if isinstance(stored, int):
        return bool(stored == sent)
    return bool(abs(parse_timestamp(stored) - sent) < PRECISION)


def read_edit(partial: bool = False, isbn: str | None = None) -> Edit:
    """The edit in this request's body; `partial`: fields that were not sent stay as they are.

    `isbn`: the one in the address, which the body may repeat.
    """
    try:
        sent = deferred_body()()
    except formats.Invalid as error:
        return Edit({}, {}, error.errors)
    errors: list[dict[str, Any]] = []
    try:
        values = (patch_schema if partial else edit_schema).load(sent)
    except ValidationError as error:
        values = error.valid_data if isinstance(error.valid_data, dict) else {}
        errors = list(from_validation(error))
    read_only = {name: values.pop(name) for name in READ_ONLY if values.get(name) is not None}
    values = {name: value for name, value in values.items() if name not in READ_ONLY}
    if isbn is not None:
        if isinstance(sent, dict) and "isbn" in sent and values.get("isbn", isbn) != isbn:
            errors.append({"field": "isbn", "detail": "must be the ISBN in the address, or absent"})
        values["isbn"] = isbn
    return Edit(values, read_only, errors)
