"""XML in the dialect of dicttoxml, without attributes, types or namespaces (contract, section 3).

dicttoxml writes every document but books and lists of them: those are the hot path and are written by
`_marked_up`, whose bytes a property test holds equal to dicttoxml's. Reading is lxml with everything but
elements and text switched off; a DOCTYPE is refused before a parser sees it.
"""
import functools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dicttoxml
from lxml import etree

from . import MAX_DEPTH, Invalid, Malformed

name = "xml"
order = 20
media_types = ("application/xml", "text/xml")
aliases = ("application/problem+xml",)
problem_type = "application/problem+xml"

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
PROBLEM_NAMESPACE = "urn:ietf:rfc:7807"  # the one RFC 9457, appendix B, kept
CHUNK = 64 * 1024

# What one element of each list is called.
ITEMS = {
    "authors": "author", "subjects": "subject", "identifiers": "identifier", "books": "book", "users": "user",
    "sessions": "session", "tokens": "token", "events": "event", "changes": "change", "history": "entry",
    "terms": "term", "errors": "error", "warnings": "warning",
}
# Written alone, for in a book these are no lists: within `facets` one list a field.
_WRITTEN = ITEMS | dict.fromkeys(("language", "author", "subject", "publisher", "series", "decade"), "facet")

# dicttoxml parses a document for each key it meets; our keys are few, so it may remember. Its log lines
# would carry every value of every record.
dicttoxml.key_is_valid_xml = functools.lru_cache(maxsize=1024)(dicttoxml.key_is_valid_xml)
logging.getLogger("dicttoxml").setLevel(logging.ERROR)


def dumps(data: dict, root: str) -> bytes:
    """The document as UTF-8; null fields are left out, empty lists are empty elements."""
    inner = _escaped(_marked_up(data)) if root in ("book", "catalogue") else _by_dicttoxml(data).encode()
    return b"%b<%b>%b</%b>" % (DECLARATION, root.encode(), inner, root.encode())


def problem(data: dict) -> bytes:
    """A problem in the XML of RFC 9457, appendix B: its own namespace, list items named `i`."""
    inner = _by_dicttoxml(data, lambda parent: "i")
    return DECLARATION + f'<problem xmlns="{PROBLEM_NAMESPACE}">{inner}</problem>'.encode()


def write(records: Iterable[dict], fields: Sequence[str] = ()) -> Iterator[bytes]:
    """``<catalogue><books>…`` in chunks of about 64 KiB, the first one small so that it leaves at once."""
    head, parts, size, limit = DECLARATION + b"<catalogue><books>", [], 0, 4096
    for record in records:
        part = f"\x01book\x02{_marked_up(record)}\x01/book\x02"
        parts.append(part)
        size += len(part)
        if size >= limit:
            yield head + _escaped("".join(parts))
            head, parts, size, limit = b"", [], 0, CHUNK
    yield head + _escaped("".join(parts)) + b"</books></catalogue>"


def _by_dicttoxml(data: dict, item_func=lambda parent: _WRITTEN.get(parent, "item")) -> str:
    made = dicttoxml.dicttoxml(_without_nulls(data), root=False, attr_type=False, item_func=item_func)
    # A bare CR would be read back as LF (XML 1.0, section 2.11); dicttoxml itself writes none.
    return made.decode().replace("\r", "&#13;")


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    if isinstance(data, list):
        return [_without_nulls(value) for value in data]
    return data


# -- the books' own writer ------------------------------------------------------------------------------------

# Markup is written with two characters that no text may hold, so that a whole document is escaped at once and not
# each of its values by itself. (str.translate is twenty times as slow as the passes of replace below.)
_LESS, _GREATER = b"\x01", b"\x02"


def _escaped(marked_up: str) -> bytes:
    # As bytes: the same passes over a text with one Chinese character in it take four times as long.
    data = marked_up.encode().replace(b"&", b"&amp;").replace(b'"', b"&quot;").replace(b"'", b"&apos;")
    data = data.replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b"\r", b"&#13;")
    return data.replace(_LESS, b"<").replace(_GREATER, b">")


def _marked_up(record: dict) -> str:
    template, nested = _template(tuple(record), tuple(map(type, record.values())))
    values = [value for value in record.values() if value is not None]
    for at, item in nested:
        value = values[at]
        if type(value) is dict:
            values[at] = _marked_up(value)
        elif value:
            inner = map(_marked_up, value) if type(value[0]) is dict else value
            values[at] = f"\x01{item}\x02" + f"\x01/{item}\x02\x01{item}\x02".join(inner) + f"\x01/{item}\x02"
        else:
            values[at] = ""
    return template % tuple(values)


@functools.lru_cache(maxsize=4096)
def _template(keys: tuple[str, ...], kinds: tuple[type, ...]) -> tuple[str, list[tuple[int, str]]]:
    """What is the same in all records with these keys and types of values: the markup, and which of the values that are
    not null hold more of it, with the name of a list's items."""
    there = [(key, kind) for key, kind in zip(keys, kinds) if kind is not type(None)]
    nested = [(at, _WRITTEN.get(key, "")) for at, (key, kind) in enumerate(there) if kind in (list, dict)]
    return "".join(f"\x01{key}\x02%s\x01/{key}\x02" for key, _ in there), nested


# -- reading ----------------------------------------------------------------------------------------------------

_ENCODINGS = {"utf-8": ("utf-8",), "utf-16": ("utf-16", "utf-16le", "utf-16be")}
_DECLARED = re.compile(r"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
# Only white space, comments and instructions may stand before a DOCTYPE; the possessive forms never backtrack.
_DOCTYPE = re.compile(r"(?>\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL | re.IGNORECASE)


def loads(body: bytes, root: str, charset: str | None = None) -> dict:
    """The members of the root element: text, None for an empty element, lists by ITEMS.

    Raises Malformed for what is not well-formed or holds a DOCTYPE, and Invalid, with all it found, for
    another root, attributes, namespaces, mixed text and repeated fields. `charset` is the media type's.
    """
    element = _parse(_decode(body, charset))
    if element.tag != root:
        raise Invalid([{"pointer": "/", "detail": f"the root element must be <{root}>, without a namespace"}])
    errors = list(_namespaces(element))
    _check_plain(element, None, errors)
    data = _members(element, None, errors)
    if errors:
        raise Invalid(errors)
    return data


def _decode(body: bytes, charset: str | None) -> str:
    """The body as text; the byte order mark, the declaration and the media type must agree."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        real, codec = "utf-16", "utf-16"
    elif body.startswith((b"<\0", b"\0<")):
        real, codec = "utf-16", "utf-16-le" if body.startswith(b"<") else "utf-16-be"
    else:
        real, codec = "utf-8", "utf-8-sig"
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise Malformed(f"not valid {real.upper()} at byte {error.start}; XML is read as UTF-8 or UTF-16") from None
    if text.startswith("\ufeff"):
        raise Malformed("the byte order mark stands twice")
    declared = _DECLARED.match(text)
    for said in (declared and declared[1], charset):
        if said is not None and said.lower() not in _ENCODINGS[real]:
            raise Malformed(f"the body is {real.upper()}, but says that it is something else; "
                            "XML is read as UTF-8 or UTF-16")
    return text


def _parse(text: str) -> etree._Element:
    if _DOCTYPE.match(text):
        raise Malformed("a DOCTYPE is not allowed")
    parser = etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False,
                             huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        element = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise Malformed(f"not well-formed XML: {error.msg}" if error.msg else "not well-formed XML") from None
    if element.getroottree().docinfo.doctype:
        raise Malformed("a DOCTYPE is not allowed")
    level = [element]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in parent]
    if level:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    return element


def _members(element: etree._Element, field: str | None, errors: list[dict]) -> dict:
    data: dict[str, Any] = {}
    for child in element:
        within = field or str(child.tag)
        if child.tag in data:
            errors.append({"field": within, "detail": f"<{child.tag}> stands more than once"})
        data[child.tag] = _value(child, within, errors)
    return data


def _value(element: etree._Element, field: str, errors: list[dict]) -> Any:
    _check_plain(element, field, errors)
    item = ITEMS.get(element.tag)
    if item is None:
        return _members(element, field, errors) if len(element) else element.text or None
    if any(child.tag != item for child in element) or (not len(element) and (element.text or "").strip()):
        errors.append({"field": field, "detail": f"<{element.tag}> holds only <{item}> elements"})
    return [_value(child, field, errors) for child in element]


def _namespaces(root: etree._Element) -> Iterator[dict]:
    """An error for each element that declares one; `nsmap` would gather those of all ancestors, for each element."""
    declared = False
    for event, what in etree.iterwalk(root, events=("start-ns", "start")):
        if event == "start" and declared:
            within = next((step for step in (what, *what.iterancestors()) if step.getparent() is root), None)
            where = {"pointer": "/"} if within is None else {"field": str(within.tag)}
            yield {**where, "detail": "namespaces are not allowed"}
        declared = event == "start-ns"


def _check_plain(element: etree._Element, field: str | None, errors: list[dict]) -> None:
    where = {"field": field} if field else {"pointer": "/"}
    if element.attrib:
        errors.append({**where, "detail": "attributes are not allowed"})
    own_text = (element.text or "").strip() if len(element) or field is None else ""
    if own_text or any((child.tail or "").strip() for child in element):
        errors.append({**where, "detail": "text between elements is not allowed"})
