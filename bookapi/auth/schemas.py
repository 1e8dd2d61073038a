"""What accounts send and receive, as marshmallow schemas."""

from datetime import datetime
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, validates_schema

from ..db import now
from ..schemas import (
    DOCUMENTS,
    MAX_INTEGER,
    Boolean,
    Choice,
    Integer,
    ListOf,
    Text,
    Timestamp,
    Verbatim,
    about,
    document,
    register_list,
)
from . import passwords, usernames
from .mfa import RECOVERY_CODES
from .models import MEMBER, ROLES, SCOPES

MAX_TOKEN_NAME = 100  # code points
Example = dict[str, Any]
PASSPHRASE = "a long passphrase of words"  # noqa: S105 # in examples


class _Document(Schema):
    error_messages = {"unknown": "is not a field here", "type": "must be an object"}


def _id(what: str) -> Integer:
    return Integer(1, MAX_INTEGER, dump_only=True, metadata=about(f"the number of the {what}"))


def _at(meaning: str, **options: Any) -> Timestamp:
    return Timestamp(dump_only=True, metadata=about(meaning), **options)


@document("user")
class UserSchema(Schema):
    """An account, without its hashes."""

    id = _id("account")
    username = Verbatim(metadata=about("3 to 64 characters, any spelling signs in"))
    role = Choice(ROLES, metadata=about("admin: may change everything; member: reads"))
    active = Boolean(metadata=about("false: cannot sign in"))
    created_at = _at("when it was added")


class NewUserSchema(_Document):
    """An account to add."""

    example: ClassVar[Example] = {"username": "jane", "password": PASSPHRASE, "role": "member"}

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
    """What is to change of an account."""

    example: ClassVar[Example] = {"role": "member", "active": True}

    role = Choice(ROLES)
    active = Boolean()
    password = Verbatim()


class LoginSchema(_Document):
    """A name with its password; with a second factor its code, too."""

    example: ClassVar[Example] = {"username": "admin", "password": PASSPHRASE}

    username = Verbatim(required=True)
    password = Verbatim(required=True)
    code = Verbatim(load_default=None, allow_none=True)


@document("password")
class PasswordSchema(_Document):
    """The password of this account, and its next one."""

    example: ClassVar[Example] = {
        "current_password": PASSPHRASE,
        "new_password": "another phrase of many words",
    }

    current_password = Verbatim(required=True)
    new_password = Verbatim(required=True)


class OwnPasswordSchema(_Document):
    """The password of this account."""

    example: ClassVar[Example] = {"current_password": PASSPHRASE}

    current_password = Verbatim(required=True)


class CodeSchema(_Document):
    """A code of the app."""

    example: ClassVar[Example] = {"code": "123456"}

    code = Verbatim(required=True)


class DisableMfaSchema(OwnPasswordSchema, CodeSchema):
    """The password of this account, and a code of the app or a recovery code."""

    example: ClassVar[Example] = {"current_password": PASSPHRASE, "code": "123456"}


def _in_future(instant: datetime | None) -> None:
    if instant is not None and instant <= now():
        raise ValidationError("must be in the future")


@document("token")
class TokenSchema(_Document):
    """An API token, without its hash."""

    example: ClassVar[Example] = {"name": "nightly import", "scope": "write"}

    id = _id("token")
    name = Text(MAX_TOKEN_NAME, required=True, metadata=about("what it is for"))
    scope = Choice(SCOPES, required=True, metadata=about("read; write: all that its owner may"))
    expires_at = Timestamp(
        load_default=None,
        allow_none=True,
        validate=_in_future,
        metadata=about("in the future; null: never"),
    )
    last_used_at = _at("when it was last used", allow_none=True)
    secret = Verbatim(
        dump_only=True,
        metadata=about("what is sent as Bearer or Basic; shown once, at its creation", sparse=True),
    )
    created_at = _at("when it was created")


@document("login")
class LoginResultSchema(Schema):
    """A session that was opened."""

    user = fields.Nested(UserSchema)
    expires_at = _at("when the session ends at the latest")


@document("mfa")
class MfaSchema(Schema):
    """The second factor of an account: whether it is on, or what sets it up."""

    enabled = Boolean(metadata=about("whether signing in needs a code", sparse=True))
    recovery_codes_left = Integer(
        0, RECOVERY_CODES, metadata=about("unused recovery codes", sparse=True)
    )
    secret = Verbatim(metadata=about("for the app, in base32; shown once", sparse=True))
    uri = Verbatim(metadata=about("the same as otpauth: address, for a QR code", sparse=True))
    recovery_codes = ListOf(
        Verbatim(),
        RECOVERY_CODES,
        metadata=about("each signs in once, shown once", sparse=True),
    )


class SessionSchema(Schema):
    """A session of an account."""

    id = _id("session")
    created_at = _at("when it was opened")
    last_seen_at = _at("when it was last used, to a minute")
    expires_at = _at("when it ends if it is not used")
    address = Verbatim(allow_none=True, metadata=about("of the client that opened it"))
    user_agent = Verbatim(allow_none=True, metadata=about("of the client that opened it"))
    current = Boolean(metadata=about("whether it is the one of this request"))


class EventSchema(Schema):
    """An entry of the audit log."""

    id = _id("entry")
    action = Verbatim(metadata=about("what happened: login, login_refused, user_added, …"))
    username = Verbatim(allow_none=True, metadata=about("the account that it is about"))
    actor = Verbatim(allow_none=True, metadata=about("the account that did it"))
    address = Verbatim(allow_none=True, metadata=about("of the client"))
    request_id = Verbatim(allow_none=True, metadata=about("of the request, as in the log"))
    detail = Verbatim(allow_none=True, metadata=about("more of it"))
    at = _at("when it happened")


DOCUMENTS["session"] = SessionSchema()
for _root, _item in (
    ("users", UserSchema),
    ("sessions", SessionSchema),
    ("tokens", TokenSchema),
    ("events", EventSchema),
):
    register_list(_root, _item)

user_schema, new_user_schema, user_change_schema = UserSchema(), NewUserSchema(), UserChangeSchema()
login_schema, password_schema, token_schema = LoginSchema(), PasswordSchema(), TokenSchema()
own_password_schema, code_schema = OwnPasswordSchema(), CodeSchema()
disable_mfa_schema = DisableMfaSchema()
