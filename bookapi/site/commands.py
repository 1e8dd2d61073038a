"""``bookapi init``, ``serve``, ``db`` and ``routes``: create, start and upgrade the service."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import click
from flask import current_app

from .. import server
from ..auth.commands import add_first_admin
from ..cli import Group, command
from ..config import SECRET_FILE
from ..db import create_file, db, schema_error, schema_revisions
from ..db.durability_warnings import durability_warnings
from ..db.schema import known_revisions, migrations, upgrade_schema
from ..http import endpoints
from ..server.listening import HANDED_OVER
from .views import unready


@command("init")
@click.option("--admin", default="admin", show_default=True, help="The name of the first admin.")
def init(admin: str) -> None:
    """Create the instance: folder, secret, database at the newest schema, a first admin.

    Safe to repeat, and to run several times at once: the one that adds the admin prints its password.
    """
    folder = Path(current_app.instance_path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create_secret(folder / SECRET_FILE)
    create_file()
    _upgrade()
    password = add_first_admin(admin)
    click.echo(f"instance: {folder}")
    if password:
        click.echo(f"admin: {admin}")
        click.echo(f"admin password: {password}")


def _create_secret(path: Path) -> None:
    """Create the file of the secret that signs cookies, readable by its owner alone; whole or not at all."""
    if path.exists():
        return
    descriptor, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    with suppress(FileExistsError):  # another `init` was first
        os.link(unfinished, path)
    os.unlink(unfinished)


def _upgrade() -> None:
    found, needed = schema_revisions()
    if found not in (None, *known_revisions()):
        raise click.ClickException(schema_error(found) or "")
    if found != needed:
        upgrade_schema(db.engine)


@command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--unix-socket", type=click.Path(dir_okay=False), help="Listen there instead of on a port."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Threads of each process.",
)
def serve(host: str, port: int, unix_socket: str | None, workers: int, threads: int) -> None:
    """Serve until SIGTERM, which lets every request in flight finish; SIGHUP replaces the workers one by one."""
    if not current_app.config["SECRET_KEY"]:
        raise click.ClickException(
            "there is no secret yet; run: bookapi init (or set BOOKAPI_SECRET_KEY)"
        )
    reason = unready()
    if reason:
        hint = "" if "run:" in reason else "; is there a database? bookapi init makes one"
        raise click.ClickException(reason + hint)
    listening = server.listen(host, port, unix_socket)
    if (
        HANDED_OVER not in os.environ
    ):  # once, not by each worker, which is this command started again
        for warning in db.ask(durability_warnings, current_app.config["MAX_BODY_BYTES"]):
            current_app.logger.warning(warning)
    db.keep_threads_for_reading(threads)
    db.engine.dispose()  # a forked worker opens its own connections
    server.run(current_app._get_current_object(), listening, workers, threads)


db_commands = Group("db", help="The schema of the database.")


@db_commands.command("upgrade")
def upgrade() -> None:
    """Bring the schema to what this program needs."""
    _upgrade()
    click.echo(f"the schema is {schema_revisions()[1]}")


@db_commands.command("current")
def current() -> None:
    """Print the schema that the database has."""
    click.echo(schema_revisions()[0] or "none")


@db_commands.command("check")
def check() -> None:
    """Fail if the schema is not what this program needs."""
    reason = unready()
    if reason:
        raise click.ClickException(reason)
    migrations(db.engine).check()


@command("routes")
def routes() -> None:
    """Print every address with its methods and who may use it."""
    for path, methods, declared in endpoints.routes(current_app):
        click.echo(f"{path}\t{' '.join(methods)}\t{declared.access}")


COMMANDS = (init, serve, routes, db_commands)
