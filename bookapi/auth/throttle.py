"""Throttling of failed attempts, by name (known or not) and by address, in the database that all
workers share.

An attempt is counted as a failure before the password is looked at, so that parallel attempts
count, too; one that succeeds is taken back. Failures are forgotten with time, and no wait is longer
than an hour.
"""

import hashlib
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flask import request
from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection
from werkzeug.exceptions import HTTPException

from ..db import db, now
from ..http.problems import Problem
from . import audit, usernames
from .audit import Action
from .models import Throttle

MAX_SWEPT = 100  # void rows that are deleted with an attempt
FIRST_WAIT, MAX_WAIT = timedelta(seconds=30), timedelta(hours=1)
MAX_SKEW = timedelta(minutes=1)  # between the clocks of two machines


class Limit(NamedTuple):
    """After `free` failures there is a wait, doubled with each more; one is forgotten each time
    `memory` has passed.
    """

    free: int
    memory: timedelta

    def wait_after(self, failures: float) -> timedelta:
        """The whole wait after so many failures."""
        surplus = math.ceil(failures) - self.free
        return min(FIRST_WAIT * 2 ** min(surplus, 20), MAX_WAIT) if surplus >= 0 else timedelta(0)

    def wait_left(self, failures: float, last_at: datetime) -> timedelta | None:
        """What is left of the wait."""
        wait = self.wait_after(failures)
        left = last_at + wait - now()
        # A failure in the future is from before the clock was set back; do not wait until that time
        # comes again.
        return min(left, wait) if timedelta(0) < left <= wait + MAX_SKEW else None

    def remembered(self, failures: float, last_at: datetime) -> float:
        """The failures that are left. None is forgotten during a wait, so an attempt right after it
        waits longer.
        """
        free_time = max(now() - last_at - self.wait_after(failures), timedelta(0))
        return max(failures - free_time / self.memory, 0.0)


PER_NAME, PER_ADDRESS = Limit(10, timedelta(hours=1)), Limit(100, timedelta(minutes=1))


class Subject(NamedTuple):
    """A name, an address, … whose failures are counted."""

    digest: str
    limit: Limit


# How many attempts, by digest, ended in a fault of the service (503, 409) and could not be taken
# back in the database yet.
_not_failures: Counter[str] = Counter()


class Attempt:
    """One attempt to prove an identity. Its failures count for `kind` and `value`, and for the
    address.
    """

    def __init__(self, kind: str, value: object):
        self._subjects = (
            _subject(kind, value, PER_NAME),
            _subject("address", network_of(request.remote_addr or ""), PER_ADDRESS),
        )
        # The waits of the name and of the address that begin if this attempt fails.
        self._waits: list[timedelta | None] = [None, None]

    @classmethod
    def at_name(cls, username: str) -> "Attempt":
        """An attempt to be this account, known or not."""
        possible = usernames.is_possible(username)
        return cls("name", usernames.canonical(username) if possible else username)

    def refuse_blocked(self) -> None:
        """Raise 429 during a wait. It takes no lock: most attempts of an attacker end here."""
        with db.read() as connection:
            for subject in self._subjects:
                stored = _read(connection, subject)
                if stored is not None:
                    failures, last_at = stored
                    failures -= _not_failures[subject.digest]
                    _refuse(subject.limit.wait_left(failures, last_at))

    def count(self) -> None:
        """Count it as a failure, before the proof is looked at; raise 429 where parallel attempts
        used up the limit.
        """
        taken_off = [_not_failures[subject.digest] for subject in self._subjects]
        _refuse(db.write(self._count, taken_off))
        for subject, number in zip(self._subjects, taken_off, strict=True):
            if number:
                _not_failures[subject.digest] -= number

    def _count(self, connection: Connection, taken_off: list[int]) -> timedelta | None:
        """Add a failure to each subject; returns the wait where none was added."""
        counted, waits = [], []
        for subject, number in zip(self._subjects, taken_off, strict=True):
            failures, last_at = _read(connection, subject, lock=True) or (0.0, now())
            failures = max(failures - number, 0.0)
            waits.append(subject.limit.wait_left(failures, last_at))
            counted.append(subject.limit.remembered(failures, last_at) + 1)
        if any(waits):
            return max(wait for wait in waits if wait)
        _sweep(connection)
        instant = now()
        for subject, failures in zip(self._subjects, counted, strict=True):
            _write(connection, subject, failures, instant)
        self._waits = [
            subject.limit.wait_left(failures, instant)
            for subject, failures in zip(self._subjects, counted, strict=True)
        ]
        return None

    def write(self, operation: Callable[..., Any], *args: Any) -> Any:
        """`db.write` of what a right proof leads to. Where that fails (503, 409) the attempt was no
        failure: it is taken back at once, or else with the next attempt in this process.
        """
        try:
            return db.write(operation, *args)
        except HTTPException:
            try:
                db.write(self.take_back, wait=0.05)
            except HTTPException:
                _not_failures.update(subject.digest for subject in self._subjects)
            raise

    def forgive(self, connection: Connection) -> None:
        """It succeeded: forget all failures of the name, but only this one of the address;
        otherwise anyone with an account could reset the address's failures at will.
        """
        self.take_back(connection)
        connection.execute(delete(Throttle).where(Throttle.subject == self._subjects[0].digest))

    def take_back(self, connection: Connection) -> None:
        """It was not a failure."""
        for subject in self._subjects:
            row = _read(connection, subject, lock=True)
            if row is not None:
                failures, last_at = row
                _write(connection, subject, max(failures - 1, 0), last_at)

    def failed(
        self, connection: Connection, action: Action, username: str | None, detail: str
    ) -> None:
        """It failed: record it, and the waits that begin with it."""
        audit.record(connection, action, username, detail=detail)
        for wait, kind in zip(self._waits, ("name", "address"), strict=True):
            if wait:
                detail = f"this {kind} has to wait {math.ceil(wait.total_seconds())} s"
                audit.record(connection, Action.LOGIN_THROTTLED, username, detail=detail)


def _subject(kind: str, value: object, limit: Limit) -> Subject:
    text = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    return Subject(hashlib.sha256(text).hexdigest(), limit)


def network_of(address: str) -> str:
    """The network of an address, with or without a port: of IPv6 the customer's /64 (RFC 6177), of
    IPv4 the address; "unknown" for what is no address.
    """
    bare = re.sub(r"\A\[(.*)\](:\d+)?\Z", r"\1", address)
    try:
        found = ipaddress.ip_address(bare if bare.count(":") != 1 else bare.partition(":")[0])
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    return str(found if found.version == 4 else ipaddress.ip_network(f"{found}/64", strict=False))


def _read(
    connection: Connection, subject: Subject, lock: bool = False
) -> tuple[float, datetime] | None:
    """(failures, time of the last one) of a subject; locked even where there is no row (InnoDB
    locks the gap).
    """
    statement = select(Throttle.failures, Throttle.last_at).where(
        Throttle.subject == subject.digest
    )
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    return row and (row.failures, row.last_at)


def _write(connection: Connection, subject: Subject, failures: float, last_at: datetime) -> None:
    void_at = last_at + subject.limit.wait_after(failures) + subject.limit.memory * failures
    values = {"failures": failures, "last_at": last_at, "void_at": void_at}
    changed = connection.execute(
        update(Throttle).where(Throttle.subject == subject.digest).values(**values)
    )
    if not changed.rowcount:
        connection.execute(insert(Throttle).values(subject=subject.digest, **values))


def _sweep(connection: Connection) -> None:
    """Delete void rows, by their keys: a DELETE that searches would wait for every row that is
    locked.
    """
    void = select(Throttle.subject).where(Throttle.void_at < now()).limit(MAX_SWEPT)
    digests = connection.scalars(void).all()
    if digests:
        connection.execute(delete(Throttle).where(Throttle.subject.in_(digests)))


def _refuse(wait: timedelta | None) -> None:
    if wait:
        seconds = math.ceil(wait.total_seconds())
        raise Problem(
            429,
            f"too many failed attempts; try again in {seconds} seconds",
            {"Retry-After": str(seconds)},
            type="throttled",
        )
