"""``bookapi init``, ``serve``, ``db`` and ``routes``: create, start and upgrade the service."""

import os
import secrets
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from .. import server
from ..auth.commands import add_first_admin
from ..auth.fingerprint import record_secret, secret_fault
from ..cli import Group, command, reports_errors
from ..config import SECRET_FILE
from ..db import db, explain
from ..db.dialects.durability_warnings import durability_warnings
from ..db.schema import known_revisions, migrations, schema_error, schema_revision, upgrade_schema
from ..http import endpoints
from .contract import CONTRACT
from .views import sample, unready


@command("init")
@click.option("--admin", default="admin", show_default=True, help="The name of the first admin.")
def init(admin: str) -> None:
    """Create the instance: folder, secret, database at the newest schema, a first admin.

    Safe to repeat, and to run several times at once: the one that adds the admin prints its
    password.
    """
    _init(admin)
    if current_app.config["SECRET_KEY"]:  # else this process made it just now
        record_secret(replace=True)


def _init(admin: str = "admin") -> None:
    folder = Path(current_app.instance_path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create_secret(folder / SECRET_FILE)
    db.dialect.create_file()
    _upgrade()
    password = add_first_admin(admin, current_app.config["ADMIN_PASSWORD"])
    click.echo(f"instance: {folder}")
    if password:
        click.echo(f"admin: {admin}")
        click.echo(f"admin password: {password}")


def _create_secret(path: Path) -> None:
    """Create the key of the hashes of sessions, whole or not at all, readable by its owner
    alone."""
    if path.exists():
        return
    descriptor, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    with suppress(FileExistsError):  # another `init` was first
        os.link(unfinished, path)
    Path(unfinished).unlink()


def _upgrade() -> None:
    found = db.ask(schema_revision)
    if found not in (None, *known_revisions()):
        raise click.ClickException(schema_error(found) or "")
    if found != known_revisions()[-1]:
        upgrade_schema(db.engine)


def _prepare(init: bool, wait: int) -> None:
    """For ``serve --init --wait SECONDS``: create or upgrade the instance, once the database is
    there.
    """
    deadline, said = time.monotonic() + wait, None
    while reason := _unprepared(init):
        stopped = signal.sigtimedwait([signal.SIGTERM], 0 if not wait else 1)
        if stopped or time.monotonic() >= deadline:
            raise click.ClickException(reason)
        if reason != said:
            current_app.logger.warning("waiting: %s", reason)
            said = reason


def _unprepared(init: bool) -> str | None:
    try:
        if init:
            _init()
        return unready()
    except (HTTPException, DBAPIError) as error:
        if isinstance(error, HTTPException) and error.code != 503:
            raise
        return explain(error)


@reports_errors
@with_appcontext
def _serve(threads: int, workers: int, init: bool, wait: int, **options: Any) -> None:
    if server.is_preparing():
        _prepare(init, wait)
        return
    is_worker = server.WORKER in os.environ
    if is_worker:
        server.keep_to_processor()  # and so all threads that are started from here on
    if not is_worker and (init or wait):  # nothing to check before they are done
        server.supervise(threads=threads, workers=workers, init=init, wait=wait, **options)
    if not current_app.config["SECRET_KEY"]:
        raise click.ClickException(
            "there is no secret yet; run: bookapi init (or set BOOKAPI_SECRET_KEY)"
        )
    reason = unready()
    if reason:
        raise click.ClickException(reason)
    if not is_worker:
        server.supervise(threads=threads, workers=workers, init=False, wait=0, **options)
    if server.is_first_worker():
        for warning in db.ask(durability_warnings, current_app.config["MAX_BODY_BYTES"]):
            current_app.logger.warning(warning)
        _compare_secrets()
    db.keep_threads_for_reading(threads)
    db.limit_silence()
    app = click.get_current_context().ensure_object(ScriptInfo).load_app()
    server.work(app, threads, workers, sample)


def _compare_secrets() -> None:
    fault = secret_fault()
    if fault:
        current_app.logger.warning("%s; after a change of the secret: bookapi init", fault)
    with suppress(HTTPException):  # of a database that cannot be changed now
        record_secret(replace=False)


serve = server.command(_serve)


db_commands = Group("db", help="The schema of the database.")


@db_commands.command("upgrade")
def upgrade() -> None:
    """Bring the schema to what this program needs."""
    _upgrade()
    click.echo(f"the schema is {known_revisions()[-1]}")


@db_commands.command("current")
def current() -> None:
    """Print the schema that the database has."""
    click.echo(db.ask(schema_revision) or "none")


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


@command("openapi")
def openapi() -> None:
    """Print the OpenAPI document."""
    click.echo(current_app.extensions[CONTRACT].openapi)


@command("schema")
def schema() -> None:
    """Print the XSD of all documents but problems."""
    click.echo(current_app.extensions[CONTRACT].xsd)


COMMANDS = (init, serve, server.health, routes, openapi, schema, db_commands)
