"""Pages of a list: parameters and links. docs/api.md, Sorting and pages."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlencode

from ..schemas import MAX_LIMIT
from .cache import NO_STORE, CachePolicy
from .parameters import Parameter, Parameters, integer, load_query
from .request import current_request
from .results import Result
from .routing import base_url

DEFAULT_LIMIT = 20
MAX_PAGE = 10**15
MAX_LINK_HEADER = 2048  # characters; NGINX takes 4 KiB of headers by default
_PLAIN_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$()*+,;:@/?=&-]|%[0-9A-Fa-f]{2})*")  # well encoded


class Page(NamedTuple):
    """Page number `page`, counted from 1, of `limit` items each."""

    limit: int
    page: int

    @property
    def offset(self) -> int:
        """The number of items before it."""
        return (self.page - 1) * self.limit


class PageParameters(Parameters):
    limit = Parameter(integer(1, MAX_LIMIT), DEFAULT_LIMIT, "items on a page")
    page = Parameter(integer(1, MAX_PAGE), 1, "the page, from 1")


page_parameters = PageParameters()


def asked_page() -> Page:
    """The page that this request asks for; 400 where any of its parameters is wrong."""
    values = load_query()
    return Page(values["limit"], values["page"])


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
    """The addresses of a page and its neighbours, absolute and with every parameter."""
    limit, page = asked
    last = max(1, -(-total // limit))
    pages = {"first": 1, "prev": min(page - 1, last), "next": page + 1, "last": last}
    return _links(
        "page", {relation: number for relation, number in pages.items() if 1 <= number <= last}
    )


def onward_links(parameter: str, following: int | str | None, **others: str) -> dict[str, str]:
    """The same for a list with cursors, which has no way back and no last page."""
    links: dict[str, int | str] = {**others}
    if following is not None:
        links["next"] = following
    return _links(parameter, links)


def _links(parameter: str, others: Mapping[str, int | str]) -> dict[str, str]:
    request = current_request()
    base, query = base_url(request.path), request.environ.get("QUERY_STRING", "")
    if _PLAIN_QUERY.fullmatch(query):  # as they were sent
        given = [(unquote_plus(pair.partition("=")[0]), pair) for pair in query.split("&") if pair]
    else:
        sent = request.args.items(multi=True)
        given = [(name, urlencode([(name, value)])) for name, value in sent]
    kept = "&".join([pair for name, pair in given if name != parameter])
    start = f"{base}?{kept}&{parameter}=" if kept else f"{base}?{parameter}="
    links = {"self": f"{base}?{'&'.join([pair for _, pair in given])}" if given else base}
    links.update({relation: f"{start}{value}" for relation, value in others.items()})
    return links


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
