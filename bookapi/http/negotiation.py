"""Which format a response has: content negotiation by `Accept` and `?format=` (RFC 9110, section
12).

The choice is made before any work, so that a request that ends in 406 changes nothing. docs/api.md,
Formats.
"""

import functools
import re

from werkzeug.http import parse_list_header, parse_options_header

from .. import formats
from .problems import Problem, bad_parameters
from .request import Request, current_request

_EQUALS = re.compile(r"\s*=\s*")
_Q = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


@functools.cache
def offered_formats(
    streams: bool, has_page: bool = True, page_only: bool = False
) -> tuple[formats.Format, ...]:
    """The formats that write any document; with `streams` also those that write books alone."""
    return tuple(
        module
        for module in formats.all_formats()
        if (module.can("dumps") or streams and module.can("write"))
        and (module.is_page and has_page or not module.is_page and not page_only)
    )


def choose(request: Request) -> None:
    """Choose the response format of a request that has a route; 406 where nothing offered is
    acceptable.
    """
    declared, environ = request.declared, request.environ
    if declared is None or declared.resource is None or request.method == "OPTIONS":
        return
    offered = offered_formats(declared.streams, declared.has_page, declared.page_only)
    names = request.args.getlist("format") if environ.get("QUERY_STRING") else []
    if len(names) > 1:
        raise bad_parameters([("format", "is given more than once")])
    if names:
        chosen = next((module for module in offered if module.name == names[0]), None)
    else:
        chosen = best(environ.get("HTTP_ACCEPT", ""), offered)
    if chosen is None:
        available = ", ".join(f"{module.name} ({module.media_types[0]})" for module in offered)
        raise Problem(
            406,
            f"no acceptable format; available: {available}",
            available=[module.media_types[0] for module in offered],
        )
    request.format = chosen


def wants_page() -> bool:
    """Whether the client asks for pages, as browsers do, by what it sends alone."""
    request = current_request()
    if name := request.args.get("format"):
        return name == "html"
    chosen = best(request.headers.get("Accept", ""), offered_formats(False))
    return chosen is not None and chosen.is_page


def chosen_format() -> formats.Format:
    """The format of this response. Where none was chosen (a 404, a 406), the one that the client
    prefers among those that write any document.
    """
    request = current_request()
    if request.format is None:
        documents = offered_formats(False)
        named = formats.by_name(request.args.get("format", ""))
        request.format = (
            named
            if named in documents
            else best(request.headers.get("Accept", ""), documents) or documents[0]
        )
    return request.format


@functools.lru_cache(maxsize=128)
def best(accept: str, offered: tuple[formats.Format, ...]) -> formats.Format | None:
    """The format that an Accept header prefers among those offered; the first of equals; None: none
    is acceptable.

    Wildcards mean data: pages are for clients that name them. Java's old default names them too,
    and is known by its bare `*`.
    """
    if not accept.strip():
        return offered[0]
    ranges = parse_accept(accept)
    data = [module for module in offered if not module.is_page] or offered
    quality, chosen = max(
        ((_quality(module, ranges), module) for module in data), key=lambda pair: pair[0]
    )
    page = _named_page(offered, ranges, quality, chosen)
    return page or (chosen if quality > 0 else None)


def _named_page(
    offered: tuple[formats.Format, ...],
    ranges: list[tuple[str, float]],
    quality: float,
    chosen: formats.Format,
) -> formats.Format | None:
    """The page format if it is named, and preferred to the chosen one: by a higher quality, or by
    an equal one that the other has from a wildcard alone.
    """
    names = dict(ranges)
    if "*" in names:
        return None
    is_named = any(names.get(name) == quality for name in chosen.media_types)
    for page in offered:
        preferred = max((names.get(name, 0.0) for name in page.media_types), default=0.0)
        if page.is_page and preferred > 0 and preferred >= quality:
            return None if is_named and preferred == quality else page
    return None


def parse_accept(accept: str) -> list[tuple[str, float]]:
    """(media range, quality) of an Accept header, read as leniently as clients write it.

    Java sends `*; q=.2` for `*/*; q=0.2`. Other parameters are dropped, and so is a range whose q
    is no number.
    """
    ranges = []
    for item in parse_list_header(accept):
        media_range, parameters = parse_options_header(_EQUALS.sub("=", item))
        found = _Q.fullmatch(parameters.get("q", "1").strip())
        if found:
            media_range = media_range.strip().lower()
            quality = min(float(found[0]), 1.0)
            ranges.append((media_range, quality))
    return ranges


def _quality(module: formats.Format, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range with this format (RFC 9110, section 12.5.1)."""
    families = {media_type.partition("/")[0] + "/*" for media_type in module.media_types}
    for wanted in ({*module.media_types, *module.aliases}, families, {"*/*", "*"}):
        qualities = [quality for media_range, quality in ranges if media_range in wanted]
        if qualities:
            return max(qualities)
    return 0.0
