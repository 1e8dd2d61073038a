"""Addresses in answers: of a book, and of a list and its neighbours, absolute and with every parameter."""
import re
from urllib.parse import quote, unquote_plus, urlencode

from flask import request


def address(book_id: int) -> str:
    """The address of a book."""
    return f"{_base('/books')}/{book_id}"


def _base(path: str) -> str:
    # `url_for` and werkzeug's `base_url` say the same at ten times the price; a list has five of these.
    return f"{request.scheme}://{request.host}{quote(request.root_path + path)}"


def page_links(page: int, limit: int, total: int) -> dict[str, str]:
    """The list's own address and its neighbours', absolute and with every parameter."""
    last = max(1, -(-total // limit))
    pages = {"first": 1, "prev": min(page - 1, last), "next": page + 1, "last": last}
    return _links("page", {relation: number for relation, number in pages.items() if 1 <= number <= last})


def onward_links(parameter: str, following: int | str | None, **others: str) -> dict[str, str]:
    """The same for a list that goes on behind a place in it: it knows no way back and no end."""
    return _links(parameter, others | ({"next": following} if following is not None else {}))


def _links(parameter: str, others: dict[str, int | str]) -> dict[str, str]:
    base, given = _base(request.path), _parameters()
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
        return [(name, urlencode([(name, value)])) for name, value in request.args.items(multi=True)]
    return [(unquote_plus(pair.partition("=")[0]), pair) for pair in query.split("&") if pair]


def link_header(links: dict[str, str]) -> dict[str, str]:
    others = ", ".join(f'<{address}>; rel="{relation}"' for relation, address in links.items() if relation != "self")
    return {"Link": others} if others else {}
