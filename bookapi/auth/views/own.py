"""One's own account: who one is, one's password, sessions, tokens and second factor."""

from flask import Blueprint, current_app, request
from flask_login import current_user
from sqlalchemy.orm import Session

from ...db import db
from ...http.bodies import read_body
from ...http.endpoints import Access, Cost, endpoint
from ...http.pagination import asked_page, paged
from ...http.problems import Problem, invalid
from .. import accounts, events, line, mfa, passwords, sessions, tokens
from ..permissions import actor
from ..schemas import (
    code_schema,
    drop_mfa_schema,
    own_password_schema,
    password_schema,
    token_schema,
    user_schema,
)
from ..signing_in import confirm_code, confirm_password

blueprint = Blueprint("own", __name__, url_prefix="/auth")


@blueprint.get("/me")
@endpoint(Access.SIGNED_IN, "user")
def me():
    """Who I am."""
    return user_schema.dump(current_user.user)


@blueprint.post("/password")
@endpoint(Access.IN_SESSION, "password", cost=Cost.HASHING)
def change_password():
    """Change one's own password; every other session of the account ends."""
    given = password_schema.load(read_body())
    known_hash = confirm_password(given["current_password"])
    fault = passwords.fault(given["new_password"], current_user.username)
    if fault:
        raise invalid([{"field": "new_password", "detail": fault}])
    with line.of().place():
        password_hash = passwords.make_hash(given["new_password"])
    db.write(accounts.change_own_password, actor(), known_hash, password_hash)
    return "", 204


@blueprint.get("/sessions")
@endpoint(Access.SIGNED_IN, "sessions")
def read_sessions():
    """A page of one's open sessions, newest first."""
    page = asked_page(request.args)
    return paged("sessions", *sessions.open_of(current_user.id, page.limit, page.offset), page)


@blueprint.delete("/sessions/<id:session_id>")
@endpoint(Access.SIGNED_IN, "session")
def end_session(session_id: int):
    """End one of one's own sessions."""
    if not sessions.close(session_id, events.SESSION_ENDED):
        raise Problem(404, "there is no session of yours of that id")
    return "", 204


@blueprint.get("/tokens")
@endpoint(Access.SIGNED_IN, "tokens")
def read_tokens():
    """A page of one's API tokens, newest first."""
    page = asked_page(request.args)
    return paged("tokens", *tokens.list_of(current_user.id, page.limit, page.offset), page)


@blueprint.post("/tokens")
@endpoint(Access.IN_SESSION, "token")
def add_token():
    """Make an API token; its secret is told here and never again."""
    values = token_schema.load(read_body())
    secret = tokens.new_secret(current_app)
    token = db.write(tokens.add, current_user.id, current_user.session_id, values, secret)
    return {**token_schema.dump(token), "secret": secret}, 201


@blueprint.delete("/tokens/<id:token_id>")
@endpoint(Access.SIGNED_IN, "token")
def revoke_token(token_id: int):
    """Revoke one of one's own API tokens."""
    if not db.write(tokens.revoke, current_user.id, token_id, current_user.username):
        raise Problem(404, "there is no token of yours of that id")
    return "", 204


@blueprint.get("/mfa")
@endpoint(Access.SIGNED_IN, "mfa")
def read_second_factor():
    """Whether signing in takes a code, and how many recovery codes are left."""
    with db.read() as connection, Session(connection) as session:
        user = accounts.existing(session, current_user.username)
    return {
        "enabled": user.totp_secret is not None,
        "recovery_codes_left": len(user.recovery_hashes or []),
    }


@blueprint.post("/mfa")
@endpoint(Access.IN_SESSION, "mfa", cost=Cost.HASHING)
def offer_second_factor():
    """A new secret for an app; signing in takes its codes once one of them was confirmed."""
    given = own_password_schema.load(read_body())
    secret = mfa.new_secret()
    db.write(
        accounts.offer_second_factor, actor(), confirm_password(given["current_password"]), secret
    )
    return {"secret": secret, "uri": mfa.uri(secret, current_user.username)}


@blueprint.post("/mfa/confirm")
@endpoint(Access.IN_SESSION, "mfa")
def accept_second_factor():
    """The first code of the app: from here on signing in takes one. Recovery codes are told here and never again."""
    given = code_schema.load(read_body())
    codes = mfa.new_recovery_codes()
    confirm_code(accounts.accept_second_factor, actor(), given["code"], codes)
    return {"recovery_codes": codes}


@blueprint.post("/mfa/disable")
@endpoint(Access.IN_SESSION, "mfa", cost=Cost.HASHING)
def drop_second_factor():
    """Sign in by the password alone again."""
    given = drop_mfa_schema.load(read_body())
    known_hash = confirm_password(given["current_password"])
    confirm_code(accounts.drop_own_second_factor, actor(), known_hash, given["code"])
    return "", 204
