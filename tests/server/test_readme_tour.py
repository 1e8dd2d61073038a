"""The commands of the tour in README.md have the output that is shown there."""

import re
import subprocess
import sys

import pytest

from helpers.instance import ROOT
from helpers.support import bookapi, environment

SHOWN = "http://127.0.0.1:8000"  # the address in the README
COMMANDS = 10


def _steps():
    """(command, output) of each `$ command` in the console blocks of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:\\\n|'[^']*'|[^\n'])*", step)[0]  # to the end of its last line
            yield command, step[len(command) :]


def _as_pattern(output):
    """A pattern for an output: `…` and instants are any text; line breaks and blanks are
    ignored.
    """
    varying = re.sub(r"\d{20}", "…", output)  # the instant of a change in an ETag
    parts = [re.escape(re.sub(r"\s", "", part)) for part in varying.split("…")]
    return ".*".join(parts)


@pytest.fixture
def tour(tmp_path):
    """A function that runs a command of the README against a new instance with the sample."""
    folder = tmp_path / "instance"
    password = re.search("admin password: (.*)", bookapi(folder, "init").stdout)[1]
    bookapi(folder, "books", "sample")
    process = subprocess.Popen(
        [sys.executable, "-m", "bookapi", "serve", "--port", "0"],
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    address = process.stdout.readline().removeprefix("serving on ").strip()

    def run(command):
        own = command.replace(SHOWN, address).replace('"PASSWORD"', f'"{password}"')
        done = subprocess.run(
            ["bash", "-c", own], cwd=tmp_path, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.replace(address, SHOWN)

    yield run
    process.terminate()
    process.communicate(timeout=30)


def test_the_readme_tour_prints_the_shown_output(tour):
    steps = list(_steps())
    assert len(steps) == COMMANDS
    for command, shown in steps:
        output = tour(command)
        assert re.fullmatch(_as_pattern(shown), re.sub(r"\s", "", output)), f"{command}\n{output}"
