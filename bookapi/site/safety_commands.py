"""``bookapi backup``, ``restore`` and ``check``: an operator's tools against loss."""

from pathlib import Path

import click

from ..cli import command
from . import backup as backups
from . import check as checks

FILE = click.argument("file", type=click.Path(path_type=Path))


@command("backup")
@FILE
@click.option("--force", is_flag=True, help="Replace an older backup.")
def backup(file: Path, force: bool) -> None:
    """Write the whole database to FILE, one SQLite file whichever the engine; the service may run.

    FILE is verified before it gets its name. It holds the accounts, too: protect it like the database.
    """
    click.echo(f"{file}: {backups.create(file, force)}")


@command("restore")
@FILE
@click.option("--force", is_flag=True, help="Replace the books that the database holds.")
def restore(file: Path, force: bool) -> None:
    """Replace the whole database by the backup FILE, whole or not at all; the service may run.

    Accounts, passwords, roles and second factors are those of the backup: disable again whom you disabled since.
    Everyone has to sign in again. API tokens that were revoked since the backup stay revoked, and those that were made
    since are gone. Numbers of changes, books and accounts go on from the higher ones: none is given twice.
    """
    click.echo(f"{file} was restored: {backups.restore(file, force)}")


@command("check")
@click.option("--mend", is_flag=True, help="Rebuild what is derived from the books if it is wrong.")
def check(mend: bool) -> None:
    """Report what is wrong with the instance and how to fix it; the service may run. Exit status 1 if anything is."""
    wrong = _report()
    if mend and any(finding.step == checks.MEND for finding in wrong):
        checks.rebuild(wrong)
        click.echo("rebuilt all that is derived from the books")
        wrong = _report()
    if wrong:
        raise click.ClickException(f"wrong: {', '.join(finding.subject for finding in wrong)}")


def _report() -> list[checks.Finding]:
    """Print every finding; returns those that are wrong."""
    wrong = []
    for finding in checks.findings():
        click.echo(str(finding))
        if finding.wrong and finding.step:
            wrong.append(finding)
    return wrong


COMMANDS = (backup, restore, check)
