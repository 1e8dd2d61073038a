"""The progress bar of an import, on a terminal and nowhere else."""

import os
import pty
import re
import subprocess
import sys

import pytest

from helpers.support import bookapi, csv_bytes, environment


@pytest.mark.slow
def test_a_terminal_shows_progress_and_the_summary_goes_to_standard_output(tmp_path):
    instance, source = tmp_path / "instance", tmp_path / "books.csv"
    bookapi(instance, "init")
    source.write_bytes(csv_bytes(["title"], *[[f"Book {number}"] for number in range(1500)]))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bookapi", "books", "import", str(source)],
        env=environment(instance),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # its end, on Linux
        pass
    os.close(ours)
    assert process.communicate()[0].startswith("1500 read, 1500 created")
    text = shown.decode()
    assert re.search(r"reading, [0-9,]+ records, [0-9,]+/s", text)
    assert re.search(r"importing, 1,500 records, [0-9,]+/s.*100%", text)
    assert re.search(r"\nread as utf-8, delimiter ','\r?\n", text), "on a line of its own"
    quiet = bookapi(instance, "books", "import", str(source))
    assert "records," not in quiet.stderr and quiet.stdout.startswith("1500 read, 0 created")
