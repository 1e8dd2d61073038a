"""The request in progress, with what the checks find out about it on its way to the view."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import flask
from flask.globals import request_ctx

from .. import formats
from .endpoints import Endpoint


class Request(flask.Request):
    """Flask's request.

    Set by the checks: `begun` (by time.perf_counter), how its endpoint is `declared` (None: no
    route matched), `format` of the response (None: not chosen yet), `slots` of the costly requests,
    and what the response `varies` by. The rest is about the form that it was sent by
    (`http/pages.py`): the fields as they were `typed`, the account that it `signed_in`, the form
    that the sign-in kept (`resumed`) and its address, and the book as another client has `stored`
    it meanwhile.
    """

    begun: float | None = None
    declared: Endpoint | None = None
    format: formats.Format | None = None
    slots: ExitStack | None = None
    varies: tuple[str, ...] = ()
    typed: dict[str, str] | None = None
    signed_in: Any = None
    resumed: dict[str, str] | None = None
    resumed_action: str | None = None
    stored: Mapping[str, Any] | None = None


def current_request() -> Request:
    """The request of this thread. Flask's `request` looks for it again at every attribute."""
    request: Request = request_ctx.request  # type: ignore[assignment]  # BookApi makes no other
    return request
