"""Acknowledged changes are never lost: kills under load, failing disks, full disks.

`-m durability` runs these tests; `DURABILITY=long` makes them run for hours.
"""

import contextlib
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from http.client import HTTPException
from typing import NamedTuple

import pytest

from helpers.faults import (
    FILE,
    MAX_LOG,
    Client,
    fill_log,
    flaws,
    kill,
    killed_in_the_end,
    make_instance,
    need,
    opened,
    rounds,
    stored,
    strace,
)
from helpers.servers import serving
from helpers.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.durability
SEED = 20260101


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_instance(tmp_path_factory.mktemp("durability") / "instance")


# -- kill -9 under load ----------------------------------------------------------------


class Book(NamedTuple):
    version: int
    pages: int
    gone: bool = False


class Writer:
    """A client that creates, changes and deletes books of its own, and knows what of it was
    acknowledged.

    `known` is that, by id; `doubt`: the title or the id, and the state, of the request whose answer
    never came. `refusals`: the statuses that are an answer, too; nothing is changed then.
    """

    def __init__(self, number, refusals=()):
        self.ended, self.refusals = threading.Event(), refusals
        self.number, self.chance, self.count = number, random.Random(SEED + number), 0
        self.known, self.doubt, self.touched, self.faults, self.answers = (
            {},
            None,
            set(),
            [],
            Counter(),
        )

    def work(self, service, cookie):
        """Change something, again and again, until told to end, or until no answer comes."""
        with contextlib.suppress(OSError, HTTPException), Client(service, cookie) as client:
            while not self.faults and not self.ended.is_set():
                self._change(client)

    def _change(self, client):
        alive = [book for book, state in list(self.known.items())[-20:] if not state.gone]
        kind = self.chance.choices(("POST", "PATCH", "DELETE"), (3, 3, 1) if alive else (1, 0, 0))[
            0
        ]
        if kind == "POST":
            self._create(client)
            return
        book = self.chance.choice(alive)
        version, pages, _ = self.known[book]
        after = (
            Book(version + 1, version + 1) if kind == "PATCH" else Book(version + 1, pages, True)
        )
        document = (
            {"pages": after.pages, "authors": [f"Author {after.version}", "Other"]}
            if kind == "PATCH"
            else None
        )
        self.touched.add(book)
        self.doubt = book, after
        if self._is_done(
            client.ask(kind, f"/books/{book}", document), {"PATCH": 200, "DELETE": 204}[kind]
        ):
            self.known[book] = after

    def _create(self, client):
        self.count += 1
        title = f"Book w{self.number}n{self.count}"
        self.doubt = title, Book(1, 1)
        answer = client.create(
            title,
            pages=1,
            authors=[f"Writer {self.number}"],
            subjects=["one", "two"],
            identifiers=[{"scheme": "own", "value": f"{self.number}-{self.count}"}],
        )
        if self._is_done(answer, 201):
            self.known[answer.json()["id"]] = Book(1, 1)
            self.touched.add(answer.json()["id"])

    def _is_done(self, answer, wanted):
        self.doubt = None
        self.answers[answer.status] += 1
        if answer.status not in (wanted, *self.refusals):
            self.faults.append(answer)
        return answer.status == wanted

    def lost(self, books):
        """What is not as it was acknowledged in these rows of books; of what is in doubt it learns
        what came of it.
        """
        about, after = self.doubt or (None, None)
        found = {
            number: Book(book["version"], book["pages"], book["deleted_at"] is not None)
            for number, book in books.items()
            if number in self.known or book["title"] == about
        }
        self.known.update(
            {
                number: book
                for number, book in found.items()
                if book == after and about in (number, books[number]["title"])
            }
        )
        self.doubt, self.touched = None, set()
        return [
            (number, book, self.known.get(number))
            for number, book in found.items()
            if book != self.known.get(number)
        ]


@contextlib.contextmanager
def working(service, writers, cookie):
    """Let the writers work until the end of the block."""
    for writer in writers:
        writer.ended.clear()
    threads = [threading.Thread(target=writer.work, args=(service, cookie)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for writer in writers:
            writer.ended.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert [writer.faults for writer in writers if writer.faults] == []


def judge(file, writers, before):
    """The newest book, if nothing that was acknowledged since `before` was the newest is lost or
    half-made.
    """
    touched = set().union(*[writer.touched for writer in writers])
    newest = max((book for writer in writers for book in writer.known), default=0)
    books = stored(
        file, [*touched, *range(before + 1, newest + 2 * len(writers))]
    )  # with those in doubt
    assert touched <= set(books)
    assert [lost for writer in writers for lost in writer.lost(books)] == []
    assert flaws(file, list(books)) == []
    return max(books, default=before)


def test_acknowledged_changes_survive_a_kill_and_none_is_partial(folder):
    writers, cookie, chance, newest = (
        [Writer(number) for number in range(8)],
        None,
        random.Random(SEED),
        0,
    )
    for number in range(rounds(20, 200)):
        workers = 2 if number % 3 == 2 else 1
        with (
            serving(folder, "--workers", str(workers)) as service,
            Client(service, cookie) as client,
        ):
            newest = judge(folder / FILE, writers, newest)
            cookie = cookie or client.sign_in()
            assert client.ask("GET", "/auth/me").status == 200  # a session was acknowledged, too
            with working(service, writers, cookie):
                time.sleep(chance.uniform(0.05, 0.8))
                kill(service)
    with killed_in_the_end(folder):
        judge(folder / FILE, writers, newest)
        books = stored(folder / FILE)
        assert (
            [lost for writer in writers for lost in writer.lost(books)]
            == flaws(folder / FILE)
            == []
        )
    assert sum(len(writer.known) for writer in writers) == len(books) > 20 * rounds(20, 200)


@pytest.mark.parametrize("call, first, step", [("pwrite64", 300, 97), ("fsync,fdatasync", 10, 3)])
def test_a_worker_that_is_killed_within_a_shared_commit_loses_nothing_acknowledged(
    folder, tmp_path, call, first, step
):
    need("strace")
    writers = [Writer(number, refusals=(503,)) for number in range(8)]
    out = tmp_path / "trace"
    for number in range(rounds(3, 20)):
        with killed_in_the_end(folder) as service, Client(service) as client:
            cookie = client.sign_in()
            [worker] = service.children()
            inject = f"inject={call}:signal=SIGKILL:when={first + step * number}"
            options = ("-e", f"trace={call}", "-e", inject, *on_files(folder))
            with strace(service, out, *options), working(service, writers, cookie):
                wait_until(lambda worker=worker: worker not in service.children())
        assert "killed by SIGKILL" in out.read_text()
        judge(folder / FILE, writers, 0)
    answers = sum((writer.answers for writer in writers), Counter())
    acknowledged = sum(number for status, number in answers.items() if status < 300)
    assert acknowledged > rounds(3, 20) * (first if "sync" in call else 8)  # commits were shared


# -- a disk that fails -----------------------------------------------------------------

FAULTS = [
    ("pread64", "EIO"),
    ("fsync,fdatasync", "EIO"),
    ("pwrite64,write", "EIO"),
    ("pwrite64,write", "ENOSPC"),
]
MAX_CALLS = 300  # of one kind in a create


def left_by_a_kill(folder, to):
    """The data file as it would be found if the service were killed now."""
    to.mkdir(exist_ok=True)
    for name in (FILE, f"{FILE}-wal"):
        shutil.copy(folder / name, to)
    return to / FILE


def on_files(folder):
    """Options of strace: calls about the data file and its log alone."""
    return [option for name in (FILE, f"{FILE}-wal") for option in ("-P", str(folder / name))]


def create_while_failing(service, folder, client, title, out, *fault):
    """The answer to a create while the disk fails, and whether the create met that."""
    with strace(service, out, *on_files(folder), *fault):
        answer = client.create(title)
    return answer, "(INJECTED)" in out.read_text()


@pytest.mark.parametrize("for_good", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("call, error", FAULTS)
def test_a_failing_system_call_never_acknowledges_a_lost_create(
    folder, tmp_path, call, error, for_good
):
    need("strace")
    stored_titles, statuses = set(), Counter()
    with (
        serving(folder, "--threads", "1") as service,
        Client(service) as client,
    ):  # calls are counted by the thread
        client.sign_in()
        for number in range(1, MAX_CALLS):
            fill_log(folder, MAX_LOG)  # so that it is written back, too
            answer, met = create_while_failing(
                service,
                folder,
                client,
                f"Failing {number}",
                tmp_path / "trace",
                "-e",
                f"trace={call}",
                "-e",
                f"inject={call}:error={error}:when={number}{'+' * for_good}",
            )
            statuses[answer.status] += 1
            left = left_by_a_kill(folder, tmp_path / "left")
            assert flaws(left) == []
            assert said_the_truth(answer, f"Failing {number}", stored(left), error), (
                number,
                answer,
            )
            assert client.create(f"After {number}").status == 201  # it mends itself
            stored_titles |= {
                f"After {number}",
                *([f"Failing {number}"] if answer.status == 201 else []),
            }
            if not met:
                break
        kill(service)
    with killed_in_the_end(folder):
        assert stored_titles <= {book["title"] for book in stored(folder / FILE).values()}
        assert flaws(folder / FILE) == []
    assert (
        not met and number > 3 and set(statuses) > {201}
    )  # it was a whole create, and calls did fail


def said_the_truth(answer, title, books, error):
    """A 201 for a book that is there, or a problem of the right kind."""
    if answer.status == 201:
        return title in {book["title"] for book in books.values()}
    return (
        answer.status in ((503, 507) if error == "ENOSPC" else (503,))
        and answer.headers["content-type"] == "application/problem+json"
        and answer.json()["status"] == answer.status
    )


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "call, error, when",
    [
        ("fsync,fdatasync", "EIO", "2+5"),
        ("pwrite64", "ENOSPC", "3+97"),
        ("fsync,fdatasync,pread64,pwrite64", "EIO", "3+53"),
    ],
)
def test_an_unreliable_disk_only_makes_changes_fail(folder, tmp_path, call, error, when, workers):
    need("strace")
    writers = [Writer(number, refusals=(507 if error == "ENOSPC" else 503,)) for number in range(8)]
    with serving(folder, "--workers", str(workers)) as service, Client(service) as client:
        with working(service, writers, client.sign_in()):
            with strace(
                service,
                tmp_path / "trace",
                *on_files(folder),
                "-e",
                f"trace={call}",
                "-e",
                f"inject={call}:error={error}:when={when}",
            ):
                time.sleep(rounds(1, 60))
                # A slow machine takes longer to see enough of them.
                wait_until(lambda: refused(writers) > 10)
            wait_until(lambda: stored_now(writers) > 10)
        assert {writer.doubt for writer in writers} == {None}  # every request had its answer
        assert client.create("After").status == 201
        assert client.ask("GET", "/books?limit=1").json()["total"] == 1 + sum(
            not book.gone for writer in writers for book in writer.known.values()
        )
        kill(service)
    with killed_in_the_end(folder):
        judge(folder / FILE, writers, 0)
    answers = sum((writer.answers for writer in writers), Counter())
    assert answers[201] > 10 < refused(writers)
    assert len(stored(folder / FILE)) == answers[201] + 1


def stored_now(writers):
    return sum(writer.answers[201] for writer in writers)


def refused(writers):
    return sum(writer.answers[status] for writer in writers for status in writer.refusals)


# -- a disk that is full ---------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A disk of that size in the place of this folder, with all that is in it."""
    need("mount", root=True)
    content = folder.with_name("content")
    folder.rename(content)
    folder.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    ).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        shutil.copytree(content, folder, dirs_exist_ok=True)
        (folder / "log").symlink_to(
            folder.with_name("log")
        )  # it is the disk of the data that is full
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(client, known):
    """Create books until there is no space; what was acknowledged goes to `known`."""
    for count in range(1000):
        answer = client.create(f"Book {len(known)} {count}", description=f"word{count} " * 1500)
        if answer.status != 201:
            return answer
        known.add(answer.json()["id"])
    return None


def give_space_by_removing(folder):
    (folder / "filler").unlink()


def give_space_by_growing(folder):
    subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)


# What fills the disk: the log itself, or the data file when the log is written back.
@pytest.mark.parametrize("megabytes, filler", [(4, 1), (6, 1)])
@pytest.mark.parametrize("give_space", [give_space_by_removing, give_space_by_growing])
def test_reads_continue_when_the_disk_is_full_and_writes_when_there_is_space(
    folder, megabytes, filler, give_space
):
    known, file = set(), folder / FILE
    with small_disk(folder, megabytes):
        (folder / "filler").write_bytes(bytes(filler << 20))
        with serving(folder) as service, Client(service) as client:
            client.sign_in()
            for _ in range(3):
                answer = fill(client, known)
                assert (
                    answer.status == 507
                    and answer.headers["content-type"] == "application/problem+json"
                ), answer
                assert_reads(client, known)
                assert flaws(left_by_a_kill(folder, folder.with_name("left")), None) == []
            assert is_spent(file) == (megabytes > 4)
            give_space(folder)
            for count in range(5):
                answer = client.create(f"After {count}")
                assert answer.status == 201, answer
                known.add(answer.json()["id"])
            kill(service)
        with killed_in_the_end(folder) as service, Client(service) as client:
            assert_reads(client, known)
            assert known == set(stored(file)) and flaws(file) == []


def is_spent(file):
    """Whether the log is so long that each change tries to write it back, and the data file too
    short for that.
    """
    with opened(file) as connection:
        [(pages,)] = connection.execute("PRAGMA page_count")
    log = file.with_name(f"{FILE}-wal").stat().st_size
    return log > MAX_LOG * 4096 and file.stat().st_size < pages * 4096


def assert_reads(client, known):
    """Whatever was acknowledged is read, and the service says that it can serve."""
    assert client.ask("GET", "/readyz").status == 200
    assert client.ask("GET", f"/books/{max(known)}").status == 200
    assert client.ask("GET", "/books?limit=1").json()["total"] == len(known)
