"""Each worker keeps to one processor; costly requests use all."""

import os
import threading
from pathlib import Path

import pytest

from bookapi.http import load
from bookapi.http.endpoints import Cost
from bookapi.http.load import Load
from helpers.faults import make_instance
from helpers.servers import serving

ALL = os.sched_getaffinity(0)


def processors(process):
    """Those that each thread of a process may run on."""
    return [
        os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{process}/task").iterdir()
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_all_threads_of_a_worker_keep_to_one_processor(tmp_path, workers):
    with serving(make_instance(tmp_path), "--workers", str(workers)) as service:
        found = [processors(child) for child in service.children()]
    used = []
    for threads in found:
        assert len(threads) > 8 and all(thread == threads[0] for thread in threads)
        assert len(threads[0]) == 1
        used += threads[0]
    assert len(set(used)) == min(workers, len(ALL)), "workers are spread"


def test_without_affinity_a_worker_runs_on_any(tmp_path):
    with serving(make_instance(tmp_path), "--no-cpu-affinity") as service:
        assert all(thread == ALL for thread in processors(*service.children()))


def on_one_processor(function):
    """What the function returns in a thread that is kept to one processor."""
    found = []

    def run():
        load.run_on([min(ALL)])
        found.append(function())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_a_costly_request_may_use_all_processors_until_its_end():
    def used():
        with Load().slot(Cost.HASHING):
            inside = os.sched_getaffinity(0)
        return inside, os.sched_getaffinity(0)

    assert on_one_processor(used) == (ALL, {min(ALL)})


def test_a_system_that_forbids_it_changes_nothing_else(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    with Load().slot(Cost.EXPORT):
        pass
