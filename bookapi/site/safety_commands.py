"""``bookapi backup``, ``restore`` and ``check``: what an operator has against loss."""

from pathlib import Path

import click

from ..cli import command
from ..db import backup as backups
from . import check as checking

FILE = click.argument("file", type=click.Path(path_type=Path))


@command("backup")
@FILE
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
def backup(file: Path, force: bool) -> None:
    """Write all that the database holds to FILE, while the service runs: one SQLite file, whichever the database.

    FILE is verified before it gets its name. It holds accounts, too: keep it as you keep the database.
    """
    click.echo(f"{file}: {backups.make(file, force)}")


@command("restore")
@FILE
@click.option("--force", is_flag=True, help="Replace the books that the database holds.")
def restore(file: Path, force: bool) -> None:
    """Put the backup FILE in the place of all that the database holds, whole or not at all.

    The service may run. Accounts are those of the backup, and whoever was signed in has to sign in again.
    """
    click.echo(f"{file} was put back: {backups.put_back(file, force)}")


@command("check")
@click.option(
    "--mend", is_flag=True, help="Make again what is derived from the books, where it is wrong."
)
def check(mend: bool) -> None:
    """Tell what is wrong with the instance and how to mend it; the service may run. Status 1 if anything is."""
    wrong = _told()
    if mend and any(finding.derived for finding in wrong):
        for line in checking.mend():
            click.echo(f"mended {line}")
        wrong = _told()
    if wrong:
        raise click.ClickException(f"wrong: {', '.join(finding.subject for finding in wrong)}")


def _told() -> list[checking.Finding]:
    """What is wrong, after all that was looked at is told."""
    wrong = []
    for finding in checking.findings():
        click.echo(str(finding))
        if finding.wrong:
            wrong.append(finding)
    return wrong


COMMANDS = (backup, restore, check)
