"""What happened at the door, as admins read it."""

import functools

from sqlalchemy import Select, String, bindparam, func, select

from ..db import db, rfc3339
from .models import Event

FIELDS = ("id", "at", "action", "username", "actor", "address", "request_id", "detail")


def read(
    limit: int, offset: int, action: str | None, username: str | None
) -> tuple[list[dict], int]:
    """A page of the events, of one action or about one account where these are given, newest first; and how many there
    are on all pages."""
    given = {
        name: value
        for name, value in (("action", action), ("username", username))
        if value is not None
    }
    number, page = _queries(tuple(given))
    with db.read() as connection:
        [(total,)] = connection.execute(number, given).all()
        rows = connection.execute(page, {**given, "limit": limit, "offset": offset}).all()
    return [dict(zip(FIELDS, row)) for row in rows], total


@functools.cache
def _queries(names: tuple[str, ...]) -> tuple[Select, Select]:
    """The queries for the number and for a page of the events that have values of these names."""

    def chosen(selection: Select) -> Select:
        return selection.where(
            *[getattr(Event, name) == bindparam(name, type_=String()) for name in names]
        )

    columns = [rfc3339(Event.at) if name == "at" else getattr(Event, name) for name in FIELDS]
    page = (
        select(*columns)
        .order_by(Event.id.desc())
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
    )
    return chosen(select(func.count()).select_from(Event)), chosen(page)
