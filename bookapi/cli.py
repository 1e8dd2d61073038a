"""The console: how commands fail. One clear line on standard error and exit status 1; 2 for wrong usage."""

import functools
import os
import sys

import click
from flask.cli import AppGroup, FlaskGroup, ScriptInfo, with_appcontext
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from .db import cause, translate
from .db.failures import busy


def telling(function):
    """Turn the failures that an operator can mend into one line; anything else is a fault of ours and shows itself."""

    @functools.wraps(function)
    def told(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except (HTTPException, DBAPIError) as error:
            raise click.ClickException(_line(error)) from None
        except BrokenPipeError:
            # Whoever reads our output has seen enough (`… | head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from None

    return told


def _line(error: HTTPException | DBAPIError) -> str:
    known = translate(error) if isinstance(error, DBAPIError) else error
    said = known.description if known else "the database failed"
    if known is not None and known.code == 503 and known.description != busy().description:
        said = "the database cannot be used (bookapi init makes one where there is none)"
    return ": ".join(part for part in (said, cause(error)) if part).replace("\n", " ")


def command(*args, **kwargs):
    """A command inside the application's context that fails in one line."""

    def decorate(function):
        return click.command(*args, **kwargs)(with_appcontext(telling(function)))

    return decorate


class Group(AppGroup):
    """A group whose commands fail in one line."""

    def command(self, *args, **kwargs):
        def decorate(function):
            return super(Group, self).command(*args, **kwargs)(telling(function))

        return decorate


class Console(FlaskGroup):
    """``bookapi``: the application's own commands and nothing of Flask's."""

    def __init__(self, **kwargs):
        super().__init__(add_default_commands=False, add_version_option=False, **kwargs)
        self.params = []  # --app, --debug and --env-file mean nothing here
        self._loaded_plugin_commands = True  # `db` is our own, not the whole of Flask-Migrate's

    def list_commands(self, ctx):
        ctx.ensure_object(
            ScriptInfo
        ).load_app()  # Flask's own way prints a traceback over a wrong setting
        return super().list_commands(ctx)
