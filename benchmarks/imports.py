"""How fast a CSV file is imported, beside a plain loop of csv and SQLAlchemy over the same file:

    python -m benchmarks.imports [--books N] [--turns N]

Each turn imports the file into an empty catalogue, then once more, when nothing changes. The plain
loop does the least that anybody would write: a table with a unique ISBN, a look-up of each, a
commit for each thousand. It validates nothing, and has no history, no search index and no change
feed. Starting Python is part of each time.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Column, Integer, String, Table, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Session

from bookapi.books.schemas import WRITABLE

from . import books
from .run import _within
from .servers import ROOT

COLUMNS = WRITABLE[:13]  # title to subjects
COMMIT = 1000  # records between two commits of the plain loop
PLAIN, SERVICE = "csv + SQLAlchemy", "bookapi"


class Base(DeclarativeBase):
    """The table of the plain loop."""


class Book(Base):
    """A row as the file has it."""

    __table__ = Table(
        "books",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        *[Column(name, String, unique=name == "isbn") for name in COLUMNS],
    )


class Cost(NamedTuple):
    """One import: seconds, seconds of processor time, MiB of memory at most."""

    seconds: float
    processor: float
    memory: float


def write(number: int, file: Path) -> None:
    """A CSV file of so many books with COLUMNS."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for book in books.generate(number):
            cells = [book.get(name) for name in COLUMNS]
            writer.writerow([" | ".join(c) if isinstance(c, list) else c for c in cells])


def plain(file: str, database: str) -> None:
    """The plain loop."""
    engine = create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    with Session(engine) as session, open(file, newline="", encoding="utf-8") as source:
        for number, row in enumerate(csv.DictReader(source), 1):
            book = session.scalar(select(Book).where(Book.__table__.c.isbn == row["isbn"]))
            if book is None:
                session.add(Book(**row))
            else:
                for name, value in row.items():
                    if getattr(book, name) != value:
                        setattr(book, name, value)
            if number % COMMIT == 0:
                session.commit()
        session.commit()


def run(*command: str, **environment: str) -> Cost:
    """Run a command of Python."""
    begun = time.perf_counter()
    clean = {name: value for name, value in os.environ.items() if name[:8] != "BOOKAPI_"}
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**clean, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed with {os.waitstatus_to_exitcode(status)}")
    seconds = time.perf_counter() - begun
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def turn(file: Path, folder: Path) -> dict[str, list[Cost]]:
    """Each way into an empty catalogue, and once more."""
    instance = {"BOOKAPI_INSTANCE_PATH": str(folder / "instance")}
    run("-m", "bookapi", "init", **instance)
    costs: dict[str, list[Cost]] = {PLAIN: [], SERVICE: []}
    for _ in range(2):
        database = str(folder / "plain.sqlite")
        costs[PLAIN].append(run("-m", "benchmarks.imports", "--plain", str(file), database))
        costs[SERVICE].append(run("-m", "bookapi", "books", "import", str(file), **instance))
    return costs


def report(number: int, turns: list[dict[str, list[Cost]]]) -> None:
    """The medians as a table."""
    print(f"{number:,} books, {len(COLUMNS)} columns; median of {len(turns)}\n")
    print("| | records/s | processor time, µs a record | MiB |\n|---|---:|---:|---:|")
    for step, what in enumerate(("created", "unchanged")):
        for way in (PLAIN, SERVICE):
            medians = [statistics.median(part) for part in zip(*[t[way][step] for t in turns])]
            rate, each = number / medians[0], medians[1] / number * 1e6
            print(f"| {what}: {way} | {rate:,.0f} | {each:,.0f} | {medians[2]:.0f} |")
        ratios = [t[SERVICE][step].seconds / t[PLAIN][step].seconds for t in turns]
        print(f"| {what}: time ÷ plain loop | {statistics.median(ratios):.2f} | | |")


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.imports", description="Import a CSV file, in two ways."
    )
    parser.add_argument("--books", type=_within(int, 50, 1_000_000), default=20_000, metavar="N")
    parser.add_argument("--turns", type=_within(int, 1, 20), default=3)
    parser.add_argument("--plain", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.plain:
        plain(*asked.plain)
        return 0
    with tempfile.TemporaryDirectory(prefix="bookapi-imports-") as folder:
        file = Path(folder, "books.csv")
        write(asked.books, file)
        turns = []
        for number in range(asked.turns):
            Path(folder, str(number)).mkdir()
            turns.append(turn(file, Path(folder, str(number))))
    report(asked.books, turns)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
