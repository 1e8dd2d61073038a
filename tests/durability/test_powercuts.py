"""Power cuts lose no acknowledged change: system calls replayed up to any moment.

`-m durability` runs these tests; `DURABILITY=long` makes twenty times as many cuts.
"""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from bookapi.db.dialects.sqlite import sqlite3
from helpers.faults import (
    MAX_LOG,
    Client,
    fill_log,
    flaws,
    killed_in_the_end,
    make_instance,
    need,
    rounds,
    stored,
    strace,
)
from helpers.powercuts import TRACED, Disk, calls

pytestmark = pytest.mark.durability
SEED = 20260103


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_instance(tmp_path_factory.mktemp("powercuts") / "instance")


# A module that Python loads when it starts: it has SQLite wait for its disk less than the service
# asks for.
CARELESS = """
import functools, importlib

for name in ("sqlite3", "pysqlite3.dbapi2"):
    try:
        module = importlib.import_module(name)
    except ImportError:
        continue

    class Connection(module.Connection):
        def execute(self, sql, *values):
            sql = sql.replace("synchronous = FULL", "synchronous = {level}")
            return super().execute(sql, *values)

    module.connect = functools.partial(module.connect, factory=Connection)
"""


def record(folder, trace, each, clients=1, workers=1, options=()):
    """The disk before, and how many long books were created, so many by each client; what happened
    goes to `trace`.
    """
    with (
        killed_in_the_end(folder, "--workers", str(workers)) as service,
        ThreadPoolExecutor(clients) as pool,
    ):
        with Client(service) as client:
            cookie = client.sign_in()
        fill_log(folder, MAX_LOG * 3 // 4)
        with strace(service, trace, *TRACED, *options):
            disk = Disk(folder)
            created = pool.map(
                create_some, [service] * clients, [cookie] * clients, [each] * clients
            )
            return disk, sum(created)


def create_some(service, cookie, number):
    """How many books were created, of so many."""
    with Client(service, cookie) as client:
        statuses = [
            client.create(
                f"Book {count}", description=f"word{count} " * 1500, authors=["One", "Two"]
            ).status
            for count in range(number)
        ]
    assert set(statuses) <= {201, 503}
    return statuses.count(201)


def acknowledged(call):
    """Id and title of the book whose creation this call tells its client, if it is such a one."""
    if (
        call.name == "sendto"
        and not call.ended
        and call.texts
        and call.texts[0].startswith(b"HTTP/1.1 201")
    ):
        book = json.loads(call.texts[0].partition(b"\r\n\r\n")[2])
        return book["id"], book["title"]
    return None


class Replay:
    """Power cuts at every acknowledgement and at some other moments; `lost` are those after which a
    book was missing, `flaws` what was wrong in the file.
    """

    def __init__(self, disk, trace, folder, often):
        self.disk, self.folder, self.chance = disk, folder, random.Random(SEED)
        self.reported, self.cuts, self.lost, self.flaws = {}, 0, [], []
        for call in calls(trace):
            reported = acknowledged(call)
            if reported:
                self.reported.update([reported])
                self._cut(None)
            disk.apply(call)
            if reported or self.chance.random() < often:
                self._cut(self.chance)

    def _cut(self, chance):
        self.cuts += 1
        file = self.disk.cut(self.folder, chance)
        try:
            books = {number: book["title"] for number, book in stored(file).items()}
        except sqlite3.DatabaseError as error:  # no file that SQLite reads
            self.lost.append((self.cuts, len(self.reported), 0))
            self.flaws.append(str(error))
            return
        if not self.reported.items() <= books.items():
            self.lost.append((self.cuts, len(self.reported), len(books)))
        self.flaws += flaws(file)


# Several clients of one worker share commits.
@pytest.mark.parametrize("clients, workers", [(1, 1), (8, 1), (8, 2)])
def test_a_power_cut_at_any_moment_loses_no_acknowledged_change(folder, tmp_path, clients, workers):
    need("strace")
    each = rounds(50, 1000) // clients
    disk, created = record(folder, tmp_path / "trace", each, clients, workers)
    replay = Replay(disk, tmp_path / "trace", tmp_path / "cut", often=0.03)
    assert (replay.lost, replay.flaws) == ([], [])
    assert len(replay.reported) == created == each * clients and replay.cuts > 2.5 * created
    assert disk.copied_back > 100  # the log was written back into the data file, too
    assert disk.is_what_is_there()


def test_a_power_cut_after_a_failed_write_loses_no_acknowledged_change(folder, tmp_path):
    need("strace")
    each, failing = rounds(10, 100), ("-e", "inject=fsync,fdatasync:error=EIO:when=2+3")
    disk, created = record(folder, tmp_path / "trace", each, 8, 2, failing)
    replay = Replay(disk, tmp_path / "trace", tmp_path / "cut", often=0.005)
    assert (replay.lost, replay.flaws) == ([], [])
    assert (
        len(replay.reported) == created > each and disk.failed >= each / 2 and disk.synced >= each
    )


@pytest.mark.parametrize("level", ["NORMAL", "OFF"])
def test_the_power_cut_test_detects_a_missing_fsync(folder, tmp_path, monkeypatch, level):
    need("strace")
    (tmp_path / "careless").mkdir()
    (tmp_path / "careless" / "sitecustomize.py").write_text(CARELESS.format(level=level))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "careless"))
    disk, created = record(folder, tmp_path / "trace", 5)
    replay = Replay(disk, tmp_path / "trace", tmp_path / "cut", often=0)
    assert len(replay.reported) == created == 5 <= len(replay.lost)
