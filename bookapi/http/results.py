"""What views return, beside what Flask takes from any view: data that the chosen format writes."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cache import NO_STORE, CachePolicy


class Stream:
    """Records that are written one by one, in constant memory. `fields` names what each has, in
    order.

    The first record is fetched here, in the view: a failure before it is a problem like any other.
    """

    def __init__(self, records: Generator[dict[str, Any]], fields: tuple[str, ...]):
        self._records, self.fields = records, fields
        self._first = next(records, None)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._first is not None:
            yield self._first
            yield from self._records

    def close(self) -> None:
        """End the reading."""
        self._records.close()


@dataclass(slots=True)
class Result:
    """Data with what HTTP needs to know of it. A dict alone is `Result(data)`; (dict, status,
    headers) works as well.

    `resource`: the XML root element, if it is another than the endpoint's. `fields`: what each of
    data["books"] has, in order. `etag`: quoted; without one the response to a public GET gets a
    digest of its body.
    """

    data: Mapping[str, Any] | Stream
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cache: CachePolicy = NO_STORE
    etag: str | None = None
    resource: str | None = None
    fields: tuple[str, ...] = ()
