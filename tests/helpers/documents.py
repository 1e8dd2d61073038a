"""Documents in JSON and in XML: to send, and to read back."""

import json
import re

import pytest
from lxml import etree

TYPES = {"json": "application/json", "xml": "application/xml"}
ITEMS = {"authors": "author", "subjects": "subject", "identifiers": "identifier", "books": "book"}
LISTS = {*ITEMS, "errors", "available"}


def write(name, data, root="book"):
    """The document as bytes; in XML None is an empty element."""
    return (
        json.dumps(data).encode()
        if name == "json"
        else etree.tostring(_element(root, data), encoding="utf-8")
    )


def _element(tag, value):
    element = etree.Element(tag)
    if isinstance(value, dict):
        element.extend(_element(key, inner) for key, inner in value.items())
    elif isinstance(value, list):
        element.extend(_element(ITEMS[tag], inner) for inner in value)
    else:
        element.text = None if value is None else str(value)
    return element


def send(client, method, address, name, data, root="book", **more):
    """The answer to a document sent in a format and asked for in the same one."""
    headers = {"Accept": TYPES[name], **more.pop("headers", {})}
    return client.open(
        address,
        method=method,
        data=write(name, data, root),
        content_type=TYPES[name],
        headers=headers,
        **more,
    )


def read(response):
    """The data of an answer; in XML everything but lists and members is text."""
    if "json" in response.content_type:
        return json.loads(response.get_data())
    assert "xml" in response.content_type, response.content_type
    return _data(etree.fromstring(response.get_data()))


def _data(element):
    if etree.QName(element).localname in LISTS:
        return [_data(child) for child in element]
    if len(element):
        return {etree.QName(child).localname: _data(child) for child in element}
    return element.text or ""


def faults(response):
    """The fields, parameters or pointers that a problem names, in order and each once."""
    reported = [
        error.get("field") or error.get("parameter") or error.get("pointer", "")
        for error in read(response).get("errors", [])
    ]
    return list(dict.fromkeys(reported))


both = pytest.mark.parametrize("name", ["json", "xml"])


def header_links(answer):
    return {
        relation: address
        for address, relation in re.findall(r'<([^>]*)>; rel="([a-z]+)"', answer.headers["Link"])
    }


INSIDE = re.compile(
    r"Traceback|File \"|\.py\b|line \d+, in|SELECT|INSERT|sqlite|pymysql|sqlalchemy|werkzeug|/lib/",
    re.I,
)


FORBIDDEN = {*range(32), 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)} - {9, 10, 13}


def is_xml_text(text):
    return not any(ord(character) in FORBIDDEN for character in text)


def ids(response):
    """The ids of the books of a list, in its order."""
    assert response.status_code == 200, response.get_data()
    return [book["id"] for book in response.json["books"]]
