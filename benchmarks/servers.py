"""The processes that are measured: started, found, asked what they used, and ended again whatever
happens."""

import contextlib
import http.client
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[
    1
]  # of the checkout: its `bookapi` is measured, whichever is installed
START_SECONDS = 60
END_SECONDS = 40  # longer than the service lets requests finish
COMMAND_SECONDS = 3600  # an import of very many books takes its time
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A process did not do what it was started for; the message has what it said."""


class Server(NamedTuple):
    """A running server. The figures are of its whole process tree."""

    pid: int
    host: str
    port: int

    def cpu_seconds(self) -> float:
        """Processor time so far, in user and in kernel mode."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self._tree()) / TICKS

    def memory(self) -> tuple[int, int]:
        """Bytes in memory now, and at most since `forget_peak`."""
        found = [
            dict(line.split(":", 1) for line in _proc(pid, "status").splitlines())
            for pid in self._tree()
        ]
        now, peak = (
            sum(int(status[name].split()[0]) for status in found) * 1024
            for name in ("VmRSS", "VmHWM")
        )
        return now, peak

    def forget_peak(self) -> None:
        """Let the peak begin anew, where the kernel allows it."""
        for pid in self._tree():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, IndexError):  # one that has just ended
                if entry.isdigit():
                    children.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
        tree = [self.pid]
        for pid in tree:  # grows while it is walked
            tree += children.get(pid, [])
        return tree


def _proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def _stat(pid: int) -> list[str]:
    """The fields behind the command's name, which may hold spaces: state, parent, …; 11 to 14 are
    processor time."""
    return _proc(pid, "stat").rpartition(")")[2].split()


@contextlib.contextmanager
def on_cpus(cpus: set[int]) -> Iterator[None]:
    """What is started meanwhile runs on these processors only; on any, where that is empty or not
    allowed."""
    before = os.sched_getaffinity(0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus or before)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, before)


@contextlib.contextmanager
def running(
    arguments: list[str], environment: dict[str, str], log: Path, cpus: set[int]
) -> Iterator[Server]:
    """A Python module that says `serving on http://…`, until the block ends."""
    with open(log, "ab") as errors, on_cpus(cpus):
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield _announced(process, log)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _announced(process: subprocess.Popen, log: Path) -> Server:
    readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline().strip() if readable else ""
    if not line.startswith("serving on http://"):
        raise Failed(f"a server did not start: {line}\n{log.read_text(errors='replace')[-2000:]}")
    host, _, port = line.removeprefix("serving on http://").rpartition(":")
    return Server(process.pid, host, int(port))


class Instance:
    """A throw-away instance of the service in a folder, with books in it."""

    def __init__(self, folder: Path, cpus: set[int]):
        self._folder, self._cpus = folder, cpus
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BOOKAPI_")
        }
        self._environment["BOOKAPI_INSTANCE_PATH"] = str(folder / "instance")
        told = dict(line.split(": ", 1) for line in self._run("init").splitlines() if ": " in line)
        self._password = told["admin password"]

    def load(self, file: Path) -> None:
        """Import a file of books."""
        self._run("books", "import", str(file))

    def serving(self, **settings: str) -> contextlib.AbstractContextManager[Server]:
        """The service over this instance; settings are named without BOOKAPI_."""
        environment = {
            **self._environment,
            **{f"BOOKAPI_{name}": value for name, value in settings.items()},
        }
        return running(
            ["bookapi", "serve", "--port", "0"],
            environment,
            self._folder / "service.log",
            self._cpus,
        )

    def bare(self, content_type: str, body: bytes) -> contextlib.AbstractContextManager[Server]:
        """A bare waitress that answers so, on the processors of the service."""
        file = self._folder / "body"
        file.write_bytes(body)
        return running(
            ["benchmarks.bare", content_type, str(file)],
            self._environment,
            self._folder / "bare.log",
            self._cpus,
        )

    def sign_in(self, server: Server) -> str:
        """The cookie of a session of the admin."""
        connection = http.client.HTTPConnection(server.host, server.port, timeout=START_SECONDS)
        with contextlib.closing(connection):
            connection.request(
                "POST",
                "/auth/login",
                json.dumps({"username": "admin", "password": self._password}),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            if answer.status != 200:
                raise Failed(f"signing in was answered {answer.status}: {answer.read(500)!r}")
            return answer.headers["Set-Cookie"].partition(";")[0]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bookapi", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise Failed(f"bookapi {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
        return done.stdout
