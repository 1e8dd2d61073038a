"""Make a throw-away instance, measure it, print tables: `make bench`, or

python -m benchmarks.run [--books N] [--seconds S] [--turns N] [--work NAME,…] [--loader
auto|wrk|own]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from bookapi.db.sqlite import sqlite3

from . import books, load
from .measure import EXPORTS, Export, Plan, Row, measure, measure_export
from .servers import Failed, Instance, on_cpus
from .work import WORKS

READS = [name for name in WORKS if name not in ("mix", "create")]
EVERYTHING = [*READS, *EXPORTS, "mix", "create"]  # what changes the catalogue comes last


def options(arguments: list[str]) -> argparse.Namespace:
    """What the command line asks for; ends the program where that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description="Measure the service."
    )
    parser.add_argument("--books", type=_within(int, 50, 1_000_000), default=10_000, metavar="N")
    parser.add_argument(
        "--seconds", type=_within(float, 0.05, 60), default=3.0, help="of each turn (3)"
    )
    parser.add_argument("--turns", type=_within(int, 1, 20), default=3, help="of each work (3)")
    parser.add_argument(
        "--work", type=_names, default=EVERYTHING, help=f"by comma, of {', '.join(EVERYTHING)}"
    )
    parser.add_argument(
        "--loader", choices=("auto", "wrk", "own"), default="auto", help="auto: wrk where it is"
    )
    return parser.parse_args(arguments)


def _within(kind: type, least: float, most: float):
    def read(text: str):
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:,} to {most:,}")
        return value

    return read


def _names(text: str) -> list[str]:
    asked = set(text.split(","))
    if "export" in asked:
        asked = asked - {"export"} | set(EXPORTS)
    if not asked <= set(EVERYTHING):
        raise argparse.ArgumentTypeError(
            f"{', '.join(asked - set(EVERYTHING))}: not of {', '.join(EVERYTHING)}"
        )
    return [name for name in EVERYTHING if name in asked]


def bench(
    plan: Plan, names: list[str], cpus: tuple[set[int], set[int]]
) -> tuple[list[Row], list[Export]]:
    """Measure these works on a new instance; the first processors are the service's, the second
    the loader's."""
    rows, exports = [], []
    with on_cpus(cpus[1]):
        _say(f"making {plan.books:,} books and importing them")
        books.write(plan.books, plan.folder / "books.jsonl")
        instance = Instance(plan.folder, cpus[0])
        instance.load(plan.folder / "books.jsonl")
        for name in names:
            _say(f"measuring {name}")
            if name in EXPORTS:
                exports.append(measure_export(instance, name, plan))
            else:
                rows.append(measure(instance, name, plan))
    return rows, exports


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def conditions(plan: Plan, cpus: tuple[set[int], set[int]], rows: list[Row]) -> str:
    """How the figures were made, in a line."""
    where = "server and loader on one each" if all(cpus) else "shared by server and loader"
    busy = f"{max((row.busy() for row in rows), default=0):.0%}"
    loader = (
        f"load by wrk, busy {busy} of the time at most"
        if plan.wrk
        else f"load by benchmarks/loader.py, busy {busy} of the time at most (near 100% "
        f"requests/s are its limit)"
    )
    return (
        f"{plan.books:,} books; Python {sys.version.split()[0]}, SQLite "
        f"{sqlite3.sqlite_version}, waitress "
        f"{version('waitress')}; {os.cpu_count()} processors, {where}; {loader}, "
        f"{load.CONNECTIONS} connections; "
        f"turns of {plan.seconds:g} s, the medians of {plan.turns}. Compare the ratios to a "
        f"bare waitress "
        "that serves the same bytes; absolute figures are one machine's."
    )


def table(lines: list[Row] | list[Export]) -> str:
    """The lines as a table in Markdown."""
    head = lines[0].HEAD
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in (head, rule, *[line.cells() for line in lines])
    )


def report(
    plan: Plan, cpus: tuple[set[int], set[int]], rows: list[Row], exports: list[Export]
) -> int:
    """Print it all; the exit status: 0 where every answer was good, else 1."""
    print(conditions(plan, cpus, rows))
    for lines in (rows, exports):
        if lines:
            print("", table(lines), sep="\n")
    bad = {line.name: line.bad() for line in [*rows, *exports] if line.bad()}
    if bad:
        told = ", ".join(f"{name}: {number}" for name, number in bad.items())
        print(f"\n**BAD ANSWERS, so these figures mean nothing: {told}**")
    return 1 if bad else 0


def main(arguments: list[str]) -> int:
    """Do what the command line asks for; the exit status."""
    asked = options(arguments)
    if not sys.platform.startswith("linux"):
        sys.exit("processor time and memory are read from /proc: this needs Linux")
    if asked.loader == "wrk" and not load.wrk_there():
        sys.exit("there is no wrk on the PATH")
    wrk = asked.loader == "wrk" or asked.loader == "auto" and load.wrk_there()
    seconds = max(1, round(asked.seconds)) if wrk else asked.seconds  # wrk knows whole seconds only
    allowed = sorted(os.sched_getaffinity(0))
    cpus = ({allowed[0]}, {allowed[1]}) if len(allowed) > 1 else (set(), set())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(
            number, lambda number, frame: sys.exit(128 + number)
        )  # so that everything is cleaned up
    try:
        with tempfile.TemporaryDirectory(prefix="bookapi-bench-") as folder:
            plan = Plan(asked.books, seconds, asked.turns, wrk, Path(folder))
            rows, exports = bench(plan, asked.work, cpus)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return report(plan, cpus, rows, exports)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
