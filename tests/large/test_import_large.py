"""A field of a gigabyte: refused or left out in bounded memory, whatever the format."""

import subprocess
import sys

import pytest

from helpers.support import bookapi, environment

pytestmark = pytest.mark.large
MEASURED = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""
GIGABYTE = 1024**3
PIECE = b"x" * 1024**2
MEMORY = 200 * 1024  # KiB
FILES = {
    "csv": (b"title\nEmma\n", b"\nLast\n"),
    "csv in quotes": (b'title\nEmma\n"', b'"\nLast\n'),
    "jsonl": (b'{"title": "Emma"}\n{"title": "', b'"}\n{"title": "Last"}\n'),
    "json": (b'[{"title": "Emma"}, {"title": "', b'"}, {"title": "Last"}]'),
    "xml": (
        b"<catalogue><books><book><title>Emma</title></book><book><title>",
        b"</title></book></books></catalogue>",
    ),
}


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long") / "instance"
    bookapi(folder, "init")
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_field_of_a_gigabyte_takes_bounded_memory(instance, tmp_path, name):
    begins, ends = FILES[name]
    file = tmp_path / f"books.{name.split()[0]}"
    with file.open("wb") as out:
        out.write(begins)
        for _ in range(GIGABYTE // len(PIECE)):
            out.write(PIECE)
        out.write(ends)
    with (tmp_path / "told").open("wb") as reported:
        command = [sys.executable, "-m", "bookapi", "books", "import", str(file), "--dry-run"]
        # A child's figure begins with the memory of the process that starts it: a small one.
        used = subprocess.run(
            [sys.executable, "-c", MEASURED, *command],
            env=environment(instance),
            stdout=subprocess.PIPE,
            stderr=reported,
            text=True,
        )
    file.unlink()
    text = (tmp_path / "told").read_text()
    assert int(used.stdout.split()[-1]) < MEMORY, text
    place = "1 rejected" if used.returncode == 0 else "line" if name != "xml" else "record 1"
    assert place in text
