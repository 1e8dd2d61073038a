"""The checks of forms, and what they carry because they cannot send headers: a token against forged
requests, a key against double submits.
"""

import hmac
import secrets
from typing import Any

from werkzeug.exceptions import BadRequest, HTTPException

from ..auth import sessions
from ..auth.permissions import current_account
from ..formats import Malformed
from ..http.pages import sent_form, typed_fields
from ..http.problems import Problem
from ..http.request import Request, current_request


def account() -> Any:
    """Who is signed in after this request; None: nobody, or whose credentials are wrong."""
    if (signed_in := current_request().signed_in) is not None:
        return signed_in
    try:
        return current_account if current_account.is_authenticated else None
    except HTTPException:
        return None


def csrf_token() -> str:
    """The token that forms of this browser carry. It depends on the session cookie, which a browser
    without one gets here, or on the account of a client that signs in by other means.
    """
    secret = sessions.current_secret()
    if not secret and (signed_in := account()):
        secret = f"account {signed_in.id}"
    elif not secret:
        secret = secrets.token_urlsafe(32)
        sessions.send_cookie(secret)
    return sessions.keyed_digest("form", secret)


def check(request: Request) -> None:
    """403 for a form without the token of this browser; its key is read as an Idempotency-Key."""
    if sent_form(request) is None:
        return
    try:
        typed = typed_fields()
    except Malformed as error:
        raise BadRequest(str(error)) from None
    if not hmac.compare_digest(typed.get("csrf_token", "").encode(), csrf_token().encode()):
        raise Problem(403, "the form is too old or not ours; nothing was stored, send it again")
    if typed.get("idempotency_key"):
        request.environ["HTTP_IDEMPOTENCY_KEY"] = typed["idempotency_key"]
