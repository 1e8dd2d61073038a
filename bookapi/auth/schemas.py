"""What accounts send and get, as marshmallow schemas."""
from marshmallow import Schema, fields

from ..schemas import Instant, Verbatim


class UserSchema(Schema):
    """An account as everyone sees it: never a hash."""
    id = fields.Integer()
    username = fields.String()
    role = fields.String()
    active = fields.Boolean()
    created_at = Instant()


class LoginSchema(Schema):
    username = Verbatim(required=True)
    password = Verbatim(required=True)


class PasswordSchema(Schema):
    current_password = Verbatim(required=True)
    new_password = Verbatim(required=True)


user_schema, login_schema, password_schema = UserSchema(), LoginSchema(), PasswordSchema()
