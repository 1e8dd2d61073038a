"""An import that is killed in its transaction stores nothing."""

import subprocess
import sys

import pytest

from helpers.faults import FILE, flaws, make_instance, rounds, stored
from helpers.support import bookapi, environment, jsonl_bytes
from helpers.waiting import wait_until

pytestmark = pytest.mark.durability
COUNT = 3000
GROWN = 1024 * 1024  # bytes of the log: more than a cache of SQLite holds back


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_instance(tmp_path_factory.mktemp("imports") / "instance")


def log_size(folder):
    log = folder / f"{FILE}-wal"
    return log.stat().st_size if log.exists() else 0


def test_an_import_that_is_killed_in_its_transaction_stores_nothing(folder, tmp_path):
    source = tmp_path / "books.jsonl"
    text = "the quick brown fox " * 100
    source.write_bytes(
        jsonl_bytes(*[{"title": f"Book {n}", "description": text} for n in range(COUNT)])
    )
    command = [sys.executable, "-m", "bookapi", "books", "import", str(source)]
    for _ in range(rounds(2, 20)):
        process = subprocess.Popen(
            command, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda process=process: log_size(folder) > GROWN or process.poll() is not None)
        process.kill()
        assert process.wait() == -9, "it was killed before its end"
        assert stored(folder / FILE) == {} and flaws(folder / FILE) == []
    done = bookapi(folder, "books", "import", str(source))
    assert done.returncode == 0, done.stderr
    assert len(stored(folder / FILE)) == COUNT and flaws(folder / FILE) == []
