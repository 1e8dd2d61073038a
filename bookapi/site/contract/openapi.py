"""The OpenAPI document (3.1), made of the declarations of the endpoints and their schemas.

Nothing here is about a single endpoint: what is to be said of one stands in its declaration.
"""

import re
from collections.abc import Iterable
from typing import Any

from apispec import APISpec
from marshmallow import Schema

from ... import formats
from ...auth.permissions import CHALLENGE
from ...formats import Format
from ...http.bodies import WRAPPERS, readers
from ...http.endpoints import Access, Endpoint
from ...http.negotiation import offered_formats
from ...http.problems import MAX_ERRORS, TYPE_PREFIX, TYPES
from ...http.routing import LARGEST_ID
from ...schemas import DOCUMENTS, JsonSchema
from .json_schema import member_schema, object_schema, type_name

API_VERSION = "1.0"
DESCRIPTION = """A catalogue of books, in JSON and XML from the same addresses.

* The format is chosen by `Accept` or `?format=`; bodies are read by their `Content-Type`.
* HEAD works wherever GET does. OPTIONS answers with `Allow`. Other methods are a 405.
* Every failure is a problem (RFC 9457). Each response has an `X-Request-ID`.
* XML follows [the XSD](schemas/bookapi.xsd): fields in the order of the schemas here, without those
  that are null. In requests their order is free, and an empty element is null.
* Browsers get pages (`text/html`), which are not described here.
* A reader must ignore fields that it does not know; the service refuses unknown fields.
"""
TAGS = {
    "books": "The catalogue",
    "auth": "Signing in, tokens, accounts and the audit log",
    "service": "The service itself",
}
Requirements = list[dict[str, list[str]]]
_SESSION: Requirements = [{"session": []}]
_ANY: Requirements = [*_SESSION, {"token": []}, {"basic": []}]
SECURITY: dict[Access, Requirements] = {
    Access.ANYONE: [],
    Access.READER: [{}, *_ANY],
    Access.SIGNED_IN: _ANY,
    Access.IN_SESSION: _SESSION,
    Access.ADMIN: _ANY,
    Access.ADMIN_IN_SESSION: _SESSION,
}
PATH_TYPES = {
    "id": {"type": "integer", "minimum": 1, "maximum": LARGEST_ID},
    "isbn": {"type": "string", "format": "isbn"},
}
VARIABLE = re.compile(r"<(?:(\w+):)?(\w+)>")
FAILURES = {
    400: "The body is malformed, or a parameter or the Host is wrong",
    401: "Not signed in",
    403: "Not allowed",
    404: "Unknown",
    406: "No such format",
    409: "In conflict with what is stored",
    410: "In the trash",
    412: "If-Match, or the version in the body, is not the current one",
    413: "The body is too large",
    414: "The address is too long",
    415: "The body's media type is not read here",
    422: "Well-formed but not valid",
    428: "The version that was read is missing: If-Match",
    429: "Too many failed attempts",
    500: "A fault of the service",
    503: "Overloaded, or the database is away",
    507: "The disk is full",
}
TEXT: JsonSchema = {"type": "string"}
HEADERS = {
    "X-Request-ID": "the id of the request in the log",
    "ETag": "the version of this answer, for If-None-Match and If-Match",
    "Location": "the address of what was added",
    "Link": "first, prev, next and last page (RFC 8288)",
    "Retry-After": "seconds to wait",
    "WWW-Authenticate": f"how to sign in: {CHALLENGE['WWW-Authenticate']}",
    "Accept": "the media types that are read",
    "Accept-Post": "the same, for POST",
    "Accept-Patch": "the same, for PATCH",
}
HEADERS_OF = {
    401: ("WWW-Authenticate",),
    415: ("Accept", "Accept-Post", "Accept-Patch"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
Route = tuple[str, str, str, Endpoint, str]  # path, method, name of the view, …, its docstring


def is_described(declared: Endpoint) -> bool:
    """Whether clients of data use the endpoint: no page alone, no address of a form alone, no
    asset.
    """
    is_form = declared.form is not None and declared.form.only
    has_result = declared.resource or declared.sends or declared.status == (204,)
    return bool(has_result and not declared.page_only and not is_form)


def path_template(path: str) -> str:
    """A path as clients read it: `/books/{id}`."""
    return VARIABLE.sub(lambda found: f"{{{_variable(found)}}}", path)


def _variable(found: re.Match[str]) -> str:
    return found[1] if found[1] in PATH_TYPES else found[2]


def _described(schema: JsonSchema, description: str, **more: Any) -> JsonSchema:
    return {**more, "description": description, "schema": schema}


class Document:
    """The document while it is made."""

    def __init__(self, cookie: str):
        self.spec = APISpec(
            "bookapi",
            API_VERSION,
            "3.1.0",
            info={"description": DESCRIPTION},
            servers=[{"url": "."}],
            tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        )
        components = self.spec.components
        components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": cookie})
        components.security_scheme("token", {"type": "http", "scheme": "bearer"})
        components.security_scheme(
            "basic",
            {"type": "http", "scheme": "basic", "description": "a token as the password"},
        )
        for name, meaning in HEADERS.items():
            components.header(name, _described(TEXT, meaning))
        components.schema("Problem", _problem())
        for status, meaning in FAILURES.items():
            components.response(f"Problem{status}", self._failure(status, meaning))
        self.known: set[str] = set()

    def reference(self, schema: Schema, sent: bool, root: str | None = None) -> JsonSchema:
        """A reference to a schema, which is added to the components: what is sent is one of its
        own. `root`: its root element in XML.
        """
        name = type_name(schema)
        if sent:
            name = f"{name.removeprefix('New')}Input"
        if name not in self.known:
            self.known.add(name)
            made = object_schema(schema, sent, self.reference)
            self.spec.components.schema(name, {**made, **({"xml": {"name": root}} if root else {})})
        return {"$ref": f"#/components/schemas/{name}"}

    def _failure(self, status: int, meaning: str) -> dict[str, Any]:
        names = [
            f"`{TYPE_PREFIX}{name}`" for name, known in TYPES.items() if known.status == status
        ]
        content = {
            known.problem_type: {"schema": {"$ref": "#/components/schemas/Problem"}}
            for known in formats.having("problem")
            if not known.is_page
        }
        said = f"{meaning}; type {', '.join(names)} or about:blank" if names else meaning
        return {
            "description": said,
            "headers": _headers(*HEADERS_OF.get(status, ())),
            "content": content,
        }

    def add(self, route: Route) -> None:
        """Add an endpoint."""
        path, method, name, declared, doc = route
        first, _, rest = " ".join(doc.split()).partition(". ")
        operation: dict[str, Any] = {
            "operationId": name,
            "summary": first.rstrip("."),
            **({"description": rest} if rest else {}),
            "tags": [tag if (tag := path.split("/")[1]) in TAGS else "service"],
            "parameters": [*_path(path), *self._parameters(method, declared)],
            "responses": {
                **{status: self._success(status, declared) for status in declared.status},
                **{
                    status: {"$ref": f"#/components/responses/Problem{status}"}
                    for status in declared.failures(method, path)
                },
            },
            "security": SECURITY[declared.access],
            **({"deprecated": True} if declared.deprecation else {}),
        }
        if method == "GET" and declared.etag:
            operation["responses"][304] = {
                "description": "Not changed since",
                "headers": _headers("ETag"),
            }
        if declared.body or declared.imports:
            operation["requestBody"] = {"required": True, "content": self._body(method, declared)}
        self.spec.path(path_template(path), operations={method.lower(): operation})

    def _parameters(self, method: str, declared: Endpoint) -> Iterable[dict[str, Any]]:
        for name, field in (declared.query.fields if declared.query else {}).items():
            if name != "format":
                schema = member_schema(field, True, self.reference)
                yield _described(schema, schema.pop("description"), name=name, **{"in": "query"})
        if declared.resource:
            names = [known.name for known in _offered(declared)]
            known = {"type": "string", "enum": names}
            yield _described(known, "instead of Accept", name="format", **{"in": "query"})
        if declared.etag:
            header = "If-None-Match" if method == "GET" else "If-Match"
            yield _described(TEXT, "an ETag that was read", name=header, **{"in": "header"})
        if declared.idempotent:
            key = {"type": "string", "pattern": "^[!-~]{1,255}$"}
            meaning = "the same key and body again: the first answer again, nothing is done twice"
            yield _described(key, meaning, name="Idempotency-Key", **{"in": "header"})

    def _success(self, status: int, declared: Endpoint) -> dict[str, Any]:
        names = []
        if declared.etag and status != 204 or declared.resource == "book" and status == 201:
            names.append("ETag")
        if status == 201:
            names.append("Location")
        if declared.query and {"page", "after"} & set(declared.query.fields):
            names.append("Link")
        content = {}
        if status != 204 and declared.sends:
            is_json = declared.sends.endswith("json")
            content = {declared.sends: {"schema": {"type": "object"} if is_json else TEXT}}
        elif status != 204 and declared.resource:
            roots = [declared.resource]
            if status == 201:
                roots += [root for root in declared.body if root not in roots]
            result = _any_of([self.reference(DOCUMENTS[root], False) for root in roots])
            content = {
                known.media_types[0]: {"schema": result if known.can("dumps") else TEXT}
                for known in _offered(declared)
            }
        described = {200: "Done", 201: "Added", 204: "Done; no content"}.get(status, "Done")
        made: dict[str, Any] = {"description": described, "headers": _headers(*names)}
        return {**made, "content": content} if content else made

    def _body(self, method: str, declared: Endpoint) -> dict[str, Any]:
        schema = _any_of(
            [self.reference(known, True, root) for root, known in declared.body.items()]
        )
        example = next(
            (known.example for known in declared.body.values() if hasattr(known, "example")), None
        )
        content: dict[str, Any] = {}
        for media_type, reader in readers(declared.imports, method == "PATCH").items():
            content[media_type] = {"schema": schema if reader.can("loads") else TEXT}
            if example is not None and reader.can("loads"):
                content[media_type]["example"] = _example(reader, example, declared)
        if declared.imports:
            content |= {name: {"schema": TEXT} for name in WRAPPERS[:2]}
            part = {"type": "object", "properties": {"file": TEXT}, "required": ["file"]}
            content[WRAPPERS[2]] = {"schema": part}
        return content


def _example(reader: Format, example: dict[str, Any], declared: Endpoint) -> Any:
    if reader.name == "json":
        return example
    return reader.dumps(example, next(iter(declared.body))).decode()


def _offered(declared: Endpoint) -> tuple[Format, ...]:
    """The formats of data; pages are not described here."""
    return offered_formats(declared.streams, has_page=False)


def _any_of(schemas: list[JsonSchema]) -> JsonSchema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*names, "X-Request-ID")}


def _path(path: str) -> Iterable[dict[str, Any]]:
    for found in VARIABLE.finditer(path):
        name = _variable(found)
        schema = PATH_TYPES.get(found[1] or "", TEXT)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _problem() -> JsonSchema:
    """RFC 9457; in XML its appendix B."""
    error = {
        "type": "object",
        "description": "a fault: of a field, a parameter or the place that the pointer names",
        "properties": dict.fromkeys(("field", "parameter", "pointer", "detail", "existing"), TEXT),
        "required": ["detail"],
    }
    listed = {"type": "array", "maxItems": MAX_ERRORS, "xml": {"wrapped": True}}
    return {
        "type": "object",
        "description": "A failure (RFC 9457).",
        "xml": {"name": "problem", "namespace": "urn:ietf:rfc:7807"},
        "properties": {
            "type": {"type": "string", "description": "a URN where the status does not say it all"},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "instance": {"type": "string", "description": "the path of the request"},
            "errors": {**listed, "items": {**error, "xml": {"name": "i"}}},
            "existing": {"type": "string", "description": "the book that has the ISBN"},
            "available": {**listed, "items": {**TEXT, "xml": {"name": "i"}}},
            "report": {"type": "object", "description": "the report of an import"},
        },
        "required": ["type", "title", "status", "detail", "instance"],
    }


def openapi(routes: Iterable[Route], cookie: str) -> dict[str, Any]:
    """The OpenAPI document of these endpoints; `cookie`: the name of the session's."""
    document = Document(cookie)
    for route in routes:
        document.add(route)
    made: dict[str, Any] = document.spec.to_dict()
    return made
