"""``bookapi books …``: the catalogue in and out of files."""

import contextlib
import functools
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import click
import orjson
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from .. import formats
from ..cli import Group
from ..db import db
from . import changes, queries
from .imports import files, mapping, service

SAMPLE = Path(__file__).parent / "sample.jsonl"
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xml": "xml",
}
PURGED_AT_ONCE = 500  # so that others may write in between
SHOWN = 20  # errors and warnings on the terminal; --report has them all
SPOOLED = 16 * 1024 * 1024  # bytes of standard input kept in memory before they go to a file

books = Group("books", help="Import, export and purge books.")


def _readable() -> list[str]:
    return [module.name for module in formats.having("read", "table")]


def _writable() -> list[str]:
    return [module.name for module in formats.having("write")]


def _pairs(context, parameter, given: tuple[str, ...]) -> dict[str, str]:
    """FIELD=SOMETHING options as a mapping."""
    pairs = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not equals or not value:
            raise click.BadParameter(f"{text!r} is not FIELD=…")
        pairs[field] = value
    try:
        mapping.check_fields(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return pairs


@books.command("import")
@click.argument("file")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_readable()),
    help="Default: by the file's name, else csv.",
)
@click.option(
    "--mode",
    type=click.Choice(["upsert", "create"]),
    default="upsert",
    show_default=True,
    help="upsert updates the book that has the record's ISBN, else its first identifier; create rejects it.",
)
@click.option(
    "--on-error",
    type=click.Choice(["abort", "skip"]),
    default="abort",
    show_default=True,
    help="abort stores nothing when one record is wrong; skip leaves the wrong ones out.",
)
@click.option(
    "--strict", is_flag=True, help="Reject what would otherwise be read leniently or ignored."
)
@click.option("--dry-run", is_flag=True, help="Report what would be done; store nothing.")
@click.option(
    "--column",
    "given",
    multiple=True,
    metavar="FIELD=HEADER",
    callback=_pairs,
    help="Take FIELD from this column.",
)
@click.option(
    "--split",
    "separators",
    multiple=True,
    metavar="FIELD=SEPARATOR",
    callback=_pairs,
    help="What stands between the items of a list in one cell; default ' | '.",
)
@click.option("--encoding", help="The file's character encoding; default utf-8, XML says its own.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False),
    help="Write the whole report there, as JSON.",
)
def import_books(
    file: str,
    format_name: str | None,
    mode: str,
    on_error: str,
    strict: bool,
    dry_run: bool,
    given: dict,
    separators: dict,
    encoding: str | None,
    report_file: str | None,
) -> None:
    """Import the books of FILE (`-`: standard input; .gz is opened): all of them or none."""
    if encoding:
        _check_encoding(encoding)
    options = service.Options(mode, on_error, strict, dry_run, given, separators)
    reader = formats.by_name(format_name or _format_of(file) or "csv")
    if not reader.can("read", "table"):
        raise click.ClickException(
            f"{reader.name} cannot be imported; there is {', '.join(_readable())}"
        )
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(_Input(file))
        told = stack.enter_context(_output(report_file)) if report_file else None
        bar = stack.enter_context(_progress(source))
        failure = None
        try:
            report = service.run(
                db.write, functools.partial(source.records, reader, encoding), options, bar
            )
        except service.Rejected as rejected:
            report, failure = rejected.report, str(rejected)
        except (formats.Malformed, formats.Invalid) as error:
            raise click.ClickException(f"{file}: {error}; nothing was stored") from None
        _tell(report, told)
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
    wanted: MultiDict = MultiDict()
    for text in filters:
        name, _, value = text.partition("=")
        wanted.add(name, value)
    try:
        listing = queries.parse(wanted, paging=False)
    except HTTPException as error:
        raise click.BadParameter(error.description, param_hint="--filter") from None
    with _output(file) as out:
        for chunk in writer.write(queries.stream(listing), listing.fields):
            out.write(chunk)


@books.command("sample")
def sample() -> None:
    """Load the sample of 100 public-domain books, if the catalogue has no book at all."""
    if queries.page(queries.Listing(limit=1)).total:
        click.echo("the catalogue has books already; no sample is loaded")
        return
    with _Input(str(SAMPLE)) as source:
        report = service.run(
            db.write,
            functools.partial(source.records, formats.by_name("jsonl")),
            service.Options(),
        )
    click.echo(f"loaded a sample of {report.counts['created']} public-domain books")


# -- files --------------------------------------------------------------------------------------------------------


def _format_of(file: str) -> str | None:
    return SUFFIXES.get(Path(file.removesuffix(".gz")).suffix.lower())


def _check_encoding(encoding: str) -> None:
    try:
        "".encode(encoding)
    except LookupError:
        raise click.BadParameter(
            f"{encoding!r} is no encoding that is known here", param_hint="--encoding"
        ) from None


class _Input:
    """A file, or standard input spooled so that it can be read again."""

    def __init__(self, file: str):
        self._raw: BinaryIO = open(file, "rb") if file != "-" else _spooled(sys.stdin.buffer)
        self._gzipped = self._raw.read(2) == b"\x1f\x8b"
        self.size = self._raw.seek(0, os.SEEK_END)

    def __enter__(self) -> "_Input":
        return self

    def __exit__(self, *exc_info) -> None:
        self._raw.close()

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._raw.tell()

    def records(self, reader: formats.Format, encoding: str | None = None) -> Iterator:
        """The records from the beginning; the encoding, where it is not the format's own."""
        self._raw.seek(0)
        try:
            opened = gzip.GzipFile(fileobj=self._raw, mode="rb") if self._gzipped else self._raw
            yield from files.records(reader, opened, encoding)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise formats.Malformed(f"is damaged: {error}") from None


def _spooled(stream: BinaryIO) -> BinaryIO:
    spool = tempfile.SpooledTemporaryFile(SPOOLED)
    shutil.copyfileobj(stream, spool)
    spool.seek(0)
    return spool


@contextlib.contextmanager
def _output(file: str) -> Iterator[BinaryIO]:
    """Where to write: a file appears under its name only when it is whole."""
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.exists(file) and not os.path.isfile(
        file
    ):  # a device, a pipe: nothing to put in its place
        with open(file, "wb") as out:
            yield out
        return
    target = Path(os.path.realpath(file))
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, file) from None
    try:
        os.fchmod(descriptor, 0o666 & ~_umask())
        with open(descriptor, "wb") as raw, _compressed(raw, file) as out:
            yield out
        os.replace(unfinished, target)
    except BaseException:
        os.unlink(unfinished)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _compressed(raw: BinaryIO, file: str):
    return (
        gzip.GzipFile(fileobj=raw, filename="", mode="wb")
        if file.endswith(".gz")
        else contextlib.nullcontext(raw)
    )


# -- telling ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _progress(source: _Input) -> Iterator[Callable[[int], None]]:
    """A progress bar by bytes read, on a terminal; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda number: None
        return
    with click.progressbar(length=source.size, label="importing", file=sys.stderr) as bar:

        def advance(number: int) -> None:
            bar.label = f"importing, {number} records"
            bar.update(max(source.position - bar.pos, 0))

        yield advance


def _tell(report: service.Report, report_file: BinaryIO | None) -> None:
    """The counts on standard output, what was refused or read leniently on standard error, all of it in the file."""
    if report_file:
        report_file.write(
            orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        )
    for kind, told in (("error", report.errors), ("warning", report.warnings)):
        for entry in told[:SHOWN]:
            click.echo(f"{kind}: {_line(entry)}", err=True)
        if len(told) > SHOWN:
            more = "" if report_file else "; --report FILE has them all"
            click.echo(f"… and {len(told) - SHOWN} more {kind}s{more}", err=True)
    if report.ignored:
        click.echo(f"ignored columns: {', '.join(report.ignored)}", err=True)
    click.echo(", ".join(f"{count} {name}" for name, count in report.counts.items()))


def _line(entry: dict) -> str:
    field = f"{entry['field']} " if "field" in entry else ""
    value = f": {entry['value']!r}" if "value" in entry else ""
    line = f", line {entry['line']}" if "line" in entry else ""
    return f"record {entry['record']}{line}: {field}{entry['detail']}{value}"
