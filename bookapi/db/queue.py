"""The write queue: one thread of the process runs all changes, one after the other.

On SQLite a commit (two writes and an fsync) costs more than what it commits, so operations that
wait together share one: each runs in a savepoint, and one that fails rolls back its own changes and
nobody else's. On MySQL/MariaDB each operation is a transaction of its own, run again after a
conflict.
"""

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm.exc import StaleDataError

from .. import metrics
from .dialects import Dialect
from .failures import FAILURES, Busy, Unavailable, is_lost, raise_translated, worth_another_try

log = logging.getLogger(__name__)

MAX_SHARED = 32  # operations in one commit
MAX_SHARED_SECONDS = 0.02  # that a transaction stays open for more of them
MIN_SECONDS = 0.05  # to wait for another process, once it is an operation's turn
IMPATIENT_SECONDS = 0.5  # to wait where many wait already
IDLE_SECONDS = 10.0  # after which the thread ends; the next operation starts another one
CHECK_SECONDS = 1.0  # to wait for a thread that was started anew
LOOK_SECONDS = 1.0  # how often a caller checks that the thread is alive
ATTEMPTS = 5  # of an operation that lost a deadlock or its connection (MySQL/MariaDB)
ON_COMMIT = "bookapi.on_commit"  # in the `info` of a connection: functions to call afterwards


class Operation:
    """One call of `db.write`. The first `claim` wins: of the writer thread, which runs it, or of
    the caller, which gives it up."""

    def __init__(self, function: Callable[[Connection], Any], seconds: float, alone: bool):
        self._function, self._context = function, contextvars.copy_context()
        self._claimed = threading.Lock()
        self.deadline, self.alone = time.monotonic() + seconds, alone
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.on_commit: list[Callable[[], Any]] = []

    def claim(self) -> bool:
        """Whether this is the first call."""
        return self._claimed.acquire(blocking=False)

    def run(self, connection: Connection) -> None:
        """Run it in the context (application, request) of its caller; keeps the result or the
        exception."""
        connection.info[ON_COMMIT] = self.on_commit = []
        self.result, self.error = None, None
        try:
            self.result = self._context.run(self._function, connection)
        except BaseException as error:
            self.error = error

    def fail(self, error: BaseException) -> None:
        """Answer with this exception, unless there is an answer already."""
        self.error = self.error or error
        self.done.set()


class WriteQueue:
    """The operations of one process. `wait`: seconds until one is given up (503). `max_waiting`:
    how many may wait that long; further ones are given up sooner, so that threads are left for
    reads."""

    def __init__(self, engine: Engine, dialect: Dialect, wait: float):
        self._engine, self._dialect, self._wait = engine, dialect, wait
        self.max_waiting = MAX_SHARED
        self._changed = threading.Condition()
        self._waiting: deque[Operation] = deque()
        self._running: list[Operation] = []
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None  # what ended the thread; None after a commit
        self._progress = 0.0  # when the last operation ended, or was queued while idle

    def write(
        self, function: Callable[[Connection], Any], wait: float | None = None, alone: bool = False
    ) -> Any:
        """What the function returned, once it is committed. `wait`: fewer seconds than usual;
        `alone`: it takes long, so it shares no commit."""
        seconds = self._wait if wait is None else wait
        with self._changed:
            if not self._waiting and not self._running:
                self._progress = time.monotonic()
            elif len(self._waiting) >= self.max_waiting:
                seconds = min(seconds, self._patience())
            operation = Operation(function, seconds, alone)
            self._ensure_thread()
            self._waiting.append(operation)
            self._changed.notify()
        if not operation.done.wait(seconds) and operation.claim():
            self._forget(operation)
            raise Busy()
        while not operation.done.wait(LOOK_SECONDS):
            self._fail_if_dead()
        return self._outcome(operation)

    def if_idle(self, function: Callable[[], Any]) -> None:
        """Call a function, unless an operation runs or waits; none begins meanwhile."""
        with self._changed:
            if not self._waiting and not self._running:
                function()

    def __len__(self) -> int:
        """How many operations wait for their turn."""
        return len(self._waiting)

    def _outcome(self, operation: Operation) -> Any:
        error = operation.error
        if isinstance(error, (*FAILURES, StaleDataError)):
            raise_translated(error, self._dialect.access_fault())
        if error is not None:
            raise error
        for function in operation.on_commit:
            function()
        return operation.result

    def _patience(self) -> float:
        """Seconds that an operation over `max_waiting` waits: none if no operation has ended for a
        while."""
        return max(IMPATIENT_SECONDS - (time.monotonic() - self._progress), 0)

    def _forget(self, operation: Operation) -> None:
        with self._changed:
            if operation in self._waiting:
                self._waiting.remove(operation)

    # -- the thread --------------------------------------------------------------------------------

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._serve, name="writer", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no thread can be started
                self._fault = error
                raise Unavailable() from error
            self._thread = thread

    def check(self) -> None:
        """503 where the thread ended by a fault, and the one that is started now ends, too."""
        if self._fault is not None:
            self.write(lambda connection: None, CHECK_SECONDS)

    def _fail_if_dead(self) -> None:
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._fail_all()

    def _fail_all(self) -> None:
        for operation in (*self._running, *self._waiting):
            failure = Unavailable()
            failure.__cause__ = RuntimeError(f"the writer thread ended: {self._fault!r}")
            operation.claim()
            operation.fail(failure)
        self._running.clear()
        self._waiting.clear()

    def _serve(self) -> None:
        try:
            while self._has_next():
                self._commit_some()
        except BaseException as error:
            self._fault = error
            log.exception("the writer thread ended")
        finally:
            with self._changed:
                if self._thread is threading.current_thread():
                    self._fail_all()
                    self._thread = None

    def _has_next(self) -> bool:
        with self._changed:
            if self._changed.wait_for(lambda: bool(self._waiting), IDLE_SECONDS):
                return True
            self._thread = None
            return False

    def _commit_some(self) -> None:
        """Run the next operation, and those that can share its commit."""
        if not self._dialect.shares_commits:
            self._commit_by_itself()
            return
        with self._changed:
            first = self._waiting[0] if self._waiting else None
        if first is None:
            return
        try:
            self._dialect.check_file()
            left = max(first.deadline - time.monotonic(), MIN_SECONDS)
            connection = self._dialect.begin_write(self._engine, left)
            try:
                self._commit_together(connection)
            finally:
                self._dialect.end(connection)
        except FAILURES as error:
            if first.claim():
                self._forget(first)
                first.fail(error)

    def _take(self, begun: float) -> Operation | None:
        """The next operation that may run in the open transaction."""
        with self._changed:
            while self._waiting:
                shared = len(self._running)
                if shared and (
                    self._waiting[0].alone
                    or self._running[-1].alone
                    or shared >= MAX_SHARED
                    or time.monotonic() - begun > MAX_SHARED_SECONDS
                ):
                    return None
                operation = self._waiting.popleft()
                if operation.claim():
                    self._running.append(operation)
                    return operation
            return None

    def _ended(self) -> None:
        """Wake the callers of the operations that have run."""
        with self._changed:
            ended = list(self._running)
            self._running.clear()
            self._progress = time.monotonic()
        for operation in ended:
            operation.done.set()

    def _commit_together(self, connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        begun = time.monotonic()
        try:
            while operation := self._take(begun):
                driver.execute("SAVEPOINT operation")
                operation.run(connection)
                if not driver.in_transaction:  # the database has rolled back everything
                    raise operation.error or RuntimeError("an operation ended the transaction")
                if operation.error is not None:
                    driver.execute("ROLLBACK TO operation")
                driver.execute("RELEASE operation")
            _commit(connection)
            self._fault = None
            self._dialect.check_file()  # a restart may not find what was committed
        except Exception as error:
            for operation in self._running:
                operation.error = error
        self._ended()  # not after a BaseException: the thread ends first

    def _commit_by_itself(self) -> None:
        operation = self._take(time.monotonic())
        if operation is None:
            return
        for attempt in range(1, ATTEMPTS + 1):
            if attempt > 1:
                metrics.RETRIES.inc()
            if self._attempt(operation):
                break
            if time.monotonic() >= operation.deadline and not is_lost(operation.error):
                break
        self._ended()

    def _attempt(self, operation: Operation) -> bool:
        """Whether the operation is finished, successfully or not; False: run it again."""
        committing = False
        try:
            connection = self._dialect.begin_write(self._engine, self._wait)
            try:
                operation.run(connection)
                if operation.error is None:
                    committing = True
                    _commit(connection)
                    self._fault = None
                elif is_lost(operation.error):
                    connection.invalidate()
            finally:
                self._dialect.end(connection)
        except Exception as error:
            operation.error = error
        # Lost while committing: nobody knows whether it is stored, so it must not run again.
        return operation.error is None or committing or not worth_another_try(operation.error)


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except BaseException:
        # SQLAlchemy does not roll back after a commit that failed, and closing the connection
        # does not while a cursor is still referenced: the lock would stay.
        with suppress(*FAILURES):
            connection.connection.rollback()
        connection.invalidate()
        raise
