"""Readers of the files in tests/data. README.md there names the source and the licence of each
file.
"""

import gzip
import io
import json
from functools import cache

from helpers.instance import DATA

CATALOGUES = DATA / "catalogues"
PAYLOADS = ("sql-fuzz", "sql-polyglots", "xss-polyglots")


def read_text(name):
    return (DATA / name).read_text(encoding="utf-8")


def open_catalogue(name):
    """A compressed catalogue as a text file."""
    return io.TextIOWrapper(gzip.open(CATALOGUES / name), encoding="utf-8", newline="")


def xml_attacks():
    """The paths of the XML attacks."""
    return sorted((DATA / "xml-attacks").iterdir())


@cache
def json_cases():
    """The cases of JSONTestSuite: dicts with `name`, `input` and `expect` (accept, reject,
    either).
    """
    lines = read_text("json/json-parsing.jsonl").splitlines()
    return [json.loads(line) for line in lines]


@cache
def real_titles():
    """Titles of real books, with unusual characters."""
    lines = read_text("naughty/real-titles.jsonl").split("\n")
    return [json.loads(line)["text"] for line in lines if line]


@cache
def payloads(*names):
    """The lines of these payload files, without those of the same text."""
    lines = (line for name in names for line in read_text(f"naughty/{name}.txt").splitlines())
    return list(dict.fromkeys(line for line in lines if line))


@cache
def hostile_strings():
    """The Big List of Naughty Strings, and payloads against SQL and HTML."""
    return list(dict.fromkeys([*big_list(), *payloads(*PAYLOADS)]))


def big_list():
    return json.loads(read_text("naughty/blns.json"))


def _mojibake(text):
    """The text after one wrong decoding, as it is often found in catalogues."""
    return text.encode().decode("cp1252", "replace")


@cache
def naughty_strings():
    """All of the above, path traversal, spreadsheet formulas, real titles, and titles decoded
    wrongly.
    """
    others = payloads("formula-injection", "path-traversal")
    garbled = [_mojibake(title) for title in real_titles()[::3]]
    return list(dict.fromkeys([*hostile_strings(), *others, *real_titles(), *garbled]))
