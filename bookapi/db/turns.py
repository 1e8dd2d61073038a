"""How the writers of one process take turns; one can write at a time, on a server for the lock of the catalogue's row.

SQLite's own way to wait for a lock is to sleep and look again: of many writers some would wait a second. There, too, a
commit costs more than what is committed (two writes and an fsync), so whoever finds others waiting leaves the
transaction open to the next one: it is committed when nobody waits any more, and all are answered then.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy.engine import Engine

from .failures import busy, raise_translated
from .reading import FAILURES
from .writing import begun

MAX_UNITS = 32  # in one transaction
MAX_SECONDS = 0.02  # that one stays open for more
IMPATIENT_SECONDS = 0.5
LOOK_SECONDS = 0.05  # how often a unit looks whether its transaction was left behind


def shares_commit(operation: Callable) -> Callable:
    """Mark a unit that may be committed together with others: it is short, uses a `Writer` only, raises nothing once it
    has begun to change something, or may be run again if it does."""
    operation.shares_commit = True
    return operation


def waits_for(seconds: float) -> Callable[[Callable], Callable]:
    """Mark a unit that is given up sooner than others where somebody else has the lock."""

    def mark(operation: Callable) -> Callable:
        operation.seconds = seconds
        return operation

    return mark


class Part(NamedTuple):
    """What a unit gets that shares a transaction: what a `Writer` needs."""

    engine: Engine
    pooled: Any


class _Shared:
    """A transaction that is open for one unit after the other."""

    def __init__(self, engine: Engine, seconds: float):
        self.pooled = begun(engine, seconds)
        self.units, self.since = 0, time.monotonic()
        self.over, self.failure, self.again = threading.Event(), None, False

    def end(self, keep: bool = True) -> None:
        """Commit, or take it all back; tell everyone who takes part."""
        try:
            self.pooled.commit() if keep else self.pooled.rollback()
        except FAILURES as error:
            self.failure = self.failure or error
        finally:
            self.pooled.close()  # the pool takes back what is still open
            self.over.set()


class Turns:
    """The turns of one process.

    `wait`: seconds until a unit gives up (503). `patient`: how many may wait that long; who comes when there are so
    many gives up soon, and at once where nothing goes on. Else all threads of a service might wait for a lock, and none
    be left to answer those who read.
    """

    def __init__(self, engine: Engine, wait: int):
        self._engine, self._wait, self.patient = engine, wait, MAX_UNITS
        self._turn, self._count = threading.Lock(), threading.Lock()
        self._lined_up, self._waiting, self._open = 0, 0, None
        self._standing: float | None = None  # since when: nobody's unit has come to its end since

    @contextmanager
    def alone(self, wait: float | None = None) -> Iterator[float]:
        """A block that nobody else writes beside, with no transaction open; it is given the seconds left to wait.
        `wait`: fewer seconds to wait than usual."""
        left = self._take(self._wait if wait is None else wait)
        try:
            self._end()
            yield left
            self._standing = None
        except Exception as error:
            self._standing = self._standing if getattr(error, "code", None) == busy().code else None
            raise
        finally:
            self._turn.release()

    def together(self, operation: Callable[[Part], Any]) -> Any:
        """What the unit returns, once the transaction that it took part in is committed."""
        self._share(1)
        try:
            left = self._take(self._wait)
        finally:
            self._share(-1)
        try:
            shared = self._begun(left)
            result, error = self._run(shared, operation)
            self._standing = None
        finally:
            self._turn.release()
        while not shared.over.wait(LOOK_SECONDS):
            self._end_if_left(shared)
        if shared.again:
            return self._by_itself(operation)
        return _given(result, shared.failure or error)

    def _take(self, wait: float) -> float:
        """Wait for one's turn; returns the seconds that are left of what one may wait."""
        begun = time.monotonic()
        if not self._turn.acquire(blocking=False):
            with self._count:
                self._lined_up += 1
                patience = wait if self._lined_up <= self.patient else min(wait, self._patience())
            try:
                if not self._turn.acquire(timeout=patience):
                    raise busy()
            finally:
                with self._count:
                    self._lined_up -= 1
        self._standing = self._standing or time.monotonic()
        return max(wait - (time.monotonic() - begun), LOOK_SECONDS)

    def _patience(self) -> float:
        """For how long one waits who is one too many."""
        since = self._standing
        return (
            max(IMPATIENT_SECONDS - (time.monotonic() - since), 0) if since else IMPATIENT_SECONDS
        )

    def _share(self, step: int) -> None:
        """Count those who would go on in a transaction that was left open."""
        with self._count:
            self._waiting += step

    def _begun(self, left: float) -> _Shared:
        if self._open is None:
            try:
                self._open = _Shared(self._engine, left)
            except FAILURES as error:
                raise_translated(error)
        return self._open

    def _run(
        self, shared: _Shared, operation: Callable[[Part], Any]
    ) -> tuple[Any, BaseException | None]:
        """What the unit returned, or raised. One that failed half way takes the transaction of all with it."""
        before, result, error = shared.pooled.total_changes, None, None
        try:
            result = operation(Part(self._engine, shared.pooled))
        except BaseException as failure:
            error = failure
            if shared.pooled.total_changes != before or not shared.pooled.in_transaction:
                shared.again = shared.units > 0
                shared.failure = failure if isinstance(failure, FAILURES) else None
                self._end(keep=False)
                return result, error
        shared.units += 1
        if (
            not self._waiting
            or shared.units >= MAX_UNITS
            or time.monotonic() - shared.since > MAX_SECONDS
        ):
            self._end()
        return result, error

    def _end(self, keep: bool = True) -> None:
        if self._open is not None:
            self._open, shared = None, self._open
            shared.end(keep)

    def _end_if_left(self, shared: _Shared) -> None:
        """Whoever waited may have given up: commit, then, if nobody is at it."""
        if self._turn.acquire(blocking=False):
            try:
                if self._open is shared:
                    self._end()
            finally:
                self._turn.release()

    def _by_itself(self, operation: Callable[[Part], Any]) -> Any:
        with self.alone() as left:
            shared = self._begun(left)
            result, error = None, None
            try:
                result = operation(Part(self._engine, shared.pooled))
            except BaseException as failure:
                error = failure
            self._end(keep=error is None)
        return _given(result, shared.failure or error)


def _given(result: Any, error: BaseException | None) -> Any:
    if isinstance(error, FAILURES):
        raise_translated(error)
    if error is not None:
        raise error
    return result
