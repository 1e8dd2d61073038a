"""What each dialect can do."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, Connection, Engine, interfaces
from sqlalchemy.sql.elements import ClauseElement

from ..prepared import compiled, fetch
from ..search import Fts5, InnoDbFullText


class Dialect(ABC):
    """A database engine. `shares_commits`: whether one commit costs more than the operations before
    it, so that operations which wait together are committed together."""

    shares_commits: bool
    #: Writes the expressions of full-text searches.
    full_text: type[Fts5] | type[InnoDbFullText]
    #: Whether a search finds all that was committed before it.
    search_is_current: bool
    #: How many books a search finds in the time in which the words of one book are looked at.
    looking_costs: int
    #: Whether looking up a few rows is cheap: the indexes of sorts have the language, too
    #: (migration 0008), only rows that are equal in an index are sorted, and a search by id ends
    #: once enough is found.
    looks_up_fast: bool

    def __init__(self, url: URL, wait: int):
        self.url, self.wait = url, wait
        self.file: Path | None = None

    @abstractmethod
    def engine_options(self) -> dict[str, Any]:
        """The arguments of `create_engine`."""

    @abstractmethod
    def listen(self, engine: Engine) -> None:
        """Register the events that connections of this engine need."""

    def limit_silence(self, engine: Engine, seconds: float) -> None:  # noqa: B027
        """From here on, give up a new connection on which the server sends nothing for so long, and
        all of them as soon as it hangs."""

    def create_file(self) -> None:  # noqa: B027 # most have no file
        """Create the database's file, where there is one and it is missing."""

    def search_fault(self, connection: Connection) -> str | None:
        """Why this database cannot search, as a message for its operator; None where it can."""
        return None

    @abstractmethod
    def watch(self, engine: Engine) -> "Watch":
        """A connection outside the pool that reads the latest commit."""

    def check_file(self) -> None:  # noqa: B027
        """Raise FileFault where the database's files are not those that were opened any more: what
        is written may be lost."""

    def access_fault(self) -> str | None:
        """What is wrong with the database's files, or why this process may not write to them, with
        their owner and mode; None where all is well."""
        return None

    @abstractmethod
    def check_writable(self, connection: Connection) -> None:
        """Raise the error of the driver, or FileFault, where the database refuses every change."""

    @abstractmethod
    def most_marked(self, connection: Connection) -> int:
        """How many ids one JSON array, and how many bytes one value, of a statement may have."""

    @abstractmethod
    def begin_read(self, engine: Engine, seconds: float | None) -> Connection:
        """A connection in a new transaction that reads, and is interrupted after so many seconds;
        None: no limit."""

    @abstractmethod
    def begin_write(self, engine: Engine, seconds: float) -> Connection:
        """A connection in a new transaction that may change things; waits so long for the lock of
        another process."""

    #: As `fetch`, for rows of many columns.
    fetch_wide: Callable[..., Sequence[Sequence[Any]]] = staticmethod(fetch)

    def end(self, connection: Connection) -> None:
        """End the transaction of `begin_read` or `begin_write`, if it is still open, and give the
        connection back."""
        connection.close()


class Watch:
    """A connection of the driver outside the pool and outside any transaction; it never writes."""

    def __init__(self, connection: Any, dialect: interfaces.Dialect):
        self._connection, self._dialect = connection, dialect
        self._cursor = connection.cursor()

    def newest(self, statement: ClauseElement) -> Any:
        """The first row of a statement about what was committed last."""
        return self.row(statement, {})

    def row(self, statement: ClauseElement, values: dict[str, Any]) -> Any:
        """The first row of a statement; None where there is none."""
        sql, bind = compiled(statement, self._dialect)
        self._cursor.execute(sql, bind(values))
        return self._cursor.fetchone()

    def __del__(self) -> None:
        self._connection.close()
