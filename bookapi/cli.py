"""The console: one clear line on standard error and exit status 1 where a command fails; 2 for
wrong usage (click's own)."""

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

from .db import cause, translate
from .db.failures import busy

P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Report in one line the failures that an operator can fix; a bug keeps its traceback."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (HTTPException, DBAPIError) as error:
            raise click.ClickException(_line(error)) from None
        except BrokenPipeError:
            # The reader of the output has gone (`… | head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(1) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{where}{error.strerror or error}") from None

    return wrapper


def _line(error: HTTPException | DBAPIError) -> str:
    known = translate(error) if isinstance(error, DBAPIError) else error
    said = known.description if known else "the database failed"
    if known is not None and known.code == 503 and known.description != busy().description:
        said = "the database cannot be used (bookapi init makes one where there is none)"
    return ": ".join(part for part in (said, cause(error)) if part).replace("\n", " ")


def command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command that runs in the application's context and reports its errors in one line."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        make: click.Command = click.command(*args, **kwargs)(
            with_appcontext(reports_errors(function))
        )
        return make

    return decorate


class Group(AppGroup):
    """A group whose commands report their errors in one line."""

    def command(  # type: ignore[override] # as AppGroup itself declares it
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        def decorate(function: Callable[..., Any]) -> click.Command:
            return super(Group, self).command(*args, **kwargs)(reports_errors(function))

        return decorate


class Console(click.Group):
    """``bookapi``: the commands that the application registers, and nothing else.

    (Flask's own FlaskGroup would put the commands of installed plug-ins before ours.)
    """

    def __init__(self, create_app: Callable[[], Flask], **kwargs: Any):
        super().__init__(**kwargs)
        self.create_app = create_app

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        extra.setdefault("obj", ScriptInfo(create_app=self.create_app))
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ctx.ensure_object(ScriptInfo).load_app().cli.list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return ctx.ensure_object(ScriptInfo).load_app().cli.get_command(ctx, cmd_name)
