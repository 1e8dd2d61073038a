"""New connections are shared out among the workers, and none waits for one that hangs."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

from bookapi.server.sharing import PATIENCE, Share, leave, open_counts
from helpers.faults import make_instance
from helpers.servers import serving
from helpers.waiting import wait_until

CONNECTIONS = 16


@pytest.fixture
def counts():
    file = open_counts(3)
    yield file
    os.close(file)


def test_the_worker_with_fewer_connections_takes_the_next_one(counts):
    one, other = Share(counts, 0), Share(counts, 1)
    assert one.turn(0)[0] and other.turn(0)[0]
    assert one.turn(1)[0], "now and then it looks whether the other leaves one waiting"
    assert not one.turn(1)[0] and other.turn(0)[0]
    time.sleep(PATIENCE)
    assert one.turn(1)[0] and not one.turn(1)[0]
    assert other.turn(1)[0] and one.turn(1)[0]


def test_a_worker_that_is_gone_or_ends_is_not_waited_for(counts):
    one, other, _ = [Share(counts, place) for place in range(3)]
    one.turn(9)
    assert not one.turn(9)[0]
    other.leave()
    leave(counts, 2)
    assert one.turn(9) == (True, 1)


def _sockets(process):
    """How many sockets a process has open."""
    found = 0
    for file in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(file).startswith("socket:")
    return found


def test_connections_that_come_at_once_are_shared_out_and_none_waits_for_a_worker_that_hangs(
    tmp_path,
):
    with (
        serving(make_instance(tmp_path), "--workers", "2") as service,
        contextlib.ExitStack() as stack,
    ):
        workers = service.children()
        before = [_sockets(each) for each in workers]
        for _ in range(CONNECTIONS):
            stack.enter_context(service.connect())

        def taken():
            return [_sockets(each) - had for each, had in zip(workers, before, strict=True)]

        wait_until(lambda: sum(taken()) == CONNECTIONS)
        assert min(taken()) >= CONNECTIONS // 4, taken()

        os.kill(workers[0], signal.SIGSTOP)
        began = time.monotonic()
        assert {service.get().status for _ in range(10)} == {200}
        assert time.monotonic() - began < 5
        os.kill(workers[0], signal.SIGCONT)
