"""Signing in and out."""

from flask import Blueprint
from flask_login import current_user

from ...http.bodies import read_body
from ...http.endpoints import Access, Cost, endpoint
from ...schemas import format_timestamp
from .. import events, sessions, signing_in
from ..schemas import login_schema, user_schema

blueprint = Blueprint("auth", __name__, url_prefix="/auth")


@blueprint.post("/login")
@endpoint(Access.ANYONE, "login", cost=Cost.HASHING)
def login():
    """Open a session: the account and when the session ends, and the cookie."""
    user, expires_at = signing_in.sign_in(**login_schema.load(read_body()))
    return {"user": user_schema.dump(user), "expires_at": format_timestamp(expires_at)}


@blueprint.post("/logout")
@endpoint(Access.IN_SESSION)
def logout():
    """End this session."""
    sessions.close(current_user.session_id, events.LOGOUT)
    return "", 204
