"""What accounts send and get, as marshmallow schemas."""

from marshmallow import Schema, ValidationError, fields, validates_schema

from ..db import now
from ..schemas import Boolean, Choice, Text, Timestamp, Verbatim
from . import passwords, usernames
from .models import MEMBER, ROLES, SCOPES

TOKEN_NAME = 100  # code points


class _Document(Schema):
    error_messages = {"unknown": "is no field here", "type": "must be an object"}


class UserSchema(Schema):
    """An account as everyone sees it: never a hash."""

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
    def check_faults(self, data, **kwargs):
        """What no account may have is told with all else that is wrong."""
        username, password = data.get("username"), data.get("password")
        known = username if username and usernames.possible(username) else ""
        faults = {
            "username": username is not None and usernames.fault(username),
            "password": password is not None and passwords.fault(password, known),
        }
        if any(faults.values()):
            raise ValidationError({field: [detail] for field, detail in faults.items() if detail})


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


class DropMfaSchema(OwnPasswordSchema, CodeSchema):
    pass


def _in_future(instant) -> None:
    if instant is not None and instant <= now():
        raise ValidationError("must be in the future")


class TokenSchema(_Document):
    """An API token; never its hash."""

    id = fields.Integer(dump_only=True)
    name = Text(TOKEN_NAME, required=True)
    scope = Choice(SCOPES, required=True)
    created_at = Timestamp(dump_only=True)
    expires_at = Timestamp(load_default=None, allow_none=True, validate=_in_future)
    last_used_at = Timestamp(dump_only=True)


user_schema, new_user_schema, user_change_schema = UserSchema(), NewUserSchema(), UserChangeSchema()
login_schema, password_schema, own_password_schema = (
    LoginSchema(),
    PasswordSchema(),
    OwnPasswordSchema(),
)
code_schema, drop_mfa_schema, token_schema = CodeSchema(), DropMfaSchema(), TokenSchema()
