"""Pages of a list, and its parameters and links (contract, section 4)."""

import re
from collections.abc import Mapping, Set
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlencode

from flask import request
from werkzeug.datastructures import MultiDict

from .cache import NO_STORE, CachePolicy
from .problems import bad_parameters
from .results import Result
from .routing import base_url

MAX_LIMIT, DEFAULT_LIMIT = 100, 20
MAX_PAGE = 10**15
MAX_LINK_HEADER = 2048  # characters; NGINX takes 4 KiB of headers by default
_NUMBER = re.compile("[0-9]{1,19}")

Errors = list[tuple[str, str]]


# -- parameters ---------------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """A page that was asked for: at most `limit` things, the pages counted from 1."""

    limit: int
    page: int

    @property
    def offset(self) -> int:
        """How many things come before it."""
        return (self.page - 1) * self.limit


def page_of(args: MultiDict[str, str], errors: Errors) -> Page:
    """The page that the parameters ask for; what is wrong with them is noted."""
    return Page(
        number("limit", args, DEFAULT_LIMIT, MAX_LIMIT, errors),
        number("page", args, 1, MAX_PAGE, errors),
    )


def asked_page(args: MultiDict[str, str], *others: str) -> Page:
    """The page of a list that takes `limit`, `page`, `format` and these other parameters; a 400
    names what is wrong.
    """
    errors: Errors = []
    check_names(args, {"limit", "page", "format", *others}, set(), errors)
    page = page_of(args, errors)
    if errors:
        raise bad_parameters(errors)
    return page


def check_names(
    args: MultiDict[str, str], known: Set[str], repeatable: Set[str], errors: Errors
) -> None:
    """Note the parameters that are unknown, and those given more than once where once is meant."""
    errors += [(name, "is not a parameter here") for name in args if name not in known]
    errors += [
        (name, "is given more than once")
        for name, values in args.lists()
        if len(values) > 1 and name in known and name not in repeatable
    ]


def number(
    name: str, args: MultiDict[str, str], default: int, most: int, errors: Errors, least: int = 1
) -> int:
    """A parameter that is an integer."""
    text = args.get(name)
    if text is None:
        return default
    value = int(text) if _NUMBER.fullmatch(text) else -1
    if not least <= value <= most:
        errors.append((name, f"must be an integer from {least} to {most}"))
    return value


# -- links --------------------------------------------------------------------------------------------------------


def paged(
    name: str, items: list[dict[str, Any]], total: int, asked: Page, cache: CachePolicy = NO_STORE
) -> Result:
    """A page of a list as a result: `name` is the name of the items; with links in the body and in
    a Link header.
    """
    links = page_links(asked, total)
    document = {name: items, "total": total, "limit": asked.limit, "links": links}
    return Result(document, headers=link_header(links), cache=cache)


def page_links(asked: Page, total: int) -> dict[str, str]:
    """The list's own address and its neighbours', absolute and with every parameter."""
    limit, page = asked
    last = max(1, -(-total // limit))
    pages = {"first": 1, "prev": min(page - 1, last), "next": page + 1, "last": last}
    return _links(
        "page", {relation: number for relation, number in pages.items() if 1 <= number <= last}
    )


def onward_links(parameter: str, following: int | str | None, **others: str) -> dict[str, str]:
    """The same for a list that goes on behind a place in it: it knows no way back and no end."""
    links: dict[str, int | str] = {**others}
    if following is not None:
        links["next"] = following
    return _links(parameter, links)


def _links(parameter: str, others: Mapping[str, int | str]) -> dict[str, str]:
    base, given = base_url(request.path), _parameters()
    kept = "&".join([pair for name, pair in given if name != parameter])
    start = f"{base}?{kept}&{parameter}=" if kept else f"{base}?{parameter}="
    links = {"self": f"{base}?{'&'.join([pair for _, pair in given])}" if given else base}
    links.update({relation: f"{start}{value}" for relation, value in others.items()})
    return links


_PLAIN_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$()*+,;:@/?=&-]|%[0-9A-Fa-f]{2})*")


def _parameters() -> list[tuple[str, str]]:
    """(name, name=value) of each parameter, as they came where they came as they should."""
    query = request.environ.get("QUERY_STRING", "")
    if not _PLAIN_QUERY.fullmatch(query):
        return [
            (name, urlencode([(name, value)])) for name, value in request.args.items(multi=True)
        ]
    return [(unquote_plus(pair.partition("=")[0]), pair) for pair in query.split("&") if pair]


def link_header(links: dict[str, str]) -> dict[str, str]:
    """The links, but for the list's own, as a header (RFC 8288). One that is too long for proxies
    is in the body alone.
    """
    header = ""
    for relation, address in links.items():
        link = f'<{address}>; rel="{relation}"'
        if relation != "self" and len(header) + len(link) + 2 <= MAX_LINK_HEADER:
            header += f", {link}" if header else link
    return {"Link": header} if header else {}
