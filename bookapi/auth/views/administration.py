"""Everybody's accounts, and what happened at the door: for admins."""

from flask import Blueprint, Response, request, url_for
from sqlalchemy.orm import Session

from ...db import db
from ...http.negotiation import body, deferred_body, represents
from ...http.pagination import asked_page, paged
from ...http.problems import Problem, invalid, respond
from .. import accounts, audit, line, passwords
from ..models import User
from ..permissions import actor, admin_required, admin_session_required
from ..schemas import new_user_schema, user_change_schema, user_schema

blueprint = Blueprint("administration", __name__, url_prefix="/auth")


@blueprint.get("/users")
@admin_required
@represents("users")
def read_users():
    """A page of all accounts, oldest first."""
    page = asked_page(request.args)
    with db.read() as connection, Session(connection) as session:
        users, total = accounts.page_of(session, page.limit, page.offset)
    return paged("users", user_schema.dump(users, many=True), total, page)


@blueprint.post("/users")
@admin_session_required
@represents("user", hashes=True)
def add_user():
    """Add an account."""
    given = new_user_schema.load(body())
    user = db.write(
        accounts.add, given["username"], _hash(given["password"]), given["role"], by=actor()
    )
    return (
        user_schema.dump(user),
        201,
        {"Location": url_for(".read_user", user_id=user.id, _external=True)},
    )


@blueprint.get("/users/<id:user_id>")
@admin_required
@represents("user")
def read_user(user_id: int):
    """One account."""
    return user_schema.dump(_fetch(user_id))


@blueprint.patch("/users/<id:user_id>")
@admin_session_required
@represents("user")
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
@admin_session_required
@represents("user")
def remove_user(user_id: int):
    """Remove an account, with its sessions and tokens."""
    db.write(accounts.remove, user_id, by=actor())
    return "", 204


@blueprint.delete("/users/<id:user_id>/sessions")
@admin_session_required
@represents("sessions")
def end_sessions(user_id: int):
    """End all sessions of an account."""
    db.write(accounts.end_sessions, user_id, by=actor())
    return "", 204


@blueprint.delete("/users/<id:user_id>/tokens")
@admin_session_required
@represents("tokens")
def revoke_tokens(user_id: int):
    """Revoke all API tokens of an account."""
    db.write(accounts.revoke_tokens, user_id, by=actor())
    return "", 204


@blueprint.delete("/users/<id:user_id>/mfa")
@admin_session_required
@represents("mfa")
def drop_second_factor(user_id: int):
    """Have an account sign in without its second factor: its owner lost the app and the recovery codes."""
    _refuse_own(user_id, "drop your own second factor by POST /auth/mfa/disable")
    db.write(accounts.drop_second_factor, user_id, by=actor())
    return "", 204


@blueprint.get("/events")
@admin_required
@represents("events")
def read_events():
    """A page of what happened at the door, newest first."""
    page = asked_page(request.args, "action", "username")
    about = _as_its_account_has_it(request.args.get("username"))
    found, total = audit.read(page.limit, page.offset, request.args.get("action"), about)
    return paged("events", found, total, page)


@blueprint.app_errorhandler(accounts.AccountError)
def refused(error: accounts.AccountError) -> Response:
    """422 for what an account may not be, 409 for what is in conflict with the others."""
    told = [{"field": error.field, "detail": error.detail}]
    if isinstance(error, accounts.LastAdmin):
        return respond(Problem(409, "this is the last active admin; make another one first"))
    if isinstance(error, accounts.Taken):
        return respond(
            Problem(409, "another account has this name, or one that looks like it", errors=told)
        )
    return respond(invalid(told))


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
