"""The catalogue over HTTP."""
from urllib.parse import urlencode

from flask import Blueprint, Response, request, url_for

from ..answers import precondition, tagged
from ..auth.permissions import admin_required, reader_required
from ..db import db
from ..negotiation import Stream, body, deferred_body, represents
from ..problems import Problem, respond
from . import changes, query
from .schemas import book_schema

blueprint = Blueprint("books", __name__, url_prefix="/books")


@blueprint.get("")
@reader_required
@represents("catalogue", streams=True)
def read_list():
    """A page of the books that match."""
    listing = query.parse(request.args)
    records, total = query.page(listing)
    links = _links(listing, total)
    return {"books": records, "total": total, "limit": listing.limit, "links": links}, 200, _link_header(links)


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
    return Stream(query.stream(query.parse(request.args, paging=False)))


@blueprint.get("/<book_id:book_id>")
@reader_required
@represents("book")
def read_one(book_id: int):
    """One book."""
    return tagged(_live(book_id))


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


def _live(book_id: int) -> dict:
    found = query.one(book_id)
    if found is None:
        raise Problem(404, "there is no book of that id")
    record, in_trash = found
    if in_trash:
        raise Problem(410, "the book is in the trash")
    return record


def _address(book_id: int) -> str:
    return url_for("books.read_one", book_id=book_id, _external=True)


def _links(listing: query.Listing, total: int) -> dict[str, str]:
    """The list's own address and its neighbours', absolute and with every parameter."""
    last = max(1, -(-total // listing.limit))
    pages = {"first": 1, "prev": min(listing.page - 1, last), "next": listing.page + 1, "last": last}
    base, given = request.base_url, list(request.args.items(multi=True))
    kept = urlencode([(name, value) for name, value in given if name != "page"])
    others = f"{base}?{kept}&page=" if kept else f"{base}?page="
    links = {"self": f"{base}?{urlencode(given)}" if given else base}
    links.update({relation: f"{others}{number}" for relation, number in pages.items() if 1 <= number <= last})
    return links


def _link_header(links: dict[str, str]) -> dict[str, str]:
    return {"Link": ", ".join(f'<{address}>; rel="{relation}"' for relation, address in links.items()
                              if relation != "self")}
