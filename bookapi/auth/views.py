"""Signing in and out, and one's own account: password, sessions, tokens and second factor."""

from typing import Any

from flask import Blueprint

from ..db import db
from ..http.bodies import load_body
from ..http.endpoints import Access, Cost, Form, endpoint
from ..http.pages import NEXT
from ..http.pagination import asked_page, page_parameters, paged
from ..http.problems import Problem, invalid
from ..timestamps import format_timestamp
from . import accounts, mfa, passwords, sessions, tokens
from .audit import Action
from .login import confirm_code, confirm_password, sign_in
from .permissions import actor, current_account
from .schemas import (
    code_schema,
    disable_mfa_schema,
    login_schema,
    own_password_schema,
    password_schema,
    token_schema,
    user_schema,
)

blueprint = Blueprint("auth", __name__, url_prefix="/auth")
NO_CONTENT = ("", 204)


@blueprint.post("/login")
@endpoint(Access.ANYONE, "login", login_schema, cost=Cost.HASHING, form=Form("login", NEXT))
def login() -> dict[str, Any]:
    """Open a session: the account, when the session ends, and the cookie."""
    user, expires_at = sign_in(**load_body())
    return {"user": user_schema.dump(user), "expires_at": format_timestamp(expires_at)}


@blueprint.post("/logout")
@endpoint(Access.IN_SESSION, "session", status=204, form=Form("problem", "/#signed-out"))
def logout() -> tuple[str, int]:
    """End this session."""
    sessions.close(current_account.session_id, Action.LOGOUT)
    return NO_CONTENT


@blueprint.get("/me")
@endpoint(Access.SIGNED_IN, "user")
def me() -> Any:
    """The account that sends the request."""
    return user_schema.dump(current_account)


@blueprint.post("/password")
@endpoint(
    Access.IN_SESSION,
    "password",
    password_schema,
    204,
    cost=Cost.HASHING,
    form=Form("user", "/auth/me#saved"),
)
def change_password() -> tuple[str, int]:
    """Change one's own password; other sessions of the account end."""
    given = load_body()
    known_hash = confirm_password(given["current_password"])
    error = passwords.error_in(given["new_password"], current_account.username)
    if error:
        raise invalid([{"field": "new_password", "detail": error}])
    password_hash = passwords.make_hash(given["new_password"])
    db.write(accounts.change_own_password, actor(), known_hash, password_hash)
    return NO_CONTENT


@blueprint.get("/sessions")
@endpoint(Access.SIGNED_IN, "sessions", query=page_parameters)
def read_sessions() -> Any:
    """A page of one's open sessions, newest first."""
    page = asked_page()
    return paged("sessions", *sessions.read_open(current_account.id, page.limit, page.offset), page)


@blueprint.delete("/sessions/<id:session_id>")
@endpoint(Access.SIGNED_IN, "session", status=204)
def end_session(session_id: int) -> tuple[str, int]:
    """End one of one's own sessions."""
    if not sessions.close(session_id, Action.SESSION_ENDED):
        raise Problem(404, "you have no such session")
    return NO_CONTENT


@blueprint.get("/tokens")
@endpoint(Access.SIGNED_IN, "tokens", query=page_parameters)
def read_tokens() -> Any:
    """A page of one's API tokens, newest first."""
    page = asked_page()
    found, total = tokens.read_all(current_account.id, page.limit, page.offset)
    return paged("tokens", token_schema.dump(found, many=True), total, page)


@blueprint.post("/tokens")
@endpoint(Access.IN_SESSION, "token", token_schema, 201, errors=(409,), form=Form("tokens"))
def add_token() -> tuple[dict[str, Any], int]:
    """Create an API token; its secret is shown once."""
    values = load_body()
    secret = tokens.new_secret()
    token = db.write(tokens.add, actor(), values, secret)
    made = {**token_schema.dump(token), "secret": secret}
    return {name: made[name] for name in token_schema.fields}, 201


@blueprint.delete("/tokens/<id:token_id>")
@endpoint(Access.SIGNED_IN, "token", status=204)
def revoke_token(token_id: int) -> tuple[str, int]:
    """Revoke one of one's own API tokens."""
    if not db.write(tokens.revoke, actor(), token_id):
        raise Problem(404, "you have no such token")
    return NO_CONTENT


@blueprint.get("/mfa")
@endpoint(Access.SIGNED_IN, "mfa")
def read_second_factor() -> dict[str, Any]:
    """Whether there is a second factor, and how many recovery codes are left."""
    with db.read() as connection:
        user = accounts.by_id(connection, current_account.id)
    left = len(user.recovery_hashes or [])
    return {"enabled": user.totp_secret is not None, "recovery_codes_left": left}


@blueprint.post("/mfa")
@endpoint(
    Access.IN_SESSION,
    "mfa",
    own_password_schema,
    errors=(409,),
    cost=Cost.HASHING,
    form=Form("mfa"),
)
def offer_second_factor() -> dict[str, Any]:
    """A new secret for an app; it is the second factor once one of its codes is confirmed."""
    given = load_body()
    known_hash = confirm_password(given["current_password"])
    secret = mfa.new_secret()
    db.write(accounts.offer_second_factor, actor(), known_hash, secret)
    return {"secret": secret, "uri": mfa.uri(secret, current_account.username)}


@blueprint.post("/mfa/confirm")
@endpoint(Access.IN_SESSION, "mfa", code_schema, errors=(409,), form=Form("mfa"))
def accept_second_factor() -> dict[str, Any]:
    """Confirm the app's first code: signing in needs one from now on. The recovery codes are shown
    once.
    """
    given = load_body()
    codes = mfa.new_recovery_codes()
    confirm_code(accounts.accept_second_factor, actor(), given["code"], codes)
    return {"recovery_codes": codes}


@blueprint.post("/mfa/disable")
@endpoint(
    Access.IN_SESSION,
    "mfa",
    disable_mfa_schema,
    204,
    errors=(409,),
    cost=Cost.HASHING,
    form=Form("mfa", "/auth/mfa#off"),
)
def disable_second_factor() -> tuple[str, int]:
    """Remove one's own second factor."""
    given = load_body()
    known_hash = confirm_password(given["current_password"])
    confirm_code(accounts.drop_own_second_factor, actor(), known_hash, given["code"])
    return NO_CONTENT
