"""What each dialect can do."""

from abc import ABC, abstractmethod
from typing import Any

from sqlalchemy.engine import URL, Connection, Engine


class Dialect(ABC):
    """A database engine. `shares_commits`: whether one commit costs more than the operations before it, so that
    operations which wait together are committed together."""

    shares_commits: bool

    def __init__(self, url: URL, wait: int):
        self.url, self.wait = url, wait

    @abstractmethod
    def engine_options(self) -> dict[str, Any]:
        """The arguments of `create_engine`."""

    @abstractmethod
    def listen(self, engine: Engine) -> None:
        """Register the events that connections of this engine need."""

    @abstractmethod
    def separate_connection(self, engine: Engine) -> Any:
        """A connection of the driver that does not belong to the pool."""

    def fault(self) -> str | None:
        """Why nothing may be written to the database's files, as a message for the operator; None where there are none,
        or they are those that were opened."""
        return None

    def access_fault(self) -> str | None:
        """Why this process may not write to the database's files, with their owner and mode; None where it may."""
        return None

    @abstractmethod
    def check_writable(self, connection: Connection) -> None:
        """Raises what a change would raise on a database that refuses every change."""

    @abstractmethod
    def begin_read(self, connection: Connection, seconds: float | None) -> None:
        """Begin a transaction that reads, and is interrupted after so many seconds; None: no limit."""

    @abstractmethod
    def end_read(self, connection: Connection) -> None:
        """From here on there is no limit."""

    @abstractmethod
    def begin_write(self, connection: Connection, seconds: float) -> None:
        """Begin a transaction that may change things; wait so long for the lock of another process."""
