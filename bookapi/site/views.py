"""The service document, and the probes for liveness and readiness."""

from urllib.parse import quote

from flask import Blueprint, Response, current_app, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException

from .. import metrics
from ..db import db, explain
from ..db.schema import schema_error, schema_revision
from ..http.cache import ALWAYS, current_cache
from ..http.endpoints import Access, endpoint, linked
from ..http.load import LOAD
from ..http.problems import Problem
from ..http.results import Result
from ..http.routing import base_url
from ..schemas import Verbatim, about, document

blueprint = Blueprint("site", __name__)


@document("service")
class ServiceSchema(Schema):
    """What is here: links to everything; or how the service is."""

    name = Verbatim(metadata=about("bookapi", sparse=True))
    status = Verbatim(metadata=about("ok", sparse=True))
    links = fields.Dict(metadata=about("address by name", sparse=True))


@blueprint.get("/")
@endpoint(Access.ANYONE, "service", etag=True)
def index() -> Result:
    """The service document: links to everything."""
    links = {name: base_url(path) for name, path in linked(current_app).items()}
    prefix = quote(request.root_path)
    described = f'<{prefix}/openapi.json>; rel="service-desc", <{prefix}/docs>; rel="service-doc"'
    return Result({"name": "bookapi", "links": links}, headers={"Link": described}, cache=ALWAYS)


@blueprint.get("/healthz")
@endpoint(Access.ANYONE, "service", link="health", any_host=True)
def healthz() -> dict[str, str]:
    """Liveness: this process answers."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@endpoint(Access.ANYONE, "service", link="ready", any_host=True)
def readyz() -> dict[str, str]:
    """Readiness: the database is there and has the schema that this program needs; else 503."""
    reason = unready() or unwritable()
    if reason:
        current_app.logger.error("not ready: %s", reason)
        raise Problem(503, "the service is not ready", {"Retry-After": "10"})
    return {"status": "ok"}


@blueprint.get("/metrics")
@endpoint(Access.ADMIN, sends="text/plain")
def figures() -> Response:
    """Figures for Prometheus, of all workers together."""
    sample()
    return Response(metrics.exposition(), content_type=metrics.CONTENT_TYPE)


def sample() -> None:
    """Bring the figures of this process up to date."""
    connections, changes = db.load()
    metrics.CONNECTIONS.set(connections)
    metrics.WRITE_QUEUE.set(changes)
    metrics.REQUEST_QUEUE.set(len(current_app.extensions[LOAD].queue))
    metrics.CACHE_BYTES.set(current_cache().used)
    metrics.flush()


def unready() -> str | None:
    """Why the service cannot serve, as a message for its operator; None where it can."""
    try:
        db.check_file()
        found = db.ask(schema_revision)
        unfit = db.ask(db.dialect.search_fault)
    except HTTPException as error:
        return explain(error)
    return schema_error(found) or unfit


def unwritable() -> str | None:
    """Why the service can change nothing, as a message for its operator; None where it can."""
    try:
        db.check_writable()
    except HTTPException as error:
        return explain(error)
    return None
