"""Who failed often has to wait: for a name, known or not, and for an address, in the database that all workers share.

An attempt is counted before the password is looked at, so that attempts side by side are counted, too; one that was
right takes its count back. Failures fade, and no wait is longer than an hour.
"""

import hashlib
import ipaddress
import math
import re
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import request
from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from ..db import db, now, rfc3339
from ..http.problems import Problem
from . import events, usernames
from .bridge import with_session
from .models import Throttle

MAX_SWEPT = 100  # rows that are void, removed with an attempt
FIRST_WAIT, MAX_WAIT = timedelta(seconds=30), timedelta(hours=1)
SKEW = timedelta(minutes=1)  # that the clocks of two machines may differ


class Rule(NamedTuple):
    """So many failures are free; one is forgotten each time `fades` has passed."""

    free: int
    fades: timedelta


NAME, ADDRESS = Rule(10, timedelta(hours=1)), Rule(100, timedelta(minutes=1))


class Subject(NamedTuple):
    """Whose failures are counted."""

    digest: str
    rule: Rule


def _subject(kind: str, value: object, rule: Rule) -> Subject:
    return Subject(
        hashlib.sha256(f"{kind}:{value}".encode("utf-8", "surrogatepass")).hexdigest(), rule
    )


def network_of(address: str) -> str:
    """Whom an address belongs to: of IPv6 the network that a customer has (RFC 6177: a /64 at least), of IPv4 itself;
    however it is written, with a port or without. All that is no address is the same."""
    bare = re.sub(r"\A\[(.*)\](:\d+)?\Z", r"\1", address)
    try:
        found = ipaddress.ip_address(bare if bare.count(":") != 1 else bare.partition(":")[0])
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    return str(found if found.version == 4 else ipaddress.ip_network(f"{found}/64", strict=False))


class Attempt:
    """One attempt to prove who one is: `kind` and `value` tell whose failures it adds to, beside the address's."""

    def __init__(self, kind: str, value: object):
        network = network_of(request.remote_addr or "")
        self._subjects = [_subject(kind, value, NAME), _subject("address", network, ADDRESS)]
        self._begun: list[
            timedelta | None
        ] = []  # the waits of the name and of the address that begin with this one

    @classmethod
    def at_name(cls, username: str) -> "Attempt":
        """An attempt to be this account, known or not."""
        return cls(
            "name", usernames.canonical(username) if usernames.possible(username) else username
        )

    def refuse_blocked(self) -> None:
        """429 for who has to wait, without a lock: most of those who try on are turned away here."""
        with db.read() as connection:
            for subject in self._subjects:
                for failures, last_at in connection.execute(
                    _FAILURES, {"subject": subject.digest}
                ).all():
                    _refuse(_wait(subject.rule, failures, datetime.fromisoformat(last_at)))

    def count(self) -> None:
        """Count it as a failure, or 429: whoever comes at the same time is behind it or before it."""
        wait = db.write(self._counted)
        _refuse(wait)

    @with_session
    def _counted(self, session: Session) -> timedelta | None:
        instant = now()
        rows = [_row(session, subject, instant) for subject in self._subjects]
        void = session.scalars(
            select(Throttle.subject).where(Throttle.void_at < instant).limit(MAX_SWEPT)
        ).all()
        mine = [subject.digest for subject in self._subjects]
        session.execute(
            delete(Throttle).where(
                Throttle.subject.in_([digest for digest in void if digest not in mine])
            )
        )
        waits = [
            wait
            for row, subject in zip(rows, self._subjects)
            if (wait := _wait(subject.rule, row.failures, row.last_at))
        ]
        if waits:
            return max(waits)
        for row, subject in zip(rows, self._subjects):
            _set(row, subject.rule, _faded(subject.rule, row.failures, row.last_at) + 1, instant)
        self._begun = [
            _wait(subject.rule, row.failures, row.last_at)
            for row, subject in zip(rows, self._subjects)
        ]
        return None

    @with_session
    def forgive(self, session: Session) -> None:
        """It was right: forget the name's failures, and of the address's this one. (Of the address's no more: who has
        an account of his own could try others' for ever.)"""
        self.take_back(session)
        session.execute(delete(Throttle).where(Throttle.subject == self._subjects[0].digest))

    @with_session
    def take_back(self, session: Session) -> None:
        """It was no failure after all."""
        for subject in self._subjects:
            row = session.get(Throttle, subject.digest, with_for_update=True)
            if row is not None:
                _set(row, subject.rule, max(row.failures - 1, 0), row.last_at)
        session.flush()

    @with_session
    def failed(self, session: Session, action: str, username: str | None, detail: str) -> None:
        """It was wrong: note it, and that from now on one has to wait, if so."""
        events.note(session, action, username, detail=detail)
        for wait, kind in zip(self._begun, ("name", "address")):
            if wait:
                events.note(
                    session,
                    events.THROTTLED,
                    username,
                    detail=f"this {kind} has to wait {math.ceil(wait.total_seconds())} s",
                )


_FAILURES = select(Throttle.failures, rfc3339(Throttle.last_at)).where(
    Throttle.subject == bindparam("subject")
)


def _row(session: Session, subject: Subject, instant: datetime) -> Throttle:
    # Locked even where there is none yet (InnoDB locks the gap): of two who would make it one runs again.
    row = session.get(Throttle, subject.digest, with_for_update=True)
    if row is None:
        row = Throttle(subject=subject.digest, failures=0.0, last_at=instant, void_at=instant)
        session.add(row)
    return row


def _set(row: Throttle, rule: Rule, failures: float, instant: datetime) -> None:
    row.failures, row.last_at = failures, instant
    row.void_at = instant + _whole_wait(rule, failures) + rule.fades * failures


def _faded(rule: Rule, failures: float, last_at: datetime) -> float:
    """The failures that are left. None fades while one has to wait: who tries on right behind waits longer then."""
    free = now() - last_at - _whole_wait(rule, failures)
    return max(failures - max(free, timedelta(0)) / rule.fades, 0.0)


def _whole_wait(rule: Rule, failures: float) -> timedelta:
    """How long one has to wait after so many failures."""
    over = math.ceil(failures) - rule.free
    return min(FIRST_WAIT * 2 ** min(over, 20), MAX_WAIT) if over >= 0 else timedelta(0)


def _wait(rule: Rule, failures: float, last_at: datetime) -> timedelta | None:
    """How long one has to wait still."""
    wait = _whole_wait(rule, failures)
    left = last_at + wait - now()
    # A failure in the future is one of before the clock was put back: nobody waits until it is reached again.
    return min(left, wait) if timedelta(0) < left <= wait + SKEW else None


def _refuse(wait: timedelta | None) -> None:
    if wait:
        seconds = math.ceil(wait.total_seconds())
        raise Problem(
            429,
            f"too many attempts failed; try again in {seconds} seconds",
            {"Retry-After": str(seconds)},
        )
