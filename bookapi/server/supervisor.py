"""The processes of a service: one that serves by itself, or several under a supervisor.

Workers are this very command started again with the listening socket handed over, so that a replaced worker runs
the code and the settings of now. One worker alone serves in the first process: half the memory of two.
"""

import os
import signal
import socket
import subprocess
import sys
import time

from flask import Flask

from .listening import HANDED_OVER, shut
from .worker import DRAIN_SECONDS, Worker

START_SECONDS = 30
RESTART_SECONDS = 1  # between two starts of a worker that dies


def run(app: Flask, listening: socket.socket, workers: int, threads: int) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP replaces the workers one by one."""
    if HANDED_OVER in os.environ:
        _serve_under_supervisor(app, listening, threads)
    elif workers > 1:
        Supervisor(listening, [Child(listening) for _ in range(workers)]).start(_address(listening))
    else:
        _serve_alone(app, listening, threads)


def _address(listening: socket.socket) -> str:
    name = listening.getsockname()
    if isinstance(name, str):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


def _announce(address: str) -> None:
    print(f"serving on {address}", flush=True)


def _serve_under_supervisor(app: Flask, listening: socket.socket, threads: int) -> None:
    worker = Worker(app, listening, threads, parent=os.getppid())
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a Ctrl-C reaches the whole group; the supervisor passes it on
    ready = int(os.environ[HANDED_OVER].split(",")[1])
    os.write(ready, b"1")
    os.close(ready)
    worker.run()


def _serve_alone(app: Flask, listening: socket.socket, threads: int) -> None:
    worker = Worker(app, listening.dup(), threads)
    successors: list[Child] = []
    wanted = ended = False

    def succeed(*args) -> None:
        nonlocal wanted
        wanted = True

    def end(*args) -> None:
        nonlocal ended
        ended = True
        worker.stop()

    def before_drain() -> None:
        """A listening socket that stays open somewhere goes on accepting: for a successor, else for nobody."""
        if not successors:
            shut(listening)
            listening.close()

    def each_turn() -> None:
        """On SIGHUP start a successor, and drain when it is ready; stay when it fails to start."""
        nonlocal wanted
        if wanted and not successors:
            successors.append(Child(listening))
        wanted = False
        if successors and successors[0].started() is not None:
            if successors[0].started():
                worker.stop()
            else:
                app.logger.error("the new worker did not start; serving on with the old one")
                successors.clear()

    for number, handler in ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGHUP, succeed)):
        signal.signal(number, handler)
    _announce(_address(listening))
    worker.run(each_turn, before_drain)
    if successors:
        Supervisor(listening, successors).run(ended)


class Child:
    """A worker process. `process` runs this command again."""

    def __init__(self, listening: socket.socket):
        ready, told = os.pipe()
        os.set_blocking(ready, False)
        self._ready, self._started, self.born = ready, None, time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            pass_fds=(listening.fileno(), told),
            env={**os.environ, HANDED_OVER: f"{listening.fileno()},{told}"},
        )
        os.close(told)

    def started(self) -> bool | None:
        """Whether it serves; None while it is still starting."""
        if self._started is None:
            try:
                self._started = os.read(self._ready, 1) == b"1"
                os.close(self._ready)
            except BlockingIOError:
                if time.monotonic() - self.born > START_SECONDS:
                    self.process.kill()
        return self._started

    def wait_started(self) -> bool:
        """Whether it serves, once that is known."""
        while self.started() is None:
            time.sleep(0.02)
        return bool(self._started)

    def drain(self) -> None:
        """Have it end, answers first."""
        self.process.terminate()
        try:
            self.process.wait(DRAIN_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Keeps as many workers running as it began with."""

    SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}

    def __init__(self, listening: socket.socket, children: list[Child]):
        self._listening, self._children = listening, children

    def start(self, address: str) -> None:
        """Announce the address when all workers serve, then run; SystemExit where one cannot start (it said why)."""
        self._take_signals()
        if not all([child.wait_started() for child in self._children]):
            self._end()
            raise SystemExit(1)
        _announce(address)
        self.run()

    def _take_signals(self) -> None:
        """From here on a signal waits until `run` asks for it: none is lost, and none ends this process by itself."""
        for number in self.SIGNALS:
            signal.signal(number, lambda *args: None)  # an ignored or default one would not wait
        signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)

    def run(self, ended: bool = False) -> None:
        """Until SIGTERM or SIGINT (or at once, if `ended`): replace on SIGHUP, start again who died."""
        self._take_signals()
        while not ended:
            got = signal.sigtimedwait(self.SIGNALS, RESTART_SECONDS)
            number = got.si_signo if got else None
            if number in (signal.SIGTERM, signal.SIGINT):
                break
            for index, child in enumerate(self._children):
                if number == signal.SIGHUP:
                    self._children[index] = self._replaced(child)
                elif (
                    child.process.poll() is not None
                    and time.monotonic() - child.born > RESTART_SECONDS
                ):
                    self._children[index] = self._born()
        self._end()

    def _born(self) -> Child:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)  # a mask would be inherited
        try:
            return Child(self._listening)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)

    def _replaced(self, old: Child) -> Child:
        new = self._born()
        if not new.wait_started():
            return old
        old.drain()
        return new

    def _end(self) -> None:
        shut(self._listening)
        self._listening.close()  # else the kernel would go on accepting for us what no worker will answer
        for child in self._children:
            child.process.terminate()
        for child in self._children:
            child.drain()
