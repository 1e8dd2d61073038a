"""Keeps a number of workers running. It loads nothing of the application, so that it is small and
starts at once.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from .listening import address
from .notify import notify
from .sharing import leave, open_counts

# In a worker's environment: three file descriptors, its place among the workers, its processor (-1:
# any), and whether it is first.
WORKER = "_BOOKAPI_WORKER"
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
START_SECONDS = 60  # for a worker to be ready
DRAIN_SECONDS = 25  # for a worker to finish what is in progress; Kubernetes kills after 30
MAX_DELAY = 30  # seconds between two starts of a worker that dies again and again


class Child:
    """A worker process, and the socket by which it says that it is ready; when that closes, the
    other side is gone.
    """

    def __init__(self, listening: socket.socket, counts: int, place: int, cpu: int, first: bool):
        self.place, self.cpu = place, cpu
        self.born, self.ready, self.outdated = time.monotonic(), False, False
        self.kill_at: float | None = None  # since it was told to stop
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        files = (listening.fileno(), theirs.fileno(), counts)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]],
                pass_fds=files,
                env={**os.environ, WORKER: ",".join(map(str, (*files, place, cpu, int(first))))},
            )

    def check(self) -> int | None:
        """The exit status, negative for a signal; None while it runs. Notes whether it is ready;
        kills if too slow.
        """
        if not self.ready:
            with contextlib.suppress(BlockingIOError):
                self.ready = self._control.recv(1) == b"1"
        kill_at = self.kill_at or (None if self.ready else self.born + START_SECONDS)
        if kill_at and time.monotonic() > kill_at:
            self.process.kill()
        return self.process.poll()

    def stop(self) -> None:
        """Have it drain and end."""
        self.kill_at = time.monotonic() + DRAIN_SECONDS + 2
        self.process.terminate()


class Supervisor:
    """Starts `workers` processes on a listening socket, restarts those that die, and replaces them
    on SIGHUP. `cpus`: those that they are spread over, one each; none: they run on any.
    """

    def __init__(self, listening: socket.socket, workers: int, cpus: Sequence[int] = ()):
        self._listening, self._workers, self._cpus = listening, workers, cpus
        self._children: list[Child] = []
        self._counts = open_counts(workers + 1)  # one is replaced while all serve
        self._announced = False
        self._failures, self._start_at, self._told_at = 0, 0.0, 0.0

    def run(self) -> int:
        """Until SIGTERM or SIGINT, or until a worker fails before all were ready once; the exit
        status.
        """
        while True:
            waiting = any(not child.ready or child.kill_at for child in self._children)
            got = signal.sigtimedwait(SIGNALS, 0.05 if waiting else 1)
            number = got.si_signo if got else None
            if number in (signal.SIGTERM, signal.SIGINT):
                return self._stop(0)
            self._say_alive()
            if number == signal.SIGHUP:
                for child in self._children:
                    child.outdated = True
            if not self._reap():
                return self._stop(1)
            self._start_or_replace()

    def _say_alive(self) -> None:
        if self._announced and time.monotonic() > self._told_at + 1:
            self._told_at = time.monotonic()
            notify("WATCHDOG=1")

    def _reap(self) -> bool:
        """Drop the workers that have ended; False if the service cannot start."""
        for child in list(self._children):
            status = child.check()
            if status is None:
                continue
            self._children.remove(child)
            leave(self._counts, child.place)
            if child.kill_at:  # it was told to end
                continue
            if self._announced or status < 0:  # else it has said itself why it cannot start
                what = f"killed by signal {-status}" if status < 0 else f"exited with {status}"
                _log(
                    f"worker {child.process.pid} {what}" + ("" if child.ready else " at its start")
                )
            if not self._announced:
                return False
            if not child.ready and len(self._children) >= self._workers:
                _log("the replacement did not start; the old workers go on serving")
                for other in self._children:
                    other.outdated = False
            lived = time.monotonic() - child.born
            self._failures = 0 if lived > 2 * MAX_DELAY else self._failures + 1
            self._start_at = time.monotonic() + min(2.0 ** (self._failures - 1), MAX_DELAY)
        return True

    def _start_or_replace(self) -> None:
        if any(child.kill_at or not child.ready for child in self._children):
            return
        outdated = [child for child in self._children if child.outdated]
        if len(self._children) > self._workers and outdated:
            outdated[0].stop()
        elif len(self._children) < self._workers or outdated:
            if time.monotonic() >= self._start_at:
                taken = [child.cpu for child in self._children if not child.outdated]
                cpu = min(self._cpus, key=taken.count, default=-1)
                places = {*range(self._workers + 1)} - {child.place for child in self._children}
                made = (self._listening, self._counts, min(places), cpu)
                self._children.append(Child(*made, first=not self._children))
        elif not self._announced:
            self._announced = True
            print(f"serving on {address(self._listening)}", flush=True)
            notify("READY=1")

    def _stop(self, status: int) -> int:
        notify("STOPPING=1")
        self._listening.close()  # or the kernel would accept connections that nobody answers
        for child in self._children:
            child.stop()
        while self._children:
            self._children = [child for child in self._children if child.check() is None]
            time.sleep(0.02)
        return status


def _log(message: str) -> None:
    """A line like those of `bookapi.logs`, which is not loaded here."""
    at = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    fields = {"at": at, "level": "warning", "message": message}
    is_json = os.environ.get("BOOKAPI_LOG_FORMAT") == "json"
    print(json.dumps(fields) if is_json else " ".join(fields.values()), file=sys.stderr, flush=True)
