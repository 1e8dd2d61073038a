"""``bookapi users …``: accounts from the command line."""

import sys

import click
from sqlalchemy import select

from ..cli import Group
from ..db import db
from . import accounts, passwords
from .models import MEMBER, ROLES, User

users = Group("users", help="Accounts: add, list, change, delete; sessions, tokens, second factor.")
password_stdin = click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from the first line of standard input.",
)


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default=MEMBER, show_default=True)
@password_stdin
def add(name: str, role: str, password_stdin: bool) -> None:
    """Add the account NAME. Without --password-stdin it asks for a password; without a terminal it
    makes a random one.
    """
    accounts.check_name(name)
    with db.read() as connection:  # before a password is asked for
        accounts.refuse_taken(connection, name, accounts.find(connection, name), role)
    password, generated = _new_password(name, password_stdin)
    added = db.write(accounts.add, name, passwords.make_hash(password), role)
    click.echo(f"added {added.username} ({role})")
    _show(generated)


@users.command("list")
def list_all() -> None:
    """Print a line for each account: id, name, role, state, date created, and `mfa` if it has a
    second factor.
    """
    with db.read() as connection:
        for user in connection.execute(select(User).order_by(User.id)):
            state = "active" if user.active else "disabled"
            mfa = ["mfa"] if user.totp_secret else []
            created = f"{user.created_at:%Y-%m-%d}"
            click.echo("\t".join([str(user.id), user.username, user.role, state, created, *mfa]))


@users.command("password")
@click.argument("name")
@password_stdin
def password(name: str, password_stdin: bool) -> None:
    """Change the password of the account NAME; its sessions end."""
    user_id = _id_of(name)
    new, generated = _new_password(name, password_stdin)
    db.write(accounts.change, user_id, {"password_hash": passwords.make_hash(new)})
    click.echo(f"{name}: password changed, all sessions ended")
    _show(generated)


@users.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Disable the account NAME; its sessions end."""
    db.write(accounts.change, _id_of(name), {"active": False})
    click.echo(f"{name} is disabled")


@users.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Enable the account NAME again."""
    db.write(accounts.change, _id_of(name), {"active": True})
    click.echo(f"{name} is enabled")


@users.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
def role(name: str, role: str) -> None:
    """Make the account NAME an admin or a member; its sessions end."""
    db.write(accounts.change, _id_of(name), {"role": role})
    click.echo(f"{name} is {role} now; all sessions ended")


@users.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete the account NAME with its sessions and tokens; the history of books keeps its name."""
    db.write(accounts.remove, _id_of(name))
    click.echo(f"{name} is deleted")


@users.command("sign-out")
@click.argument("name")
def sign_out(name: str) -> None:
    """End all sessions of the account NAME."""
    db.write(accounts.end_sessions, _id_of(name))
    click.echo(f"{name}: all sessions ended")


@users.command("revoke-tokens")
@click.argument("name")
def revoke_tokens(name: str) -> None:
    """Revoke all API tokens of the account NAME."""
    db.write(accounts.revoke_tokens, _id_of(name))
    click.echo(f"{name}: all API tokens revoked")


@users.command("mfa-off")
@click.argument("name")
def mfa_off(name: str) -> None:
    """Remove the second factor of the account NAME, whose codes are lost; its sessions end."""
    db.write(accounts.drop_second_factor, _id_of(name))
    click.echo(f"{name} signs in by the password alone; all sessions ended")


def add_first_admin(name: str, given: str | None) -> str | None:
    """Add an admin with the password that was given, else with a random one; returns the one to
    show. None if there is an admin already.
    """
    with db.read() as connection:
        if accounts.has_admin(connection):
            return None
    accounts.check_name(name)
    if given is not None:
        accounts.check_password(name, given)
    chosen = given or passwords.random_password()
    added = db.write(accounts.add_first_admin, name, passwords.make_hash(chosen))
    return chosen if added and given is None else None


def _id_of(name: str) -> int:
    with db.read() as connection:
        return int(accounts.existing(connection, name).id)


def _new_password(name: str, from_stdin: bool) -> tuple[str, str | None]:
    """The password to set, and the same again if it was generated and has to be shown."""
    generated = None
    if from_stdin:
        chosen = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        chosen = generated = passwords.random_password()
    accounts.check_password(name, chosen)
    return chosen, generated


def _show(generated: str | None) -> None:
    if generated:
        click.echo(f"password: {generated}")
