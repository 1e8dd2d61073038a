"""Whether one more request may wait for a thread, or is better told at once to come again.

A burst may wait: it is over soon. What must not grow is a queue that stands: all in it are answered late, and most of
them behind their clients' patience. So it is not the length of the queue that is judged, but how long requests wait in
it, and whether they have done so for a while.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

LATE = 0.25  # seconds that a request may wait for as long as it likes to happen
TARGET = 0.1  # seconds that one waits at most, once there are too many
INTERVAL = 0.25  # seconds in which all have waited longer: too many are asking
STUCK = 1.0  # seconds that one has waited, and no thread has come for it: all of them hang, or nearly so
CALM = 1.0  # seconds in which nobody had to be refused: it is over
RECENT, MEMORY = (
    32,
    1.0,
)  # requests, seconds: the last that were taken tell how fast the threads are at present
RETRY_AFTER = 1  # second, told to who is refused


class Load:
    """The requests that wait for a thread, and the choice of who may join them.

    While the service is overloaded, half as many may wait as there are threads, or as will be taken within `TARGET`:
    who comes beyond that is refused. Who was let in before is kept where a thread will come within `STUCK` seconds.
    `tell` gets a line when that begins and when it has ended. `refused` counts since the start.
    """

    def __init__(
        self,
        threads: int,
        tell: Callable[..., None] = lambda *line: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.threads, self.refused, self.overloaded = threads, 0, False
        self._tell, self._clock = tell, clock
        # Every request passes here, so that nothing is locked but what happens in an overload: a deque needs no lock.
        self._lock = threading.Lock()
        self._waiting: deque[tuple[float, bool]] = (
            deque()
        )  # since when, and whether it always may; the first first
        # How long each had waited since another was taken. A time when nobody waits does not count: it would tell how
        # many come, and where most are refused that is not how many could be taken.
        self._gaps: deque[tuple[float, float]] = deque(maxlen=RECENT)  # and when it was taken
        self._last_take = 0.0
        self._late_since: float | None = None
        self._last_refusal = self._first_refusal = 0.0
        self._refused_before = 0

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return len(self._waiting)

    def admit(self, always: bool = False) -> bool:
        """Whether a request that has just come may wait; from here on it waits. One that `always` may takes no room."""
        now = self._clock()
        if not self._waiting:
            self._late_since = None  # no queue stands
        if self._is_overloaded(now) and not always and self._counted() >= self._room(TARGET, now):
            self._refuse(now)
            return False
        self._waiting.append((now, always))
        return True

    def take(self) -> None:
        """A thread takes the request that has waited longest."""
        now, (since, _) = self._clock(), self._waiting.popleft()
        last, self._last_take = self._last_take, now
        self._gaps.append((now, now - (last if last > since else since)))
        late_since = self._late_since
        if now - since <= LATE:
            self._late_since = None
        elif late_since is None:
            self._late_since = now
        elif now - late_since >= INTERVAL:
            self._begin(now)

    def surplus(self) -> int:
        """How many of those who wait, the last first, are to be refused after all: see `drop`."""
        now = self._clock()
        return max(0, self._counted() - self._room(STUCK, now)) if self._is_overloaded(now) else 0

    def drop(self) -> None:
        """The request that came last, of those that may not always wait, waits no longer: it is refused."""
        self._refuse(self._clock())
        self._waiting.remove(next(entry for entry in reversed(list(self._waiting)) if not entry[1]))

    def _counted(self) -> int:
        """How many wait that take room."""
        return sum(not always for _, always in list(self._waiting))

    def _room(self, seconds: float, now: float) -> int:
        """How many may wait, if none is to wait longer than that."""
        gaps = [gap for at, gap in list(self._gaps) if now - at <= MEMORY]
        taking = sum(gaps) + now - max(self._last_take, self._first(now))
        return max(1, self.threads // 2, int(seconds * len(gaps) / max(taking, 0.001)))

    def _first(self, now: float) -> float:
        """Since when the first in the queue has waited; now, where there is none."""
        try:
            return self._waiting[0][0]
        except IndexError:
            return now

    def _is_overloaded(self, now: float) -> bool:
        if now - self._first(now) > STUCK:
            self._begin(now)
        elif self.overloaded and now - self._last_refusal >= CALM:
            self._end()
        return self.overloaded

    def _begin(self, now: float) -> None:
        with self._lock:
            if not self.overloaded:
                self.overloaded, self._last_refusal, self._refused_before = True, now, self.refused

    def _refuse(self, now: float) -> None:
        with self._lock:
            if self.refused == self._refused_before:
                self._first_refusal = now
                self._tell(
                    "overloaded: %d requests wait for %d threads; who comes beyond that is refused",
                    len(self._waiting),
                    self.threads,
                )
            self.refused += 1
            self._last_refusal = now

    def _end(self) -> None:
        with self._lock:
            count, self.overloaded, self._late_since = (
                self.refused - self._refused_before,
                False,
                None,
            )
            self._refused_before = self.refused
            if count:
                self._tell(
                    "no longer overloaded: %d requests were refused within %.1f s",
                    count,
                    self._last_refusal - self._first_refusal,
                )
