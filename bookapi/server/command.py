"""``bookapi serve``: its options, and the two parts it has.

The command that was typed is the supervisor. It runs the same command again for each worker, with
`WORKER` in the environment; only a worker loads the application. So a new worker runs the code and
the settings of now.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import click

from .. import metrics
from .health import write_address
from .listening import listen
from .supervisor import SIGNALS, WORKER, Supervisor


def _option(name: str, default: Any, type: Any = str, help: str | None = None) -> click.Option:
    return click.Option([name], default=default, show_default=True, type=type, help=help)


OPTIONS: list[click.Parameter] = [
    _option("--host", "127.0.0.1"),
    _option("--port", 8000, click.IntRange(0, 65535)),
    _option(
        "--unix-socket", None, click.Path(dir_okay=False), "Listen there instead of on a port."
    ),
    _option("--workers", 1, click.IntRange(1, 64), "Number of processes."),
    _option("--threads", 8, click.IntRange(1, 64), "Threads of each process."),
    click.Option(
        ["--cpu-affinity/--no-cpu-affinity"],
        default=True,
        show_default=True,
        help="Keep each process to one processor, but for costly requests.",
    ),
    click.Option(["--init"], is_flag=True, help="First do what init and db upgrade do."),
    _option("--wait", 0, click.IntRange(0, 3600), "Seconds to wait for the database."),
]
PREPARING = "_BOOKAPI_PREPARING"  # in the environment of the process that does --init and --wait


def command(callback: Callable[..., Any]) -> click.Command:
    """The command ``serve`` with this callback, which takes the options by name."""
    return click.Command(
        "serve",
        params=OPTIONS,
        callback=callback,
        help="Serve until SIGTERM, which lets requests in progress finish; SIGHUP replaces the "
        "workers one by one.",
    )


def supervise(
    host: str,
    port: int,
    unix_socket: str | None,
    workers: int,
    threads: int,
    cpu_affinity: bool,
    init: bool,
    wait: int,
) -> NoReturn:
    """Listen, and keep this number of workers running. `threads` is for the workers, which get the
    same options.
    """
    # Python runs one thread at a time, and hands over at each call of SQLite. Between processors
    # that takes longer than the call: on two, sixteen clients got half as much done.
    cpus = list(os.sched_getaffinity(0)) if cpu_affinity else []
    random.shuffle(cpus)  # several services of one worker should not all have the first
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # from here on no signal is lost
    if init or wait:
        _prepare()
    try:
        listening = listen(host, port, unix_socket)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    with metrics.shared_folder():
        sys.exit(Supervisor(listening, workers, cpus).run())


def _prepare() -> None:
    """Run --init and --wait in a process of its own, since they load the application; exit where it
    fails. SIGTERM ends the waiting, but no change of the database that has begun.
    """
    process = subprocess.Popen(
        [sys.executable, *sys.orig_argv[1:]], env={**os.environ, PREPARING: "1"}
    )
    while process.poll() is None:
        got = signal.sigtimedwait(SIGNALS, 1)
        if got and got.si_signo in (signal.SIGTERM, signal.SIGINT):
            process.terminate()
            process.wait()
            sys.exit(0)
    if process.returncode:
        sys.exit(process.returncode)


def is_preparing() -> bool:
    """Whether this is the process that does --init and --wait."""
    return PREPARING in os.environ


def is_first_worker() -> bool:
    """Whether this is the worker that reports what concerns them all."""
    return os.environ.get(WORKER, "").endswith(",1")


def keep_to_processor() -> None:
    """Keep this worker to the processor that the supervisor chose, if it did."""
    from ..http.load import run_on

    cpu = int(os.environ[WORKER].split(",")[-2])
    if cpu >= 0:
        run_on([cpu])


def work(app: Any, threads: int, workers: int, sample: Callable[[], None]) -> None:
    """Serve the application as one of the workers that the supervisor started; `sample` is called
    each second.
    """
    from .sharing import Share
    from .worker import Worker

    *files, counts, place, _, is_first = map(int, os.environ.pop(WORKER).split(","))
    listening, supervisor = [socket.socket(fileno=file) for file in files]
    if is_first:
        write_address(app.instance_path, listening)
    worker = Worker(app, listening, threads, workers, Share(counts, place))
    signal.signal(signal.SIGTERM, worker.stop)
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's reach the supervisor, too
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # blocked in the supervisor
    threading.Thread(target=_end_with, args=(supervisor,), daemon=True).start()
    supervisor.sendall(b"1")
    worker.run(sample)


def _end_with(supervisor: socket.socket) -> None:
    """End this process at once when the supervisor is gone: nobody would stop or replace it any
    more.
    """
    supervisor.recv(1)
    os._exit(1)
