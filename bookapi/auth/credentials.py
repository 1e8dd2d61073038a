"""What an Authorization header proves: the account of an API token, as Bearer (RFC 6750) or Basic (RFC 7617)."""
from ..db import db
from ..problems import Problem
from . import accounts, events, tokens
from .identity import SignedIn
from .throttle import Attempt

_CHALLENGES = {"bearer": 'Bearer realm="bookapi", error="invalid_token"',
               "basic": 'Basic realm="bookapi", charset="UTF-8"'}


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
    raise Problem(401, "that is no API token that holds", {"WWW-Authenticate": _CHALLENGES[scheme]})


def _count(username: str) -> None:
    """A name with a wrong token is an attempt like one with a wrong password."""
    attempt = Attempt.at_name(username)
    attempt.refuse_blocked()
    attempt.count()
    db.write(_noted, attempt, username)


def _noted(session, attempt: Attempt, username: str) -> None:
    name = events.attempted(username, accounts.find(session, username))
    attempt.failed(session, events.TOKEN_REFUSED, name, "no token of this account")
