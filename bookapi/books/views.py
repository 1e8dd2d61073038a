"""The catalogue over HTTP: docs/api.md, Resources."""

import contextlib
import functools
from typing import Any

from flask import Blueprint, request
from werkzeug.datastructures import MultiDict

from ..auth.permissions import actor, require_admin
from ..db import db
from ..formats import Malformed
from ..http.bodies import deferred_body
from ..http.cache import (
    NO_STORE,
    CachePolicy,
    until_book_changes,
    until_catalogue_changes,
)
from ..http.conditional import Preconditions, book_etag, export_etag
from ..http.endpoints import Access, Cost, Form, endpoint
from ..http.idempotency import idempotency_key, run_idempotent, run_steps_idempotent
from ..http.negotiation import chosen_format
from ..http.pages import form_version
from ..http.pagination import (
    Page,
    asked_page,
    link_header,
    onward_links,
    page_links,
    page_parameters,
    paged,
)
from ..http.parameters import Parameter, Parameters, choice, load_query
from ..http.problems import Problem, Sanitized, invalid
from ..http.results import Result
from ..http.spool import write_books
from . import changes, queries
from .addresses import address
from .edits import read_edit
from .imports import service, upload
from .schemas import (
    FIELDS,
    book_schema,
    books_schema,
    edit_schema,
    load_all,
    located,
    patch_schema,
)

PAGE_FACETS = ("language", "author", "subject", "decade")  # the filters of the page

blueprint = Blueprint("books", __name__, url_prefix="/books")


class BookParameters(Parameters):
    state = Parameter(
        choice({"deleted": "deleted"}), None, "deleted: from the trash, too; for admins"
    )


book_parameters = BookParameters()


@blueprint.get("")
@endpoint(Access.READER, "catalogue", query=queries.list_parameters, etag=True, streams=True)
def read_list() -> Result:
    """A page of the books that match."""
    listing = _listing()
    page = queries.page(listing)
    links = (
        onward_links("cursor", page.cursor, first="*")
        if listing.page is None
        else page_links(Page(listing.limit, listing.page), page.total)
    )
    document = {
        "books": page.records,
        "total": page.total,
        "limit": listing.limit,
        **({"facets": page.facets} if listing.facets else {}),
        "links": links,
    }
    return Result(
        document,
        headers=link_header(links),
        cache=_policy(listing, page.revision),
        fields=listing.fields,
    )


@blueprint.post("")
@endpoint(
    Access.ADMIN,
    "book",
    {"book": book_schema, "catalogue": books_schema},
    201,
    idempotent=True,
    form=Form("book_form", "/books/{id}#added"),
)
def create() -> Result:
    """Add a book, or a list of books: all of them or none."""
    read, by = deferred_body(), actor()
    key = idempotency_key(by.id)
    sent = read()
    if isinstance(sent, list):
        raise invalid(
            [{"pointer": "", "detail": 'must be one book, or {"books": […]} for several'}]
        )
    if isinstance(sent, dict) and "books" in sent:
        records = run_idempotent(key, changes.create_all, load_all(sent), by=by)
        document = {"books": records, "total": len(records)}
        return Result(document, 201, resource="catalogue", fields=FIELDS)
    return _created(run_idempotent(key, changes.create, book_schema.load(sent), by=by))


@blueprint.post("/import")
@endpoint(
    Access.ADMIN,
    "report",
    {"catalogue": books_schema},
    query=upload.import_parameters,
    idempotent=True,
    imports=True,
    cost=Cost.IMPORT,
    form=Form("report"),
)
def import_books() -> dict[str, Any]:
    """Many books in one body, with a report: all of them or none, or all that are right."""
    with contextlib.closing(upload.Body()) as body:
        options = upload.options(upload.arguments())
        options = options._replace(encoding=options.encoding or body.charset)
        key = idempotency_key(actor().id, body.covered(options))
        try:
            prepared = service.prepare(body.file, options, body.reader)
        except Malformed as error:
            faults = [{"parameter": name, "detail": str(error)} for name in error.parameters]
            members: dict[str, Any] = {"errors": faults} if faults else {}
            raise Problem(400, f"{error}; nothing was stored", **members) from None
        run = functools.partial(service.run, prepared, actor())
        with prepared:
            if key is None or options.dry_run or prepared.is_rejected:
                return run()
            report: dict[str, Any] = run_steps_idempotent(key, lambda write: run(write=write))
            return report


def _book(record: dict[str, Any], cache: CachePolicy = NO_STORE) -> Result:
    return Result(record, cache=cache, etag=book_etag(record))


def _created(record: dict[str, Any]) -> Result:
    headers = {"Location": address(record["id"])}
    return Result(record, 201, headers, etag=book_etag(record))


@blueprint.get("/export")
@endpoint(
    Access.READER,
    "catalogue",
    query=queries.export_parameters,
    etag=True,
    streams=True,
    cost=Cost.EXPORT,
    has_page=False,
)
def export() -> Result:
    """Every book that matches."""
    listing = _listing(paging=False)
    revision, records = queries.export(listing)
    etag = export_etag(revision, listing)
    file = write_books(records, listing.fields, etag)
    return Result(file, cache=_policy(listing), etag=etag)


@blueprint.get("/changes")
@endpoint(Access.READER, "changes", query=queries.feed_parameters, etag=True)
def read_changes() -> Result:
    """The change feed: the changes after a number, oldest first."""
    asked = load_query()
    found = queries.feed(asked["after"], asked["limit"])
    links = onward_links("after", found.following)
    return Result(
        {"changes": found.changes, "links": links},
        headers=link_header(links),
        cache=until_catalogue_changes(found.revision),
    )


@blueprint.get("/authors", defaults={"kind": "author"})
@blueprint.get("/subjects", defaults={"kind": "subject"})
@blueprint.get("/publishers", defaults={"kind": "publisher"})
@blueprint.get("/languages", defaults={"kind": "language"})
@endpoint(Access.READER, "terms", query=queries.terms_parameters, etag=True, cost=Cost.TERMS)
def read_terms(kind: str) -> Result:
    """The values that books have, with the number of books of each."""
    asked = load_query()
    page = Page(asked["limit"], asked["page"])
    found = queries.terms(kind, page, asked["sort"])
    return paged("terms", found.terms, found.total, page, until_catalogue_changes(found.revision))


@blueprint.get("/<id:book_id>")
@endpoint(Access.READER, "book", query=book_parameters, errors=(410,), etag=True)
def read_one(book_id: int) -> Result:
    """One book; `state=deleted` shows an admin the one in the trash, too."""
    asked = request.args if chosen_format().is_page else load_query()
    record, in_trash = queries.one(book_id) or changes.refuse_missing()
    if not in_trash:
        return _book(record, until_book_changes(record))
    if asked.get("state") != "deleted":
        changes.refuse_in_trash()
    require_admin()
    return _book(record)


@blueprint.put("/<id:book_id>")
@endpoint(Access.ADMIN, "book", edit_schema, errors=(409, 410), etag=True)
def replace(book_id: int) -> Result:
    """Replace a book: fields that are not sent are cleared."""
    edit = read_edit()
    return _book(db.write(changes.change, book_id, edit, Preconditions(edit.version), by=actor()))


@blueprint.patch("/<id:book_id>")
@endpoint(Access.ADMIN, "book", patch_schema, errors=(409, 410), etag=True)
def patch(book_id: int) -> Result:
    """Change the fields that are sent."""
    edit = read_edit(partial=True)
    return _book(db.write(changes.change, book_id, edit, Preconditions(edit.version), by=actor()))


@blueprint.delete("/<id:book_id>")
@endpoint(Access.ADMIN, "book", status=204, errors=(410,), etag=True)
def delete(book_id: int) -> tuple[str, int]:
    """Move a book to the trash."""
    db.write(changes.delete, book_id, Preconditions(), by=actor())
    return "", 204


@blueprint.post("/<id:book_id>/restore")
@endpoint(
    Access.ADMIN,
    "book",
    etag=True,
    idempotent=True,
    form=Form("problem", "/books/{id}#restored"),
)
def restore(book_id: int) -> Result:
    """Take a book out of the trash."""
    by, conditions = actor(), Preconditions(form_version(), required=False)
    key = idempotency_key(by.id, ())
    return _book(run_idempotent(key, changes.restore, book_id, conditions, by=by))


@blueprint.get("/<id:book_id>/history")
@endpoint(Access.ADMIN, "history", query=page_parameters)
def read_history(book_id: int) -> Result:
    """Who changed what of a book, and when."""
    page = asked_page()
    found = queries.history(book_id, page) or changes.refuse_missing()
    return paged("history", found.entries, found.total, page)


@blueprint.get("/isbn/<isbn:digits>")
@endpoint(Access.READER, "book", etag=True)
def read_by_isbn(digits: str) -> Result:
    """The book of an ISBN."""
    record, revision = queries.by_isbn(digits) or changes.refuse_missing()
    return _book(record, until_catalogue_changes(revision))


@blueprint.put("/isbn/<isbn:digits>")
@endpoint(Access.ADMIN, "book", edit_schema, (200, 201), errors=(409,), etag=True)
def put_by_isbn(digits: str) -> Result:
    """Create or replace the book of an ISBN."""
    edit = read_edit(isbn=digits)
    record, is_new = db.write(
        changes.put_isbn, digits, edit, Preconditions(edit.version), by=actor()
    )
    return _created(record) if is_new else _book(record)


@blueprint.app_errorhandler(changes.IsbnTaken)
def isbn_taken(error: changes.IsbnTaken) -> Problem:
    """409, with the address of the other book."""
    members: dict[str, Any] = {"errors": [_conflict(taken) for taken in error.taken]}
    existing = [taken.book_id for taken in error.taken if taken.book_id is not None]
    if existing:
        members["existing"] = address(existing[0])
    return Problem(409, "another book has this ISBN", type="isbn-taken", **members)


@blueprint.app_errorhandler(service.Rejected)
def rejected(error: service.Rejected) -> Problem:
    """422, with the whole report."""
    report = Sanitized(error.report)
    return Problem(422, str(error), type="import-rejected", report=report)


def _conflict(taken: changes.Taken) -> dict[str, Any]:
    error = {"field": "isbn", "detail": "is that of another book"}
    if taken.book_id is None:
        error["detail"] = "is that of a book before it in the list"
    elif taken.position is not None:
        error["existing"] = address(taken.book_id)
    return error if taken.position is None else located(taken.position, error)


def _listing(paging: bool = True) -> queries.Listing:
    """The list that is asked for; 401 or 403 where it is not for everyone."""
    arguments = request.args
    if arguments.getlist("state")[:1] == ["deleted"]:
        require_admin()
    if not chosen_format().is_page:
        return queries.parse(arguments, paging)
    pairs = arguments.items(multi=True)  # a form sends its empty fields, too
    given = MultiDict([(name, value) for name, value in pairs if value])
    return queries.parse(given)._replace(facets=PAGE_FACETS)


def _policy(listing: queries.Listing, revision: int | None = None) -> CachePolicy:
    """The policy of a list; the trash is for admins alone."""
    return NO_STORE if listing.shape.in_trash else CachePolicy(public=True, revision=revision)
