"""A test client that holds every response to the OpenAPI document (its status and media
type), and every XML document to the XSD: responses as they are, accepted requests but for the order
of their elements, which is free, and empty elements (null).
"""

import json
from functools import lru_cache

from flask.testing import FlaskClient
from lxml import etree
from werkzeug.exceptions import HTTPException

from bookapi.site.contract import CONTRACT
from bookapi.site.contract.openapi import path_template
from helpers.instance import DATA

XML = ("application/xml", "text/xml")
RELEASED = (DATA / "schemas" / "bookapi.xsd").read_bytes()  # of the last release
XS = {"xs": "http://www.w3.org/2001/XMLSchema"}


@lru_cache(maxsize=4)
def parsed(xsd):
    """The XSD as a tree and as a validator."""
    tree = etree.fromstring(xsd)
    return tree, etree.XMLSchema(tree)


@lru_cache(maxsize=4)
def without_unknown(xsd):
    """The XSD without what later versions may add: an element out of its order would pass for
    one.
    """
    tree = etree.fromstring(xsd)
    for unknown in tree.xpath("//xs:any[@processContents='lax']", namespaces=XS):
        unknown.getparent().remove(unknown)
    return etree.tostring(tree)


def faults_in(document, xsd):
    """What the XSD says against a document."""
    schema = parsed(xsd)[1]
    schema.validate(document)
    return [f"{error.path}: {error.message}" for error in schema.error_log]


def put_in_order(element, type_name, tree):
    """Sort the children as the type has them, and leave out empty ones, all the way down."""
    declared = tree.xpath(f"//xs:complexType[@name='{type_name}']//xs:element", namespaces=XS)
    types = {each.get("name"): each.get("type") for each in declared}
    order = {name: place for place, name in enumerate(types)}
    kept = [child for child in element if isinstance(child.tag, str)]
    kept = [child for child in kept if len(child) or child.text or child.tag in LISTS]
    kept.sort(key=lambda child: order.get(child.tag, len(order)))
    element[:] = kept
    for child in kept:
        if types.get(child.tag):
            put_in_order(child, types[child.tag], tree)


FREELY_WRITTEN = "is not a valid value of the atomic type"
LISTS = ("authors", "subjects", "identifiers", "books")


@lru_cache(maxsize=4)
def documented(openapi):
    """{(path, method): {status: media types}} of an OpenAPI document."""
    document = json.loads(openapi)
    responses = document["components"]["responses"]

    def media_types(response):
        name = response.get("$ref", "").rpartition("/")[2]
        return set(responses.get(name, response).get("content", {}))

    return {
        (path, method.upper()): {
            int(status): media_types(response)
            for status, response in operation["responses"].items()
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
    }


def undocumented(app, response):
    """What the OpenAPI document does not say of a response; None where it says all."""
    request = response.request
    is_of_a_page = response.mimetype == "text/html" or response.status_code == 303
    if is_of_a_page or request.method == "OPTIONS":
        return None
    try:
        rule, _ = app.url_map.bind("localhost").match(
            request.path, method=request.method, return_rule=True
        )
    except HTTPException:
        return None  # there is no such address
    path = path_template(rule.rule)
    method = "GET" if request.method == "HEAD" else request.method
    known = documented(app.extensions[CONTRACT].openapi).get((path, method))
    if (
        known is None
        or response.status_code in known
        and (not response.get_data() or response.mimetype in known[response.status_code])
    ):
        return None
    return request.method, path, response.status_code, response.mimetype


class ValidatingClient(FlaskClient):
    """Fails a test whose response, or accepted request, is no valid document."""

    def open(self, *args, **kwargs):
        response = super().open(*args, **kwargs)
        assert undocumented(self.application, response) is None
        xsd = self.application.extensions[CONTRACT].xsd
        if response.mimetype in XML and response.request.method != "HEAD":
            body = response.get_data()
            if body and not body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<xs:schema"):
                document = etree.fromstring(body, etree.XMLParser(huge_tree=True))
                strict = without_unknown(xsd)
                faults = faults_in(document, strict) + faults_in(document, RELEASED)
                assert faults == [], (response.request.path, faults, body[:2000])
        sent = kwargs.get("data")
        is_xml = str(kwargs.get("content_type", "")).partition(";")[0] in XML
        path = response.request.path
        # An import reads more than our own documents, a restore nothing.
        is_ours = is_xml and path != "/books/import" and not path.endswith("/restore")
        is_ours = is_ours and response.request.method in ("POST", "PUT", "PATCH")
        if is_ours and isinstance(sent, bytes) and response.status_code in (200, 201):
            self.check_request(path, etree.fromstring(sent), xsd)
        return response

    def check_request(self, path, document, xsd):
        """Values may be written more freely than XSD has words for: `t` in an instant, blanks."""
        tree = parsed(xsd)[0]
        root = tree.find(f"{{*}}element[@name='{document.tag}']")
        assert root is not None, (path, document.tag)
        put_in_order(document, root.get("type"), tree)
        for element in document.iter():
            element.text = element.text and element.text.strip()
        strict = without_unknown(xsd)
        faults = [fault for fault in faults_in(document, strict) if FREELY_WRITTEN not in fault]
        assert faults == [], (path, faults, etree.tostring(document)[:2000])
