"""The catalogue over HTTP."""

from flask import Blueprint, Response, request

from ..auth.permissions import actor, admin_required, reader_required, require_admin
from ..db import db
from ..http.conditional import fleeting, has_already, lasting, precondition, stream_tag, tagged
from ..http.idempotency import idempotency_key, run_idempotent
from ..http.negotiation import Books, Stream, deferred_body, represents
from ..http.pagination import Page, link_header, onward_links, page_links, paged
from ..http.problems import Problem, Sanitized, invalid, respond
from . import changes, queries
from .addresses import address
from .imports import service, upload
from .schemas import FIELDS, book_schema, load_all, placed

blueprint = Blueprint("books", __name__, url_prefix="/books")


@blueprint.get("")
@reader_required
@represents("catalogue", streams=True)
def read_list():
    """A page of the books that match."""
    listing = _listing()
    page = queries.page(listing)
    if not page.lasts:
        fleeting()
    links = (
        onward_links("cursor", page.cursor, first="*")
        if listing.page is None
        else page_links(Page(listing.limit, listing.page), page.total)
    )
    told = {"facets": page.facets} if listing.facets else {}
    document = {
        "books": page.records,
        "total": page.total,
        "limit": listing.limit,
        **told,
        "links": links,
    }
    return Books(document, listing.fields), 200, {**link_header(links), **_secrecy(listing)}


@blueprint.post("")
@admin_required
@represents("book", also="catalogue")
def create():
    """Add a book, or a list of books: all of them or none."""
    document, key = deferred_body(), idempotency_key()
    sent = document()
    if isinstance(sent, list):
        raise invalid(
            [{"pointer": "", "detail": 'must be one book, or {"books": […]} for several'}]
        )
    if isinstance(sent, dict) and "books" in sent:
        return run_idempotent(key, _all_created, changes.create_all, load_all(sent), by=actor())
    return run_idempotent(key, _created, changes.create, book_schema.load(sent), by=actor())


@blueprint.post("/import")
@admin_required
@represents("report", imports=True)
def import_books():
    """Many books in one body, with a report: all of them or none, or all that are right."""
    with upload.Body() as body:
        options = upload.options(request.args)
        key = idempotency_key(body.covered(options))
        if options.dry_run:  # answered anew each time: there is nothing that was done
            return service.run(db.write, body.records, options).as_dict()
        return run_idempotent(
            key,
            service.Report.as_dict,
            service.operation,
            body.records,
            options,
            by=actor(),
            alone=True,
        )


def _created(record: dict) -> tuple:
    return tagged(record, 201, Location=address(record["id"]))


def _all_created(records: list[dict]) -> tuple:
    return Books({"books": records, "total": len(records)}, FIELDS), 201


@blueprint.get("/export")
@reader_required
@represents("catalogue", streams=True)
def export():
    """Every book that matches, streamed."""
    listing = _listing(paging=False)
    state, records = queries.export(listing)
    tag = stream_tag(state, listing)
    if request.method == "HEAD" or has_already(request.environ, tag):  # no book is wanted
        records.close()
    return Stream(records, listing.fields), 200, {"ETag": tag, **_secrecy(listing)}


@blueprint.get("/changes")
@reader_required
@represents("changes")
def read_changes():
    """The change feed: what was changed behind a number, oldest first."""
    found = queries.feed(request.args)
    links = onward_links("after", found.following)
    return {"changes": found.changes, "links": links}, 200, link_header(links)


@blueprint.get("/authors", defaults={"kind": "author"})
@blueprint.get("/subjects", defaults={"kind": "subject"})
@blueprint.get("/publishers", defaults={"kind": "publisher"})
@blueprint.get("/languages", defaults={"kind": "language"})
@reader_required
@represents("terms")
def read_terms(kind: str):
    """The values that books have, with the number of books of each."""
    found = queries.terms(kind, request.args)
    return paged("terms", found.terms, found.total, found.page)


@blueprint.get("/<id:book_id>")
@reader_required
@represents("book")
def read_one(book_id: int):
    """One book; `state=deleted` shows an admin the one in the trash, too."""
    record, in_trash = queries.one(book_id) or _missing()
    if not in_trash:
        return tagged(lasting(record))
    if request.args.get("state") != "deleted":
        raise Problem(410, "the book is in the trash")
    require_admin()
    return tagged(record, **_SECRET)


@blueprint.put("/<id:book_id>")
@admin_required
@represents("book")
def replace(book_id: int):
    """Replace a book: what is not sent is cleared."""
    return tagged(db.write(changes.replace, book_id, deferred_body(), precondition(), by=actor()))


@blueprint.patch("/<id:book_id>")
@admin_required
@represents("book")
def patch(book_id: int):
    """Change the fields that are sent."""
    return tagged(db.write(changes.patch, book_id, deferred_body(), precondition(), by=actor()))


@blueprint.delete("/<id:book_id>")
@admin_required
@represents("book")
def delete(book_id: int):
    """Move a book to the trash."""
    db.write(changes.delete, book_id, precondition(), by=actor())
    return "", 204


@blueprint.post("/<id:book_id>/restore")
@admin_required
@represents("book")
def restore(book_id: int):
    """Take a book out of the trash."""
    return run_idempotent(
        idempotency_key(()),
        tagged,
        changes.restore,
        book_id,
        precondition(demanded=False),
        by=actor(),
    )


@blueprint.get("/<id:book_id>/history")
@admin_required
@represents("history")
def read_history(book_id: int):
    """Who changed what of a book, and when."""
    found = queries.history(book_id, request.args) or _missing()
    return paged("history", found.entries, found.total, found.page)


@blueprint.get("/isbn/<isbn:digits>")
@reader_required
@represents("book")
def read_by_isbn(digits: str):
    """The book of an ISBN."""
    record = queries.by_isbn(digits)
    if record is None:
        raise Problem(404, "there is no book of that ISBN")
    return tagged(record)


@blueprint.put("/isbn/<isbn:digits>")
@admin_required
@represents("book")
def put_by_isbn(digits: str):
    """Create or replace the book of an ISBN."""
    record, is_new = db.write(changes.put_isbn, digits, deferred_body(), precondition(), by=actor())
    return _created(record) if is_new else tagged(record)


@blueprint.errorhandler(changes.IsbnTaken)
def isbn_taken(error: changes.IsbnTaken) -> Response:
    """409, and where the other book is."""
    existing = [address(taken.book_id) for taken in error.taken if taken.book_id is not None]
    return respond(
        Problem(
            409,
            "another book has this ISBN",
            errors=[_conflict(taken) for taken in error.taken],
            **({"existing": existing[0]} if existing else {}),
        )
    )


@blueprint.errorhandler(service.Rejected)
def rejected(error: service.Rejected) -> Response:
    """422, with the whole report."""
    return respond(Problem(422, str(error), report=Sanitized(error.report.as_dict())))


def _conflict(taken: changes.Taken) -> dict:
    told = {"field": "isbn", "detail": "is another book's already"}
    if taken.book_id is None:
        told["detail"] = "is that of a book before it in the list"
    elif taken.place is not None:
        told["existing"] = address(taken.book_id)
    return told if taken.place is None else placed(taken.place, told)


_SECRET = {"Cache-Control": "no-store"}  # what not everyone may see


def _missing() -> None:
    raise Problem(404, "there is no book of that id")


def _listing(paging: bool = True) -> queries.Listing:
    """The list that is asked for; 401 or 403 where it is not for everyone."""
    if request.args.get("state") == "deleted":
        require_admin()
    return queries.parse(request.args, paging)


def _secrecy(listing: queries.Listing) -> dict[str, str]:
    return _SECRET if listing.shape.in_trash else {}
