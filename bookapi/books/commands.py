"""``bookapi books …``: the catalogue in and out of files."""

import contextlib
import csv
import functools
import gzip
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
import orjson
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from .. import formats
from ..cli import Group
from ..db import db
from . import changes, queries
from .imports import files, service, upload
from .imports.report import COLUMNS, COUNTS, Record
from .schemas import WRITABLE

SAMPLE = Path(__file__).parent / "sample.jsonl"
PURGED_AT_ONCE = 500  # so that others may write in between
SHOWN = 20  # errors and warnings on the terminal; --report has them all
SPOOLED = 16 * 1024 * 1024  # bytes of standard input kept in memory before they go to a file

books = Group("books", help="Import, export and purge books.")


def _readable() -> list[str]:
    return [module.name for module in formats.having("read", "table")]


def _writable() -> list[str]:
    return [module.name for module in formats.having("write")]


def _pairs(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """FIELD=SOMETHING options as pairs."""
    pairs = []
    for text in given:
        field, equals, value = text.partition("=")
        if not equals or not value:
            raise click.BadParameter(f"{text!r} is not FIELD=…")
        if field not in WRITABLE:
            detail = f"{field} is not a field of a book; there are {', '.join(WRITABLE)}"
            raise click.BadParameter(detail)
        pairs.append((field, value))
    return tuple(pairs)


def _text(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else upload.checked(parameter.name or "", value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _parameters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that are parameters of POST /books/import, too."""
    for name, meaning in reversed(upload.MEANINGS.items()):
        values = upload.CHOICES.get(name)
        kind: dict[str, Any] = {"type": click.Choice([*values])} if values else {"callback": _text}
        if values and True in values.values():
            kind = {"is_flag": True}
        default = service.Options._field_defaults[name]
        option = click.option(
            "--" + name.replace("_", "-"),
            default=default,
            help=f"{meaning[0].upper()}{meaning[1:]}.",
            **kind,
        )
        command = option(command)
    return command


@books.command("import")
@click.argument("file")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_readable()),
    help="Default: by the file's name, else by what it looks like.",
)
@_parameters
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=HEADER",
    callback=_pairs,
    help="Take FIELD from this column.",
)
@click.option(
    "--skip-column", "skipped", multiple=True, metavar="HEADER", help="Leave this column out."
)
@click.option(
    "--split",
    "separators",
    multiple=True,
    metavar="FIELD=SEPARATOR",
    callback=_pairs,
    help="What separates the items of a list in one cell; default ' | '.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False),
    help="Write all errors and warnings there, as .csv or .jsonl with the rejected records.",
)
def import_books(
    file: str, format_name: str | None, report_file: str | None, **chosen: Any
) -> None:
    """Import the books of FILE (`-`: standard input; .gz is opened): all of them or none."""
    options = service.Options(**chosen)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_input(file))
        out = stack.enter_context(_output(report_file)) if report_file else None
        writer = ReportWriter(out, report_file) if out and report_file else None
        failure = None
        try:
            with (
                _progress(source) as bar,
                service.prepare(
                    source,
                    options,
                    formats.by_name(format_name or _format_of(file) or ""),
                    functools.partial(bar, "reading"),
                    writer.add if writer else None,
                ) as prepared,
            ):
                report = service.run(prepared, progress=functools.partial(bar, "importing"))
        except service.Rejected as rejected:
            report, failure = rejected.report, str(rejected)
        except (formats.Malformed, formats.Invalid) as error:
            raise click.ClickException(f"{file}: {error}; nothing was stored") from None
        if writer:
            writer.end(report)
    _show(report, report_file is not None)
    if failure:
        raise click.ClickException(failure)


@books.command("purge")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(0, 36500),
    required=True,
    metavar="DAYS",
    help="How many days a book must have been in the trash.",
)
def purge_books(days: int) -> None:
    """Remove for good the books that have been in the trash for that long.

    Of their history stays who did what and when, not what the fields were.
    """
    purged = 0
    while number := db.write(changes.purge, days, PURGED_AT_ONCE, alone=True):
        purged += number
    click.echo(f"{purged} books purged")


@books.command("export")
@click.argument("file")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_writable()),
    help="Default: by the file's name, else jsonl.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter of GET /books/export.",
)
def export_books(file: str, format_name: str | None, filters: tuple[str, ...]) -> None:
    """Export every matching book to FILE (`-`: standard output; .gz is compressed)."""
    writer = formats.by_name(format_name or _format_of(file) or "jsonl")
    if writer is None or not writer.can("write"):
        detail = f"this format can only be imported; there are {', '.join(_writable())}"
        raise click.BadParameter(detail, param_hint="--format")
    wanted: MultiDict[str, str] = MultiDict()
    for text in filters:
        name, _, value = text.partition("=")
        wanted.add(name, value)
    try:
        listing = queries.parse(wanted, paging=False)
    except HTTPException as error:
        raise click.BadParameter(error.description or "", param_hint="--filter") from None
    with _output(file) as out:
        _, records = queries.export(listing)
        for chunk in writer.write(records, listing.fields):
            out.write(chunk)


@books.command("sample")
def sample() -> None:
    """Load the sample of 100 public-domain books, if the catalogue has no book at all."""
    if queries.page(queries.Listing(limit=1)).total:
        click.echo("the catalogue has books already; no sample is loaded")
        return
    with (
        SAMPLE.open("rb") as source,
        service.prepare(source, service.Options(), formats.by_name("jsonl")) as prepared,
    ):
        report = service.run(prepared)
    click.echo(f"loaded a sample of {report['created']} public-domain books")


# -- files -----------------------------------------------------------------------------------------


def _format_of(file: str) -> str | None:
    return files.SUFFIXES.get(Path(file.lower().removesuffix(".gz")).suffix)


@contextlib.contextmanager
def _input(file: str) -> Iterator[BinaryIO]:
    """A file, or standard input in a temporary one so that it can be read twice."""
    if file != "-":
        with Path(file).open("rb") as raw:
            yield raw
        return
    with tempfile.SpooledTemporaryFile(SPOOLED) as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
        yield cast(BinaryIO, spool)


@contextlib.contextmanager
def _output(file: str) -> Iterator[BinaryIO]:
    """Where to write: a file appears under its name only when it is whole."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(file).resolve()
    if target.exists() and not target.is_file():  # a device, a pipe: written in place
        with target.open("wb") as out:
            yield out
        return
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, file) from None
    try:
        os.fchmod(descriptor, 0o666 & ~_umask())
        with os.fdopen(descriptor, "wb") as raw, _compressed(raw, file) as out:
            yield out
        Path(unfinished).replace(target)
    except BaseException:
        Path(unfinished).unlink()
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _compressed(raw: BinaryIO, file: str) -> contextlib.AbstractContextManager[Any]:
    return (
        gzip.GzipFile(fileobj=raw, filename="", mode="wb")
        if file.endswith(".gz")
        else contextlib.nullcontext(raw)
    )


# -- reporting


class ReportWriter:
    """Writes all errors and warnings to a file as they come: CSV, JSON Lines, or the report as
    JSON.

    In the first two the first error of a rejected record has that record with it, to be corrected
    and imported again.
    """

    def __init__(self, out: BinaryIO, name: str):
        self._out = out
        self._suffix = Path(name.lower().removesuffix(".gz")).suffix
        self._csv: Any = None
        self._columns: Sequence[str] = ()
        self._written: int | None = None  # the number of the last record

    def add(self, which: str, entry: dict[str, Any], record: Record | None) -> None:
        """An error or a warning, and the record it is about."""
        names, values = record or ((), ())
        if which != "errors" or entry.get("record") == self._written:
            values = ()
        else:
            self._written = entry.get("record")
        entry = {"severity": which.removesuffix("s"), **entry}
        if self._suffix == ".jsonl":
            original = {"original": dict(zip(names, values))} if values else {}
            self._out.write(orjson.dumps({**entry, **original}, default=str) + b"\n")
        elif self._suffix == ".csv":
            if self._csv is None:
                text = formats.BorrowedText(self._out, "utf-8", newline="", write_through=True)
                self._csv, self._columns = csv.writer(text), names
                self._csv.writerow([*COLUMNS, *names])
            if not values or names != self._columns:
                values = [*map(dict(zip(names, values)).get, self._columns)]
            self._csv.writerow([*map(entry.get, COLUMNS), *values])

    def end(self, report: dict[str, Any]) -> None:
        """The import is done."""
        if self._suffix not in (".csv", ".jsonl"):
            options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
            self._out.write(orjson.dumps(report, option=options))


@contextlib.contextmanager
def _progress(source: BinaryIO) -> Iterator[Callable[[str, int], None]]:
    """A progress bar with records a second, on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda doing, number: None
        return
    begun, size = time.monotonic(), source.seek(0, os.SEEK_END)
    with click.progressbar(length=2 * size, label="reading", file=sys.stderr) as bar:
        read = [1]

        def advance(doing: str, number: int) -> None:
            rate = number / max(time.monotonic() - begun, 0.001)
            bar.label = f"{doing}, {number:,} records, {rate:,.0f}/s"
            if doing == "reading":
                read[0] = max(number, 1)
            done = source.tell() if doing == "reading" else size + size * number // read[0]
            bar.update(max(done - bar.pos, 0))

        yield advance


def _show(report: dict[str, Any], has_file: bool) -> None:
    """The counts on standard output; on standard error how the file was read, and what was not."""
    shown = 0
    for which in ("errors", "warnings"):
        entries = report[which]
        shown += len(entries)
        for entry in entries[:SHOWN]:
            click.echo(f"{which.removesuffix('s')}: {_line(entry)}", err=True)
        if len(entries) > SHOWN:
            more = "" if has_file else "; --report FILE has all"
            click.echo(f"… and {len(entries) - SHOWN} or more other {which}{more}", err=True)
    if shown > SHOWN:
        for kind in report["counts"]:
            click.echo(f"{kind['count']:8} × {kind['kind']}", err=True)
    if report["ignored"]:
        click.echo(f"ignored columns: {', '.join(report['ignored'])}", err=True)
    about = [report["encoding"]]
    about += [f"delimiter {report['delimiter']!r}"] if report["delimiter"] else []
    about += [f"profile {report['profile']}"] if report["profile"] else []
    click.echo(f"read as {', '.join(about)}", err=True)
    would = "" if report["stored"] else " (nothing was stored)"
    click.echo(", ".join(f"{report[name]} {name}" for name in COUNTS) + would)


def _line(entry: dict[str, Any]) -> str:
    place = f"record {entry['record']}" if "record" in entry else "the file"
    place += f", line {entry['line']}" if "line" in entry else ""
    field = f"{entry['field']} " if "field" in entry else ""
    value = f": {entry['value']!r}" if "value" in entry else ""
    return f"{place}: {field}{entry['detail']}{value}"
