"""Signing in and out, and one's own account."""
from flask import Blueprint
from flask_login import current_user
from sqlalchemy.orm import Session

from ..db import db
from ..negotiation import body, represents
from ..problems import Problem, invalid
from . import accounts, passwords, sessions
from .permissions import login_required, public
from .schemas import Instant, login_schema, password_schema, user_schema

blueprint = Blueprint("auth", __name__, url_prefix="/auth")


@blueprint.post("/login")
@public
@represents("login")
def login():
    """Open a session: the account and when the session ends, and the cookie."""
    given = login_schema.load(body())
    with db.read() as reader, Session(reader.engine) as session:
        user = accounts.find(session, given["username"])
    right = passwords.matches(user and user.password_hash, given["password"])
    if not right or not user.active:
        raise Problem(401, "wrong username or password", sessions.CHALLENGE)
    return _described(sessions.open_session(user))


@blueprint.post("/logout")
@login_required
def logout():
    """End this session."""
    sessions.close_session(current_user)
    return "", 204


@blueprint.get("/me")
@login_required
@represents("user")
def me():
    """Who I am."""
    return user_schema.dump(current_user.user)


@blueprint.post("/password")
@login_required
@represents("password")
def change_password():
    """Change one's own password; every other session of the account ends."""
    given = password_schema.load(body())
    if not passwords.matches(current_user.user.password_hash, given["current_password"]):
        raise Problem(403, "the current password is wrong")
    fault = passwords.fault(given["new_password"], current_user.username)
    if fault:
        raise invalid([{"field": "new_password", "detail": fault}])
    db.write(accounts.set_password, current_user.username, passwords.make_hash(given["new_password"]),
             keep=current_user.session_id)
    return "", 204


def _described(signed_in: sessions.SignedIn) -> dict:
    return {"user": user_schema.dump(signed_in.user),
            "expires_at": Instant().serialize("expires_at", signed_in)}
