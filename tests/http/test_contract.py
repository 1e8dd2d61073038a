"""/openapi.json, /docs and /schemas: made of the declarations of the endpoints."""

import json
from datetime import UTC, datetime

import pytest
from lxml import etree
from marshmallow import Schema, ValidationError
from openapi_spec_validator import validate

from bookapi.auth.schemas import PASSPHRASE
from bookapi.http import endpoints
from bookapi.http.endpoints import Access, Deprecation, endpoint
from bookapi.http.problems import TYPES, from_validation
from bookapi.schemas import DOCUMENTS
from bookapi.site import publish
from bookapi.site.contract.openapi import is_described, path_template

OPEN = ["/openapi.json", "/docs", "/docs/problems", "/schemas/bookapi.xsd", "/schemas/book.json"]


@pytest.fixture
def document(client):
    return client.get("/openapi.json").json


def operations(document):
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@pytest.mark.slow
def test_the_openapi_document_is_valid(document):
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_each_route_is_documented_and_no_other(app, document):
    routes = {
        (method, path_template(path))
        for path, methods, declared in endpoints.routes(app)
        for method in methods
        if is_described(declared)
    }
    assert set(operations(document)) == routes
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(names) == len(set(names))


def test_each_reference_has_its_component_and_each_component_is_used(document):
    text = json.dumps(document)
    for kind in ("schemas", "responses", "headers"):
        for name in document["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


@pytest.mark.parametrize("path", OPEN)
def test_the_contract_is_open_on_a_private_catalogue_and_has_an_etag(make_app, path):
    client = make_app(PUBLIC_READ=False).test_client()
    assert client.get("/books").status_code == 401
    answer = client.get(path)
    assert answer.status_code == 200
    tag = answer.headers["ETag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.get_data()) == (304, b"")
    assert client.head(path).headers["Content-Length"] == str(len(answer.get_data()))


def test_the_commands_print_the_documents(runner, client):
    reported = runner.invoke(args=["openapi"])
    assert (
        reported.exit_code == 0 and json.loads(reported.output) == client.get("/openapi.json").json
    )
    reported = runner.invoke(args=["schema"])
    assert reported.exit_code == 0 and reported.output.encode().strip() == (
        client.get("/schemas/bookapi.xsd").get_data().strip()
    )


def test_the_xsd_has_each_root_and_no_name_twice(client):
    schema = etree.fromstring(client.get("/schemas/bookapi.xsd").get_data())
    etree.XMLSchema(schema)
    roots = [element.get("name") for element in schema.iterchildren("{*}element")]
    types = [element.get("name").lower() for element in schema.iterchildren("{*}complexType")]
    assert sorted(roots) == sorted(DOCUMENTS)
    assert len(types) == len(set(types))


def test_the_page_has_its_own_policy_and_no_script_within(client):
    page = client.get("/docs")
    policy = page.headers.getlist("Content-Security-Policy")
    assert len(policy) == 1 and "unsafe" not in policy[0] and "script-src 'self'" in policy[0]
    scripts = etree.HTML(page.get_data()).findall(".//script")
    assert [script.text for script in scripts] == [None, None]
    for script in scripts:
        assert client.get(f"/{script.get('src')}").content_type.startswith("text/javascript")


@pytest.mark.parametrize("name", TYPES)
def test_each_problem_type_has_a_page(client, name):
    page = client.get(f"/docs/problems/{name}").get_data(as_text=True)
    assert f"urn:bookapi:problem:{name}" in page and str(TYPES[name].status) in page
    assert f'"problems/{name}"' in client.get("/docs/problems").get_data(as_text=True)
    assert client.get("/docs/problems/nonsense").status_code == 404
    assert client.get("/docs/nonsense.js").status_code == 404


def test_the_service_document_links_to_the_contract(client):
    answer = client.get("/")
    assert answer.headers["Link"] == (
        '</openapi.json>; rel="service-desc", </docs>; rel="service-doc"'
    )
    below = client.get("/", headers={"X-Forwarded-Prefix": "/shelf"})
    assert below.headers["Link"] == answer.headers["Link"]  # nobody trusted said so


def body_examples(document):
    return [
        (method, path, media_type, content["example"])
        for (method, path), operation in operations(document).items()
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        if "example" in content
    ]


def test_each_example_of_a_body_can_be_sent(app, admin, document):
    """Those of this account's password are right in form alone."""
    examples = body_examples(document)
    assert {path for _, path, _, _ in examples} > {"/books", "/auth/login", "/auth/tokens"}
    for method, path, media_type, example in examples:
        body = example if isinstance(example, str) else json.dumps(example)
        isbn = "9780141439587"
        admin.delete(f"/books/{admin.get(f'/books/isbn/{isbn}').json.get('id', 0)}")
        book_id = admin.post("/books", json={"title": "to change"}).json["id"]
        user_id = max(user["id"] for user in admin.get("/auth/users").json["users"])
        address = path.replace("{id}", str(book_id if "books" in path else user_id))
        answer = admin.open(
            address.replace("{isbn}", isbn), method=method, data=body, content_type=media_type
        )
        documented = document["paths"][path][method.lower()]["responses"]
        assert str(answer.status_code) in documented, (method, path)
        refused = PASSPHRASE in body or "code" in body
        allowed = (401, 403, 409, 201, 204) if refused else (200, 201)
        if path == "/auth/users":
            allowed = (201, 409)  # the same one again, in XML
        assert answer.status_code in allowed, (method, path, media_type, answer.get_data())


def test_what_is_wrong_with_a_field_is_said_in_words_of_ours(app):
    """marshmallow would say "Field may not be null." and the like."""
    said = set()
    for _, _, declared in endpoints.routes(app):
        for root, schema in declared.body.items():
            for name in schema.fields if root != "catalogue" else ():  # `load_all` reads those
                for value in (None, 1.5, "", [None], [{}], {}):
                    try:
                        schema.load({name: value})
                    except ValidationError as error:
                        said |= {fault["detail"] for fault in from_validation(error)}
    assert len(said) > 12 and all(detail[0].islower() for detail in said), said


def test_each_documented_parameter_is_one_and_no_other(client, document):
    """A parameter that does not exist is a 400 that names it."""
    for (method, path), operation in operations(document).items():
        names = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
        if method == "GET" and {"limit", "sort"} & set(names) and "auth" not in path:
            answer = client.get(path.replace("{id}", "1"), query_string={"nonsense": "1"})
            if answer.status_code == 401:
                continue
            assert answer.json["errors"] == [
                {"parameter": "nonsense", "detail": "is not a parameter here"}
            ]
            for name in set(names) - {"format"}:
                answer = client.get(path, query_string={name: "\x01", "nonsense": "1"})
                assert "errors" in answer.json, (path, name, answer.json)
                detail = {error["parameter"]: error["detail"] for error in answer.json["errors"]}
                assert detail.get(name) != "is not a parameter here", (path, name)


# -- declarations that are wrong, and what is to leave


def view_of(app, name, *args, **options):
    """An application with one more view."""

    @app.get(f"/{name}", endpoint=name)
    @endpoint(*args, **options)
    def view():
        """Something."""
        return {"status": "ok"}


@pytest.mark.parametrize(
    "args, options, said",
    [
        ((Access.ANYONE, "nonsense"), {}, "no schema named nonsense"),
        ((Access.ANYONE, "book", {"magazine": Schema()}), {}, "no schema named magazine"),
        (("whoever", "book"), {}, "'whoever' is no access"),
        ((Access.ANYONE, "book"), {"status": (200, 200)}, "status 200 is named twice"),
        ((Access.ANYONE, "book"), {"errors": (404, 404)}, "status 404 is named twice"),
        ((Access.ANYONE, "book"), {"query": Schema}, "instances of marshmallow schemas"),
    ],
)
def test_a_wrong_declaration_stops_the_start_and_names_the_view(
    own_routes, app, args, options, said
):
    view_of(app, "odd_view", *args, **options)
    with pytest.raises(RuntimeError, match=f"odd_view: .*{said}"):
        endpoints.check(app)


def test_what_is_to_leave_says_so_in_its_responses_and_in_the_document(own_routes, make_app):
    app = make_app()
    since, sunset = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    leaving = Deprecation(since, sunset, "https://example.com/changes")
    view_of(app, "old", Access.ANYONE, "service", deprecation=leaving)
    publish(app)
    answer = app.test_client().get("/old")
    assert answer.headers["Deprecation"] == f"@{int(since.timestamp())}"
    assert answer.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert answer.headers["Link"] == '<https://example.com/changes>; rel="deprecation"'
    document = app.test_client().get("/openapi.json").json
    assert document["paths"]["/old"]["get"]["deprecated"] is True
    assert "Deprecation" not in app.test_client().get("/healthz").headers


def test_the_report_of_an_import_is_what_is_documented(admin, document):
    """What is not known of an issue is left out, so the document does not require it."""
    body = b"Title,Pages,Mood\nEmma,many,sad\n,1,x\n"
    answer = admin.post("/books/import?dry_run=true", data=body, content_type="text/csv")
    schemas = document["components"]["schemas"]
    report = answer.json
    assert set(report) == set(schemas["Report"]["required"])
    for each in report["errors"] + report["warnings"]:
        issue = schemas["Issue"]
        assert set(issue["required"]) <= set(each) <= set(issue["properties"])
    assert any("record" not in warning for warning in report["warnings"])


@pytest.mark.parametrize(
    ("path", "header", "media_types"),
    [
        ("/books", "Accept-Post", {"application/json", "application/xml"}),
        ("/books/1", "Accept-Patch", {"application/merge-patch+json", "application/xml"}),
        ("/books/import", "Accept-Post", {"text/csv", "application/gzip", "multipart/form-data"}),
        ("/books/1/restore", "Accept-Post", None),
        ("/healthz", "Accept-Post", None),
    ],
)
def test_options_say_which_bodies_may_be_sent(client, path, header, media_types):
    given = client.options(path).headers.get(header)
    assert given is None if media_types is None else media_types <= set(given.split(", "))
