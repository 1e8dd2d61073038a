"""One computation for all who ask for the same at the same time."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from flask import current_app

T = TypeVar("T")
_lock = threading.Lock()
_running: dict[Hashable, Future[Any]] = {}


def once(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` returns or raises. While it runs for one request, others of this application with
    the same key wait for that result; `key` names the state of the catalogue, too."""
    key = (id(current_app.extensions), key)
    with _lock:
        running = _running.get(key)
        if running is None:
            mine = _running[key] = Future()
    if running is not None:
        return cast(T, running.result())
    try:
        mine.set_result(make())
    except BaseException as error:
        mine.set_exception(error)
    finally:
        with _lock:
            del _running[key]
    return cast(T, mine.result())
