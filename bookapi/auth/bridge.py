"""ORM sessions over the connection of an operation, until the accounts use Core alone."""

import functools
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session


def with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation of `db.write` that is given a Session in place of the connection (after `self` for a method)."""

    @functools.wraps(function)
    def operation(*args: Any, **kwargs: Any) -> Any:
        at = 0 if hasattr(args[0], "execute") else 1
        if isinstance(args[at], Session):
            return function(*args, **kwargs)
        with Session(
            args[at],
            expire_on_commit=False,
            autoflush=False,
            join_transaction_mode="create_savepoint",
        ) as session:
            result = function(*args[:at], session, *args[at + 1 :], **kwargs)
            session.commit()
            return result

    return operation
