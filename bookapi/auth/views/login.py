"""Signing in and out."""

from flask import Blueprint
from flask_login import current_user

from ...http.negotiation import body, represents
from ...schemas import rfc3339
from .. import login as signing_in
from .. import sessions
from ..audit import Action
from ..permissions import public, session_required
from ..schemas import login_schema, user_schema

blueprint = Blueprint("auth", __name__, url_prefix="/auth")


@blueprint.post("/login")
@public
@represents("login", hashes=True)
def login():
    """Open a session: the account and when the session ends, and the cookie."""
    user, expires_at = signing_in.sign_in(**login_schema.load(body()))
    return {"user": user_schema.dump(user), "expires_at": rfc3339(expires_at)}


@blueprint.post("/logout")
@session_required
def logout():
    """End this session."""
    sessions.close(current_user.session_id, Action.LOGOUT)
    return "", 204
