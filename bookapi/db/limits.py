"""How long the database may work on what one answer reads, and how each database is told.

SQLite looks at the clock in the middle of its work; a server is told with each statement how much is left, for its
connections are also those of changes and streams, which have no limit. Neither costs a way to the server and back.
"""

import math
import time

from sqlalchemy.engine import Dialect

# Of SQLite's machine between two looks. A list of 20 has a thousand or two. Inside a full-text search it makes a few
# steps for each page of the index, which may take a tenth of a millisecond: with many more it would stop seconds late.
STEPS = 5_000
LEAST = 0.001  # seconds; to a server 0 means that there is no limit


class Deadline:
    """When a connection to a file has to stop: its work is then interrupted (SQLITE_INTERRUPT)."""

    __slots__ = ("_end",)

    def __init__(self, connection):
        self._end = math.inf
        connection.set_progress_handler(self._is_over, STEPS)

    def set(self, seconds: float | None) -> None:
        """From now on there are so many seconds; None: there is no limit."""
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def _is_over(self) -> bool:
        return time.monotonic() > self._end


def limited(sql: str, seconds: float, dialect: Dialect) -> str:
    """A SELECT as one that the server gives up after so many seconds."""
    seconds = max(seconds, LEAST)
    if dialect.is_mariadb:  # which is known since the first connection was made
        return f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {sql}"
    return f"SELECT /*+ MAX_EXECUTION_TIME({seconds * 1000:.0f}) */ {sql.removeprefix('SELECT ')}"
