"""What views return, beside what Flask takes from any view: data that the chosen format writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .cache import NO_STORE, CachePolicy
from .spool import SpooledFile


@dataclass(slots=True)
class Result:
    """Data with what HTTP needs to know of it. A dict alone is `Result(data)`; (dict, status,
    headers) works as well.

    `resource`: the XML root element, if it is another than the endpoint's. `fields`: what each of
    data["books"] has, in order. `etag`: quoted; without one the response to a public GET gets a
    digest of its body. `data` is a file for what was written already, None where no body is wanted
    (HEAD and 304 of such a file).
    """

    data: Mapping[str, Any] | SpooledFile | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cache: CachePolicy = NO_STORE
    etag: str | None = None
    resource: str | None = None
    fields: tuple[str, ...] = ()
