"""Everybody's accounts, and what happened at the door: for admins."""

from flask import Blueprint, request
from sqlalchemy.orm import Session

from ...db import db
from ...http.bodies import deferred_body, read_body
from ...http.endpoints import Access, Cost, endpoint
from ...http.pagination import asked_page, paged
from ...http.problems import Problem, invalid
from ...http.routing import base_url
from .. import accounts, audit, line, passwords
from ..models import User
from ..permissions import actor
from ..schemas import new_user_schema, user_change_schema, user_schema

blueprint = Blueprint("administration", __name__, url_prefix="/auth")


@blueprint.get("/users")
@endpoint(Access.ADMIN, "users")
def read_users():
    """A page of all accounts, oldest first."""
    page = asked_page(request.args)
    with db.read() as connection, Session(connection) as session:
        users, total = accounts.page_of(session, page.limit, page.offset)
    return paged("users", user_schema.dump(users, many=True), total, page)


@blueprint.post("/users")
@endpoint(Access.ADMIN_IN_SESSION, "user", cost=Cost.HASHING)
def add_user():
    """Add an account."""
    given = new_user_schema.load(read_body())
    user = db.write(
        accounts.add, given["username"], _hash(given["password"]), given["role"], by=actor()
    )
    return (
        user_schema.dump(user),
        201,
        {"Location": base_url(f"/auth/users/{user.id}")},
    )


@blueprint.get("/users/<id:user_id>")
@endpoint(Access.ADMIN, "user")
def read_user(user_id: int):
    """One account."""
    return user_schema.dump(_fetch(user_id))


@blueprint.patch("/users/<id:user_id>")
@endpoint(Access.ADMIN_IN_SESSION, "user")
def change_user(user_id: int):
    """Another role, another password, shut out or let in again."""
    document, user = deferred_body(), _fetch(user_id)
    values = user_change_schema.load(document())
    if "password" in values:
        _refuse_own(user_id, "change your own password by POST /auth/password")
        accounts.check_password(user.username, values["password"])
        values["password_hash"] = _hash(values.pop("password"))
    return user_schema.dump(db.write(accounts.change, user_id, values, by=actor()))


@blueprint.delete("/users/<id:user_id>")
@endpoint(Access.ADMIN_IN_SESSION, "user")
def remove_user(user_id: int):
    """Remove an account, with its sessions and tokens."""
    db.write(accounts.remove, user_id, by=actor())
    return "", 204


@blueprint.delete("/users/<id:user_id>/sessions")
@endpoint(Access.ADMIN_IN_SESSION, "sessions")
def end_sessions(user_id: int):
    """End all sessions of an account."""
    db.write(accounts.end_sessions, user_id, by=actor())
    return "", 204


@blueprint.delete("/users/<id:user_id>/tokens")
@endpoint(Access.ADMIN_IN_SESSION, "tokens")
def revoke_tokens(user_id: int):
    """Revoke all API tokens of an account."""
    db.write(accounts.revoke_tokens, user_id, by=actor())
    return "", 204


@blueprint.delete("/users/<id:user_id>/mfa")
@endpoint(Access.ADMIN_IN_SESSION, "mfa")
def drop_second_factor(user_id: int):
    """Have an account sign in without its second factor: its owner lost the app and the recovery codes."""
    _refuse_own(user_id, "drop your own second factor by POST /auth/mfa/disable")
    db.write(accounts.drop_second_factor, user_id, by=actor())
    return "", 204


@blueprint.get("/events")
@endpoint(Access.ADMIN, "events")
def read_events():
    """A page of what happened at the door, newest first."""
    page = asked_page(request.args, "action", "username")
    about = _as_its_account_has_it(request.args.get("username"))
    found, total = audit.read(page.limit, page.offset, request.args.get("action"), about)
    return paged("events", found, total, page)


@blueprint.app_errorhandler(accounts.AccountError)
def refused(error: accounts.AccountError) -> Problem:
    """422 for what an account may not be, 409 for a conflict with other accounts."""
    errors = [{"field": error.field, "detail": error.detail}]
    if isinstance(error, accounts.LastAdmin):
        return Problem(409, "this is the last active admin; make another one first")
    if isinstance(error, accounts.Taken):
        return Problem(
            409,
            "another account has this name, or one that looks like it",
            type="username-taken",
            errors=errors,
        )
    return invalid(errors)


def _fetch(user_id: int) -> User:
    with db.read() as connection, Session(connection) as session:
        user = session.get(User, user_id)
    if user is None:
        raise Problem(404, "there is no account of that id")
    return user


def _as_its_account_has_it(username: str | None) -> str | None:
    """A name however it was spelt; as it is where no account has it any more."""
    if username is None:
        return None
    with db.read() as connection, Session(connection) as session:
        user = accounts.find(session, username)
    return user.username if user else username


def _refuse_own(user_id: int, instead: str) -> None:
    """403 for what takes one's own password again elsewhere: who found an open session shall not keep the account."""
    if user_id == actor().user_id:
        raise Problem(403, instead)


def _hash(password: str) -> str:
    with line.of().place():
        return passwords.make_hash(password)
