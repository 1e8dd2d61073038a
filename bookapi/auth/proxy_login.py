"""Sign-in at the proxy: PROXY_USER_HEADER names an account, and the trusted proxy vouches for it.

An active account of that name is signed in for this request with its own role; none is created. The
header is believed in `http/proxy.py` alone.
"""

import threading
from contextlib import suppress

from cachetools import TTLCache
from flask import Flask, current_app, request
from sqlalchemy import bindparam, select
from werkzeug.exceptions import HTTPException

from ..db import db, fetch
from ..http.problems import Problem
from ..http.proxy import USER
from . import audit, usernames
from .audit import Action
from .models import User
from .permissions import ACCOUNT, SignedIn

RECENT = "bookapi.proxy_logins"  # in the application's extensions
MAX_RECENT = 10_000  # names

_BY_NAME = select(*ACCOUNT).where(User.name_key == bindparam("name_key"), User.active)


class _Recent:
    """What was recorded within the idle time of a session: one event per request is too many."""

    def __init__(self, seconds: int):
        self._keys: TTLCache[tuple[str, ...], bool] = TTLCache(MAX_RECENT, seconds)
        self._lock = threading.Lock()

    def __contains__(self, key: tuple[str, ...]) -> bool:
        with self._lock:
            return key in self._keys

    def add(self, key: tuple[str, ...]) -> None:
        with self._lock:
            self._keys[key] = True


def load() -> SignedIn | None:
    """The account that the trusted proxy names; None where it names none. Raises 403 where there is
    no active account of that name.
    """
    given: str | None = request.environ.get(USER)
    if given is None:
        return None
    name = given.encode("latin-1").decode("utf-8", "replace")
    account = _find(name)
    if account is None:
        _record(Action.PROXY_LOGIN_REFUSED, name)
        raise Problem(403, "who signed in at the proxy has no active account here")
    signed_in = SignedIn.of(account, "")
    _record(Action.PROXY_LOGIN, signed_in.username)
    return signed_in


def _find(name: str) -> tuple[object, ...] | None:
    if not usernames.is_possible(name):
        return None
    key = usernames.canonical(name)
    with db.read() as connection:
        for row in fetch(connection, _BY_NAME, {"name_key": key}):
            if usernames.canonical(row[1]) == key:  # MySQL ignores a space at the end
                return tuple(row)
    return None


def _record(action: Action, name: str) -> None:
    recent: _Recent = current_app.extensions[RECENT]
    key = (action, name, audit.address() or "")
    if key not in recent:
        names = (
            (name, name) if action is Action.PROXY_LOGIN else (audit.attempted_name(name, None),)
        )
        with suppress(HTTPException):  # who reads must not fail because nothing can be written
            db.write(audit.record, action, *names, wait=0.05)
            recent.add(key)


def init_app(app: Flask) -> None:
    """Prepare what is remembered between requests."""
    app.extensions[RECENT] = _Recent(60 * app.config["SESSION_IDLE_MINUTES"])
