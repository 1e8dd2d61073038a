"""``bookapi users …``: accounts from the command line."""

import sys

import click
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from ..cli import Group
from ..db import db, locked
from . import accounts, passwords
from .models import MEMBER, ROLES

users = Group("users", help="Accounts: add, list, shut out, let in; passwords, roles, sessions.")


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default=MEMBER, show_default=True)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of standard input.",
)
def add(name: str, role: str, password_stdin: bool) -> None:
    """Add the account NAME. Without --password-stdin it asks, or makes a random password when there is no terminal."""
    with told():
        accounts.check_name(name)
        _check_known(name, role)
        password, made = _new_password(name, password_stdin)
        added = db.write(accounts.add, name, passwords.make_hash(password), role)
    click.echo(f"added {added.username} ({role})")
    _show(made)


@users.command("list")
def list_all() -> None:
    """One line an account: id, name, role, state, created, and `mfa` where it has a second factor."""
    with db.read() as connection, Session(connection) as session:
        for user in accounts.list_all(session):
            state = "active" if user.active else "disabled"
            factor = "\tmfa" if user.totp_secret else ""
            click.echo(
                f"{user.id}\t{user.username}\t{user.role}\t{state}\t{user.created_at:%Y-%m-%d}{factor}"
            )


@users.command("password")
@click.argument("name")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of standard input.",
)
def password(name: str, password_stdin: bool) -> None:
    """Give the account NAME another password; its sessions end."""
    with told():
        _check_known(name)
        new, made = _new_password(name, password_stdin)
        db.write(accounts.change_named, name, {"password_hash": passwords.make_hash(new)})
    click.echo(f"{name}: the password is changed, all its sessions are ended")
    _show(made)


@users.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Shut the account NAME out; its sessions end."""
    with told():
        db.write(accounts.change_named, name, {"active": False})
    click.echo(f"{name} is disabled")


@users.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let the account NAME in again."""
    with told():
        db.write(accounts.change_named, name, {"active": True})
    click.echo(f"{name} is enabled")


@users.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
def role(name: str, role: str) -> None:
    """Make the account NAME an admin or a member; its sessions end."""
    with told():
        db.write(accounts.change_named, name, {"role": role})
    click.echo(f"{name} is {role} now; all sessions are ended")


@users.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Remove the account NAME, with its sessions and tokens; the history of books keeps its name."""
    with told():
        db.write(accounts.remove, _id_of(name))
    click.echo(f"{name} is deleted")


@users.command("sign-out")
@click.argument("name")
def sign_out(name: str) -> None:
    """End all sessions of the account NAME."""
    with told():
        db.write(accounts.end_sessions, _id_of(name))
    click.echo(f"{name}: all sessions are ended")


@users.command("revoke-tokens")
@click.argument("name")
def revoke_tokens(name: str) -> None:
    """Revoke all API tokens of the account NAME."""
    with told():
        db.write(accounts.revoke_tokens, _id_of(name))
    click.echo(f"{name}: all API tokens are revoked")


@users.command("mfa-off")
@click.argument("name")
def mfa_off(name: str) -> None:
    """Have the account NAME sign in without its second factor, whose codes are lost; its sessions end."""
    with told():
        db.write(accounts.drop_second_factor, _id_of(name))
    click.echo(f"{name} signs in by the password alone; all sessions are ended")


class told:
    """Turn what cannot be done with an account into the command's one line."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, traceback) -> None:
        if isinstance(error, accounts.AccountError):
            raise click.ClickException(str(error)) from None


def _check_known(name: str, new_role: str | None = None) -> None:
    """Fail before a password is asked for: where the account must be there and is not, or the other way round."""
    with db.read() as connection, Session(connection) as session:
        if new_role is None:
            accounts.existing(session, name)
        else:
            accounts.refuse_taken(session, name, accounts.find(session, name), new_role)


def _id_of(name: str) -> int:
    with db.read() as connection, Session(connection) as session:
        return accounts.existing(session, name).id


def _show(made: str | None) -> None:
    if made:
        click.echo(f"password: {made}")


def _new_password(name: str, from_stdin: bool) -> tuple[str, str | None]:
    """The password to set, and the same again where it was made up here and has to be shown."""
    made = None
    if from_stdin:
        chosen = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        chosen = made = passwords.random_password()
    accounts.check_password(name, chosen)
    return chosen, made


def add_first_admin(name: str) -> str | None:
    """Add an admin with a random password, which is returned; None if there is an admin already."""
    with db.read() as connection:
        if accounts.has_admin(connection):
            return None
    chosen = passwords.random_password()
    with told():
        accounts.check_name(name)
        added = db.write(_add_unless_there_is_one, name, passwords.make_hash(chosen))
    return chosen if added else None


def _add_unless_there_is_one(connection: Connection, name: str, password_hash: str) -> bool:
    locked(connection)  # of several that run at once, one adds
    if accounts.has_admin(connection):
        return False
    accounts.add(connection, name, password_hash, ROLES[0], provisional=True)
    return True
