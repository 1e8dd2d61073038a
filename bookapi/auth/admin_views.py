"""The accounts of others and the audit log, for admins."""

from typing import Any

from flask import Blueprint, request
from sqlalchemy import select

from ..db import db
from ..http.bodies import deferred_load, load_body
from ..http.endpoints import Access, Cost, Form, endpoint
from ..http.pagination import PageParameters, asked_page, page_parameters, paged
from ..http.parameters import Parameter
from ..http.problems import Problem
from ..http.routing import base_url
from . import accounts, audit, passwords
from .models import Account, User, read_page
from .permissions import actor
from .schemas import new_user_schema, user_change_schema, user_schema
from .views import NO_CONTENT

blueprint = Blueprint("users", __name__, url_prefix="/auth")


class EventParameters(PageParameters):
    action = Parameter(str, None, "entries of this action alone")
    username = Parameter(str, None, "entries about this account alone")


event_parameters = EventParameters()


@blueprint.get("/users")
@endpoint(Access.ADMIN, "users", query=page_parameters)
def read_users() -> Any:
    """A page of all accounts, oldest first."""
    page = asked_page()
    users, total = read_page(select(User).order_by(User.id), page.limit, page.offset)
    return paged("users", user_schema.dump(users, many=True), total, page)


@blueprint.post("/users")
@endpoint(
    Access.ADMIN_IN_SESSION,
    "user",
    new_user_schema,
    201,
    errors=(409,),
    cost=Cost.HASHING,
    form=Form("users", "/auth/users/{id}#added"),
)
def add_user() -> tuple[Any, int, dict[str, str]]:
    """Add an account."""
    given = load_body()
    password_hash = passwords.make_hash(given["password"])
    user = db.write(accounts.add, given["username"], password_hash, given["role"], by=actor())
    return user_schema.dump(user), 201, {"Location": base_url(f"/auth/users/{user.id}")}


@blueprint.get("/users/<id:user_id>")
@endpoint(Access.ADMIN, "user")
def read_user(user_id: int) -> Any:
    """One account."""
    return user_schema.dump(fetch_user(user_id))


@blueprint.patch("/users/<id:user_id>")
@endpoint(Access.ADMIN_IN_SESSION, "user", user_change_schema, errors=(409,), cost=Cost.HASHING)
def change_user(user_id: int) -> Any:
    """Change role, password or active."""
    document, user = deferred_load(), fetch_user(user_id)
    return user_schema.dump(store_change(user, document()))


def store_change(user: Account, values: dict[str, Any]) -> Account:
    """Change an account by fields that are valid; 403 for one's own password, 409 for the last
    admin.
    """
    if "password" in values:
        _refuse_own(
            user.id, "change your own password by POST /auth/password, the page of your account"
        )
        accounts.check_password(user.username, values["password"])
        values["password_hash"] = passwords.make_hash(values.pop("password"))
    changed: Account = db.write(accounts.change, user.id, values, by=actor())
    return changed


@blueprint.delete("/users/<id:user_id>")
@endpoint(Access.ADMIN_IN_SESSION, "user", status=204, errors=(409,))
def remove_user(user_id: int) -> tuple[str, int]:
    """Delete an account with its sessions and tokens."""
    db.write(accounts.remove, user_id, by=actor())
    return NO_CONTENT


@blueprint.delete("/users/<id:user_id>/sessions")
@endpoint(Access.ADMIN_IN_SESSION, "sessions", status=204)
def end_sessions(user_id: int) -> tuple[str, int]:
    """End all sessions of an account."""
    db.write(accounts.end_sessions, user_id, by=actor())
    return NO_CONTENT


@blueprint.delete("/users/<id:user_id>/tokens")
@endpoint(Access.ADMIN_IN_SESSION, "tokens", status=204)
def revoke_tokens(user_id: int) -> tuple[str, int]:
    """Revoke all API tokens of an account."""
    db.write(accounts.revoke_tokens, user_id, by=actor())
    return NO_CONTENT


@blueprint.delete("/users/<id:user_id>/mfa")
@endpoint(Access.ADMIN_IN_SESSION, "mfa", status=204, errors=(409,))
def drop_second_factor(user_id: int) -> tuple[str, int]:
    """Remove an account's second factor, whose app and recovery codes are lost."""
    _refuse_own(user_id, "remove your own second factor by POST /auth/mfa/disable")
    db.write(accounts.drop_second_factor, user_id, by=actor())
    return NO_CONTENT


@blueprint.get("/events")
@endpoint(Access.ADMIN, "events", query=event_parameters)
def read_events() -> Any:
    """A page of the audit log, newest first; of one action or about one account."""
    page = asked_page()
    username = request.args.get("username")
    if username is not None:
        with db.read() as connection:
            user = accounts.find(connection, username)
        username = user.username if user else username
    found, total = audit.read(page.limit, page.offset, request.args.get("action"), username)
    return paged("events", found, total, page)


def fetch_user(user_id: int) -> Account:
    """The account; 404 where there is none."""
    with db.read() as connection:
        return accounts.by_id(connection, user_id)


def _refuse_own(user_id: int, instead: str) -> None:
    """403 for a change of one's own account that elsewhere asks for the password: an open session
    is not enough.
    """
    if user_id == actor().id:
        raise Problem(403, instead)
