"""``bookapi users …``: accounts from the command line."""
import sys

import click
from sqlalchemy.orm import Session

from ..cli import Group
from ..db import db
from . import accounts, passwords
from .models import MEMBER, ROLES

users = Group("users", help="Add, list, disable and enable accounts; set their passwords.")


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default=MEMBER, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def add(name: str, role: str, password_stdin: bool) -> None:
    """Add the account NAME. Without --password-stdin it asks, or makes a random password when there is no terminal."""
    with told():
        _check_free(name)
        password = _new_password(name, password_stdin)
        added = db.write(accounts.add, name, passwords.make_hash(password), role)
    click.echo(f"added {added} ({role})")


@users.command("list")
def list_all() -> None:
    """One line an account: id, name, role, state, created."""
    with db.read() as reader, Session(reader.engine) as session:
        for user in accounts.list_all(session):
            state = "active" if user.active else "disabled"
            click.echo(f"{user.id}\t{user.username}\t{user.role}\t{state}\t{user.created_at:%Y-%m-%d}")


@users.command("password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def password(name: str, password_stdin: bool) -> None:
    """Give the account NAME another password; its sessions end."""
    with told():
        new = _new_password(name, password_stdin)
        db.write(accounts.set_password, name, passwords.make_hash(new))
    click.echo(f"{name}: the password is changed, all its sessions are ended")


@users.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Shut the account NAME out; its sessions end."""
    with told():
        db.write(accounts.set_active, name, False)
    click.echo(f"{name} is disabled")


@users.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let the account NAME in again."""
    with told():
        db.write(accounts.set_active, name, True)
    click.echo(f"{name} is enabled")


class told:
    """Turn what cannot be done with an account into the command's one line."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, traceback) -> None:
        if isinstance(error, accounts.AccountError):
            raise click.ClickException(str(error)) from None


def _check_free(name: str) -> None:
    """Fail before a password is asked for."""
    with db.read() as reader, Session(reader.engine) as session:
        known = accounts.find(session, name)
    if known is not None and not known.provisional:
        raise accounts.AccountError("username", f"is taken: {known.username}")


def _new_password(name: str, from_stdin: bool) -> str:
    if from_stdin:
        chosen = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        chosen = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        chosen = passwords.random_password()
        click.echo(f"password: {chosen}")
    accounts.check_new(name, chosen)
    return chosen


def add_first_admin(name: str) -> str | None:
    """An admin with a random password, which is returned; None where there is an admin already."""
    with db.read() as reader, Session(reader.engine) as session:
        if accounts.has_admin(session):
            return None
    chosen = passwords.random_password()
    with told():
        accounts.check_new(name, chosen)
        db.write(accounts.add, name, passwords.make_hash(chosen), ROLES[0], provisional=True)
    return chosen
