"""What is here, and whether it works."""

from flask import Blueprint, current_app, url_for
from werkzeug.exceptions import HTTPException

from ..auth.permissions import public
from ..db import cause, db, schema_error, schema_revisions, search
from ..http.conditional import cacheable
from ..http.negotiation import represents
from ..http.problems import Problem

blueprint = Blueprint("site", __name__)

# What the service document links to: relation, endpoint and what that needs to know.
LINKS = {
    "books": ("books.read_list", {}),
    "export": ("books.export", {}),
    "import": ("books.import_books", {}),
    "changes": ("books.read_changes", {}),
    **{
        f"{kind}s": ("books.read_terms", {"kind": kind})
        for kind in ("author", "subject", "publisher", "language")
    },
    "login": ("auth.login", {}),
    "logout": ("auth.logout", {}),
    "me": ("own.me", {}),
    "password": ("own.change_password", {}),
    "sessions": ("own.read_sessions", {}),
    "tokens": ("own.read_tokens", {}),
    "mfa": ("own.read_second_factor", {}),
    "users": ("administration.read_users", {}),
    "events": ("administration.read_events", {}),
    "health": ("site.healthz", {}),
    "ready": ("site.readyz", {}),
}


@blueprint.get("/")
@cacheable
@public
@represents("service")
def index():
    """The service document: links to everything."""
    return {
        "name": "bookapi",
        "links": {
            relation: url_for(endpoint, _external=True, **values)
            for relation, (endpoint, values) in LINKS.items()
        },
    }


@blueprint.get("/healthz")
@public
@represents("service")
def healthz():
    """Alive: this process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@public
@represents("service")
def readyz():
    """Able to serve: the database is there and has the schema that this program needs; else 503."""
    reason = unready()
    if reason:
        current_app.logger.error("not ready: %s", reason)
        raise Problem(503, "the service is not ready", {"Retry-After": "10"})
    return {"status": "ok"}


def unready() -> str | None:
    """Why the service cannot serve, in words for its operator; None where it can."""
    try:
        db.check_file()
        found, _ = schema_revisions()
        unfit = db.ask(search.unfit)
    except HTTPException as error:
        return ": ".join(part for part in (error.description, cause(error)) if part)
    return schema_error(found) or unfit
