"""What accounts send and receive, as marshmallow schemas."""

from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from ..db import now
from ..schemas import Boolean, Choice, Text, Timestamp, Verbatim
from . import passwords, usernames
from .models import MEMBER, ROLES, SCOPES

MAX_TOKEN_NAME = 100  # code points


class _Document(Schema):
    error_messages = {"unknown": "is not a field here", "type": "must be an object"}


class UserSchema(Schema):
    """An account, without its hashes."""

    id = fields.Integer()
    username = fields.String()
    role = fields.String()
    active = fields.Boolean()
    created_at = Timestamp()


class NewUserSchema(_Document):
    username = Verbatim(required=True)
    password = Verbatim(required=True)
    role = Choice(ROLES, load_default=MEMBER)

    @validates_schema(skip_on_field_errors=False)
    def check_rules(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Report what no account may have together with all other errors."""
        username, password = data.get("username"), data.get("password")
        possible = username if username and usernames.is_possible(username) else ""
        errors = {
            "username": username is not None and usernames.error_in(username),
            "password": password is not None and passwords.error_in(password, possible),
        }
        if any(errors.values()):
            raise ValidationError({field: [detail] for field, detail in errors.items() if detail})


class UserChangeSchema(_Document):
    role = Choice(ROLES)
    active = Boolean()
    password = Verbatim()


class LoginSchema(_Document):
    username = Verbatim(required=True)
    password = Verbatim(required=True)
    code = Verbatim(load_default=None, allow_none=True)


class PasswordSchema(_Document):
    current_password = Verbatim(required=True)
    new_password = Verbatim(required=True)


class OwnPasswordSchema(_Document):
    current_password = Verbatim(required=True)


class CodeSchema(_Document):
    code = Verbatim(required=True)


class DisableMfaSchema(OwnPasswordSchema, CodeSchema):
    pass


def _in_future(instant: datetime | None) -> None:
    if instant is not None and instant <= now():
        raise ValidationError("must be in the future")


class TokenSchema(_Document):
    """An API token, without its hash."""

    id = fields.Integer(dump_only=True)
    name = Text(MAX_TOKEN_NAME, required=True)
    scope = Choice(SCOPES, required=True)
    created_at = Timestamp(dump_only=True)
    expires_at = Timestamp(load_default=None, allow_none=True, validate=_in_future)
    last_used_at = Timestamp(dump_only=True)


user_schema, new_user_schema, user_change_schema = UserSchema(), NewUserSchema(), UserChangeSchema()
login_schema, password_schema, token_schema = LoginSchema(), PasswordSchema(), TokenSchema()
own_password_schema, code_schema = OwnPasswordSchema(), CodeSchema()
disable_mfa_schema = DisableMfaSchema()
