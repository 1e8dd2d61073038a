"""The forms of books: add, edit, delete, import."""

from flask import Blueprint

from ..auth.permissions import actor
from ..books import changes, queries
from ..books.edits import read_edit
from ..db import db
from ..http.bodies import read_body
from ..http.conditional import Preconditions
from ..http.endpoints import Access, Form, endpoint
from ..http.pages import form_version
from ..http.problems import Problem
from ..http.request import current_request
from ..http.results import Result

blueprint = Blueprint("book_pages", __name__, url_prefix="/books")


@blueprint.get("/new")
@endpoint(Access.ADMIN, "book", page_only=True)
def new() -> Result:
    """The form to add a book."""
    return Result({}, resource="book_form")


@blueprint.get("/import")
@endpoint(Access.ADMIN, "report", page_only=True)
def import_form() -> Result:
    """The form to import a file."""
    return Result({}, resource="report")


@blueprint.get("/<id:book_id>/edit")
@endpoint(Access.ADMIN, "book", page_only=True)
def edit_form(book_id: int) -> Result:
    """The form to edit a book."""
    return Result({"book": _stored(book_id)}, resource="book_form")


@blueprint.post("/<id:book_id>/edit")
@endpoint(Access.ADMIN, "book", form=Form("book_form", "/books/{id}#saved", only=True))
def edit(book_id: int) -> Result:
    """Store what a form sends of a book, if nobody has changed it meanwhile."""
    edit = read_edit(partial=True)
    if not edit.errors:
        form_version()
    try:
        return Result(
            db.write(changes.change, book_id, edit, Preconditions(edit.version), by=actor())
        )
    except Problem as error:
        if error.code == 412:
            current_request().stored = _stored(book_id)
        raise


@blueprint.post("/<id:book_id>/delete")
@endpoint(Access.ADMIN, "book", form=Form("problem", "/books#deleted", only=True))
def delete(book_id: int) -> Result:
    """Move a book to the trash, if nobody has changed it meanwhile."""
    read_body()  # refuses what is no form
    db.write(changes.delete, book_id, Preconditions(form_version()), by=actor())
    return Result({"id": book_id})


def _stored(book_id: int) -> dict[str, object]:
    """The record of a book; 404 or 410 where it cannot be edited."""
    found = queries.one(book_id)
    if found is None:
        changes.refuse_missing()
    if found[1]:
        changes.refuse_in_trash()
    return found[0]
