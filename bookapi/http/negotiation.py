"""Which format a response has: content negotiation by `Accept` and `?format=` (RFC 9110, section
12).

The choice is made before any work, so that a request that ends in 406 changes nothing. docs/api.md,
Formats.
"""

import functools
import re

from flask import g, request
from werkzeug.http import parse_list_header, parse_options_header

from .. import formats
from .endpoints import current_endpoint
from .problems import Problem, bad_parameters

_Q = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


@functools.cache
def offered_formats(streams: bool) -> tuple[formats.Format, ...]:
    """The formats that write any document; with `streams` also those that write books alone."""
    return tuple(
        module
        for module in formats.all_formats()
        if module.can("dumps") or streams and module.can("write")
    )


def choose() -> None:
    """Choose the response format of a request that has a route; 406 where nothing offered is
    acceptable.
    """
    g.pop("format", None)
    declared, environ = current_endpoint(), request.environ
    if declared is None or declared.resource is None or request.method == "OPTIONS":
        return
    offered = offered_formats(declared.streams)
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
    g.format = chosen


def chosen_format() -> formats.Format:
    """The format of this response; without a choice (a 404, a 406) the best of those that write any
    document.
    """
    if "format" not in g:
        documents = offered_formats(False)
        named = formats.by_name(request.args.get("format", ""))
        g.format = (
            named
            if named in documents
            else best(request.headers.get("Accept", ""), documents) or documents[0]
        )
    chosen: formats.Format = g.format
    return chosen


def is_negotiated() -> bool:
    """Whether this response depends on the Accept header."""
    return "format" in g


@functools.lru_cache(maxsize=128)
def best(accept: str, offered: tuple[formats.Format, ...]) -> formats.Format | None:
    """The format that an Accept header prefers among those offered; the first of equals; None: none
    is acceptable.
    """
    if not accept.strip():
        return offered[0]
    ranges = parse_accept(accept)
    weighed = [(_quality(module, ranges), module) for module in offered]
    quality, chosen = max(weighed, key=lambda pair: pair[0])
    return chosen if quality > 0 else None


def parse_accept(accept: str) -> list[tuple[str, float]]:
    """(media range, quality) of an Accept header, read as leniently as clients write it.

    Java sends `*; q=.2` for `*/*; q=0.2`. Other parameters are dropped, and so is a range whose q
    is no number.
    """
    ranges = []
    for item in parse_list_header(accept):
        media_range, parameters = parse_options_header(item)
        found = _Q.fullmatch(parameters.get("q", "1").strip())
        if found:
            media_range = media_range.strip().lower()
            quality = min(float(found[0]), 1.0)
            ranges.append(("*/*" if media_range == "*" else media_range, quality))
    return ranges


def _quality(module: formats.Format, ranges: list[tuple[str, float]]) -> float:
    """The quality of the most specific range with this format (RFC 9110, section 12.5.1)."""
    families = {media_type.partition("/")[0] + "/*" for media_type in module.media_types}
    for wanted in ({*module.media_types, *module.aliases}, families, {"*/*"}):
        qualities = [quality for media_range, quality in ranges if media_range in wanted]
        if qualities:
            return max(qualities)
    return 0.0
