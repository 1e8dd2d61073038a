"""The pages of accounts: sign-in, and what forms cannot say by DELETE and PATCH."""

from typing import Any

from flask import Blueprint, request

from ..auth import accounts, sessions, tokens
from ..auth.admin_views import fetch_user, store_change
from ..auth.audit import Action
from ..auth.permissions import actor
from ..auth.schemas import user_change_schema
from ..db import db
from ..http.bodies import read_body
from ..http.endpoints import Access, Cost, Form, endpoint
from ..http.problems import Problem
from ..http.results import Result

blueprint = Blueprint("account_pages", __name__, url_prefix="/auth")


@blueprint.get("/login")
@endpoint(Access.ANYONE, "login", page_only=True)
def sign_in() -> Result:
    """The form to sign in."""
    return Result({"next": request.args.get("next", "/")}, resource="login")


@blueprint.post("/sessions/<id:session_id>/delete")
@endpoint(Access.SIGNED_IN, "session", form=Form("problem", "/auth/sessions#ended", only=True))
def end_session(session_id: int) -> Result:
    """End one of one's own sessions."""
    read_body()
    if not sessions.close(session_id, Action.SESSION_ENDED):
        raise Problem(404, "you have no such session")
    return Result({})


@blueprint.post("/tokens/<id:token_id>/delete")
@endpoint(Access.SIGNED_IN, "token", form=Form("problem", "/auth/tokens#revoked", only=True))
def revoke_token(token_id: int) -> Result:
    """Revoke one of one's own API tokens."""
    read_body()
    if not db.write(tokens.revoke, actor(), token_id):
        raise Problem(404, "you have no such token")
    return Result({})


@blueprint.post("/users/<id:user_id>/edit")
@endpoint(
    Access.ADMIN_IN_SESSION,
    "user",
    cost=Cost.HASHING,
    form=Form("user", "/auth/users/{id}#saved", only=True),
)
def edit_user(user_id: int) -> Result:
    """Change role, state or password of an account."""
    values: dict[str, Any] = {name: value for name, value in read_body().items() if value != ""}
    values = user_change_schema.load(values)
    return Result({"id": store_change(fetch_user(user_id), values).id})


@blueprint.post("/users/<id:user_id>/delete")
@endpoint(Access.ADMIN_IN_SESSION, "user", form=Form("problem", "/auth/users#deleted", only=True))
def remove_user(user_id: int) -> Result:
    """Delete an account with its sessions and tokens."""
    read_body()
    db.write(accounts.remove, user_id, by=actor())
    return Result({})
