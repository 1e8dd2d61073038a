"""Pages of a list, and its parameters and links (contract, section 4)."""

import re
from collections.abc import Set
from typing import NamedTuple
from urllib.parse import quote, unquote_plus, urlencode

from flask import Flask, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound
from werkzeug.routing import BaseConverter

from .problems import bad_parameters

MAX_LIMIT, DEFAULT_LIMIT = 100, 20
MAX_PAGE = 10**15
LARGEST_ID = 2**63 - 1
_NUMBER = re.compile("[0-9]{1,19}")

Errors = list[tuple[str, str]]


class Id(BaseConverter):
    """In an address: a positive integer of ASCII digits that the database can hold, written in one way only."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        number = int(value)
        if number > LARGEST_ID:
            raise NotFound
        return number


# -- parameters ---------------------------------------------------------------------------------------------------


class Page(NamedTuple):
    """A page that was asked for: at most `limit` things, the pages counted from 1."""

    limit: int
    page: int

    @property
    def offset(self) -> int:
        """How many things come before it."""
        return (self.page - 1) * self.limit


def page_of(args: MultiDict, errors: Errors) -> Page:
    """The page that the parameters ask for; what is wrong with them is noted."""
    return Page(
        number("limit", args, DEFAULT_LIMIT, MAX_LIMIT, errors),
        number("page", args, 1, MAX_PAGE, errors),
    )


def asked_page(args: MultiDict, *others: str) -> Page:
    """The page of a list that takes `limit`, `page`, `format` and these other parameters; a 400 names what is wrong."""
    errors: Errors = []
    check_names(args, {"limit", "page", "format", *others}, set(), errors)
    page = page_of(args, errors)
    if errors:
        raise bad_parameters(errors)
    return page


def check_names(args: MultiDict, known: Set[str], repeatable: Set[str], errors: Errors) -> None:
    """Note the parameters that are unknown, and those given more than once where once is meant."""
    errors += [(name, "is not a parameter here") for name in args if name not in known]
    errors += [
        (name, "is given more than once")
        for name, values in args.lists()
        if len(values) > 1 and name in known and name not in repeatable
    ]


def number(
    name: str, args: MultiDict, default: int, most: int, errors: Errors, least: int = 1
) -> int:
    """A parameter that is a whole number."""
    text = args.get(name)
    if text is None:
        return default
    value = int(text) if _NUMBER.fullmatch(text) else -1
    if not least <= value <= most:
        errors.append((name, f"must be a whole number from {least} to {most}"))
    return value


# -- links --------------------------------------------------------------------------------------------------------


def base_url(path: str) -> str:
    """The absolute address of a path of this service."""
    # `url_for` and werkzeug's `base_url` say the same at ten times the price; a list has five of these.
    return f"{request.scheme}://{request.host}{quote(request.root_path + path)}"


def paged(
    name: str, things: list[dict], total: int, asked: Page
) -> tuple[dict, int, dict[str, str]]:
    """A page of a list as an answer, `name` being what its things are called; its links stand in a header, too."""
    links = page_links(asked, total)
    return (
        {name: things, "total": total, "limit": asked.limit, "links": links},
        200,
        link_header(links),
    )


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
    return _links(parameter, others | ({"next": following} if following is not None else {}))


def _links(parameter: str, others: dict[str, int | str]) -> dict[str, str]:
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
    """The same links as a header (RFC 8288), but for the list's own."""
    others = ", ".join(
        f'<{address}>; rel="{relation}"'
        for relation, address in links.items()
        if relation != "self"
    )
    return {"Link": others} if others else {}


def init_app(app: Flask) -> None:
    """Teach the application ids in addresses."""
    app.url_map.converters.update(id=Id)
