"""/openapi.json, /docs and /schemas: made of the declarations of the endpoints."""

import json

import pytest
from lxml import etree
from openapi_spec_validator import validate

from bookapi.http import endpoints
from bookapi.http.problems import TYPES
from bookapi.schemas import DOCUMENTS
from bookapi.site.contract.openapi import placeholders

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


def test_the_openapi_document_is_valid(document):
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_each_route_is_documented_and_no_other(app, document):
    routes = {
        (method, placeholders(path))
        for path, methods, _ in endpoints.routes(app)
        for method in methods
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
    told = runner.invoke(args=["openapi"])
    assert told.exit_code == 0 and json.loads(told.output) == client.get("/openapi.json").json
    told = runner.invoke(args=["schema"])
    assert told.exit_code == 0 and told.output.encode().strip() == (
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
