"""The console command: one clear line on standard error and exit status 1 for what fails, 2 for
wrong usage.
"""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import click
from flask import Flask
from flask.cli import AppGroup, ScriptInfo, with_appcontext
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from .db import db, explain

P = ParamSpec("P")
T = TypeVar("T")


def reports_errors(function: Callable[P, T]) -> Callable[P, T]:
    """Report in one line what an operator can fix; anything else shows its traceback. The database
    is closed afterwards."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except (HTTPException, DBAPIError) as error:
            raise click.ClickException(explain(error)) from None
        except BrokenPipeError:
            # The reader of the output has ended (`… | head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from None
        finally:
            db.close()

    return wrapper


def command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command inside the application's context that fails in one line."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        made: click.Command = click.command(*args, **kwargs)(
            with_appcontext(reports_errors(function))
        )
        return made

    return decorate


class Group(AppGroup):
    """A group whose commands fail in one line."""

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        """A command of this group."""

        def decorate(function: Callable[..., Any]) -> click.Command:
            made: click.Command = super(Group, self).command(*args, **kwargs)(
                reports_errors(function)
            )
            return made

        return decorate


class Console(click.Group):
    """``bookapi``: the application's own commands, and none of Flask's or its plugins."""

    def __init__(self, create_app: Callable[..., Flask], **kwargs: Any):
        super().__init__(**kwargs)
        self.context_settings["obj"] = ScriptInfo(create_app=create_app)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return self._commands(ctx).list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The one of this name."""
        return self._commands(ctx).get_command(ctx, cmd_name)

    def _commands(self, ctx: click.Context) -> click.Group:
        return ctx.ensure_object(ScriptInfo).load_app().cli
