"""What an Authorization header proves: the account of an API token, as Bearer (RFC 6750) or Basic (RFC 7617)."""

from sqlalchemy.orm import Session

from ..db import db
from ..http.problems import Problem
from . import accounts, events, tokens
from .identity import SignedIn
from .throttle import Attempt

_CHALLENGES = {
    "bearer": 'Bearer realm="bookapi", error="invalid_token"',
    "basic": 'Basic realm="bookapi", charset="UTF-8"',
}
_NONE = "that is no API token, or one that has expired or was revoked; for Basic it goes with its owner's username"


def signed_in_by(header: str) -> SignedIn | None:
    """The owner of the token in the header; 401 where there is none that holds, 429 where too many were wrong. None for
    a scheme that is not known here. A token has so many bits that a right one need not wait for who guessed before."""
    scheme = header.strip().partition(" ")[0].lower()
    if scheme not in _CHALLENGES:
        return None
    username, secret = tokens.given_in(header)
    found = tokens.load(secret, username)
    if found is not None:
        return found
    if username:
        _count(username)
    else:
        events.tell(events.TOKEN_REFUSED)
    raise Problem(401, _NONE, {"WWW-Authenticate": _CHALLENGES[scheme]})


def _count(username: str) -> None:
    """A name with a wrong token is an attempt like one with a wrong password."""
    attempt = Attempt.at_name(username)
    attempt.refuse_blocked()
    attempt.count()
    with db.read() as connection, Session(connection) as session:
        account = accounts.find(session, username)
    if account is None:  # a row for each name that somebody thinks of would be too many
        events.tell(events.TOKEN_REFUSED, events.attempted(username, None), "unknown name")
    else:
        db.write(attempt.failed, events.TOKEN_REFUSED, account.username, "no token of this account")
