"""The catalogue over HTTP."""
import re
from urllib.parse import quote, unquote_plus, urlencode

from flask import Blueprint, Response, request, url_for

from ..answers import fleeting, has_already, lasting, precondition, stream_tag, tagged
from ..auth.permissions import admin_required, reader_required, require_admin
from ..db import db
from ..negotiation import Books, Stream, body, deferred_body, represents
from ..problems import Problem, respond
from . import changes, query
from .schemas import book_schema

blueprint = Blueprint("books", __name__, url_prefix="/books")


@blueprint.get("")
@reader_required
@represents("catalogue", streams=True)
def read_list():
    """A page of the books that match."""
    listing = _listing()
    page = query.page(listing)
    if not page.lasts:
        fleeting()
    links = _cursor_links(page.cursor) if listing.page is None else _page_links(listing.page, listing.limit, page.total)
    told = {"facets": page.facets} if listing.facets else {}
    document = {"books": page.records, "total": page.total, "limit": listing.limit, **told, "links": links}
    return Books(document, listing.fields), 200, {**_link_header(links), **_secrecy(listing)}


@blueprint.post("")
@admin_required
@represents("book")
def create():
    """Add a book."""
    record = db.write(changes.create, book_schema.load(body()))
    return tagged(record, 201, Location=_address(record["id"]))


@blueprint.get("/export")
@reader_required
@represents("catalogue", streams=True)
def export():
    """Every book that matches, streamed."""
    listing = _listing(paging=False)
    state, records = query.export(listing)
    tag = stream_tag(state, listing)
    if request.method == "HEAD" or has_already(request.environ, tag):  # no book is wanted
        records.close()
    return Stream(records, listing.fields), 200, {"ETag": tag, **_secrecy(listing)}


@blueprint.get("/authors", defaults={"kind": "author"})
@blueprint.get("/subjects", defaults={"kind": "subject"})
@blueprint.get("/publishers", defaults={"kind": "publisher"})
@blueprint.get("/languages", defaults={"kind": "language"})
@reader_required
@represents("terms")
def read_terms(kind: str):
    """The values that books have, with the number of books of each."""
    found = query.terms(kind, request.args)
    links = _page_links(found.page, found.limit, found.total)
    return ({"terms": found.terms, "total": found.total, "limit": found.limit, "links": links}, 200,
            _link_header(links))


@blueprint.get("/<book_id:book_id>")
@reader_required
@represents("book")
def read_one(book_id: int):
    """One book; `state=deleted` shows an admin the one in the trash, too."""
    record, in_trash = query.one(book_id) or _missing()
    if not in_trash:
        return tagged(lasting(record))
    if request.args.get("state") != "deleted":
        raise Problem(410, "the book is in the trash")
    require_admin()
    return tagged(record, **_SECRET)


@blueprint.put("/<book_id:book_id>")
@admin_required
@represents("book")
def replace(book_id: int):
    """Replace a book: what is not sent is cleared."""
    return tagged(db.write(changes.replace, book_id, deferred_body(), precondition()))


@blueprint.patch("/<book_id:book_id>")
@admin_required
@represents("book")
def patch(book_id: int):
    """Change the fields that are sent."""
    return tagged(db.write(changes.patch, book_id, deferred_body(), precondition()))


@blueprint.delete("/<book_id:book_id>")
@admin_required
@represents("book")
def delete(book_id: int):
    """Move a book to the trash."""
    db.write(changes.delete, book_id, precondition())
    return "", 204


@blueprint.get("/isbn/<isbn:digits>")
@reader_required
@represents("book")
def read_by_isbn(digits: str):
    """The book of an ISBN."""
    record = query.by_isbn(digits)
    if record is None:
        raise Problem(404, "there is no book of that ISBN")
    return tagged(record)


@blueprint.put("/isbn/<isbn:digits>")
@admin_required
@represents("book")
def put_by_isbn(digits: str):
    """Create or replace the book of an ISBN."""
    record, is_new = db.write(changes.put_isbn, digits, deferred_body(), precondition())
    return tagged(record, 201, Location=_address(record["id"])) if is_new else tagged(record)


@blueprint.errorhandler(changes.IsbnTaken)
def isbn_taken(error: changes.IsbnTaken) -> Response:
    """409, and where the other book is."""
    return respond(Problem(409, "another book has this ISBN", existing=_address(error.book_id),
                           errors=[{"field": "isbn", "detail": "is another book's already"}]))


_SECRET = {"Cache-Control": "no-store"}  # what not everyone may see


def _missing() -> None:
    raise Problem(404, "there is no book of that id")


def _listing(paging: bool = True) -> query.Listing:
    """The list that is asked for; 401 or 403 where it is not for everyone."""
    if request.args.get("state") == "deleted":
        require_admin()
    return query.parse(request.args, paging)


def _secrecy(listing: query.Listing) -> dict[str, str]:
    return _SECRET if listing.shape.in_trash else {}


def _address(book_id: int) -> str:
    return url_for("books.read_one", book_id=book_id, _external=True)


def _page_links(page: int, limit: int, total: int) -> dict[str, str]:
    """The list's own address and its neighbours', absolute and with every parameter."""
    last = max(1, -(-total // limit))
    pages = {"first": 1, "prev": min(page - 1, last), "next": page + 1, "last": last}
    return _links("page", {relation: number for relation, number in pages.items() if 1 <= number <= last})


def _cursor_links(cursor: str | None) -> dict[str, str]:
    """The same for a list that goes on behind a cursor: it knows no way back and no end."""
    return _links("cursor", {"first": "*", **({"next": cursor} if cursor else {})})


def _links(parameter: str, others: dict[str, int | str]) -> dict[str, str]:
    # `url_for` and werkzeug's `base_url` say the same at ten times the price; a list has five of these.
    base, given = f"{request.scheme}://{request.host}{quote(request.root_path + request.path)}", _parameters()
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


def _link_header(links: dict[str, str]) -> dict[str, str]:
    return {"Link": ", ".join(f'<{address}>; rel="{relation}"' for relation, address in links.items()
                              if relation != "self")}
