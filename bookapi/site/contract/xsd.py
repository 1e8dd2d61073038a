"""The XSD of all documents but problems, made from the schemas. docs/api.md, XML.

A record may end with elements that this version does not know, so that clients with this XSD read
what later versions write. An optional element directly before `xs:any` would be ambiguous, so both
are a group after the last element of a record; every later field comes after that element.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree
from marshmallow import Schema, fields

from ...formats.xml.names import WRITTEN
from ...schemas import DOCUMENTS, MAX_INTEGER
from .json_schema import is_sparse, type_name

NAMESPACE = "http://www.w3.org/2001/XMLSchema"
MAX_INT = 2**31 - 1
Fields = dict[str, fields.Field[Any]]


def _xs(kind: str, *children: etree._Element, **attributes: str) -> etree._Element:
    """An element of the XSD."""
    made = etree.Element(f"{{{NAMESPACE}}}{kind}", attributes, nsmap={"xs": NAMESPACE})
    made.extend(children)
    return made


def xsd(bodies: Iterable[tuple[str, Schema]]) -> bytes:
    """The XSD of the results, and of these (root, schema) of request bodies."""
    types = Types()
    for root, schema in bodies:
        types.sent.setdefault(type_name(DOCUMENTS[root]), []).append(schema)
    document = _xs(
        "schema",
        *(
            _xs("element", name=root, type=_record(known, types))
            for root, known in DOCUMENTS.items()
        ),
    )
    document.extend(types.values())
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)


class Types(dict[str, etree._Element]):
    """The types by name. `sent`: what is sent of a type."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[Schema]] = {}


def _record(schema: Schema, types: Types) -> str:
    """The name of the type of a record, which is added to the types."""
    name = getattr(schema, "xml_type", None) or type_name(schema)
    if name in types:
        return name
    members, bodies = dict(schema.fields), types.sent.get(name, [])
    for body in bodies:
        members = _merged(members, body.fields)
    *_, last = schema.fields
    group = _xs("sequence", _any())
    if bodies or is_sparse(members[last]) or not _is_always(schema, members[last]):
        group.set("minOccurs", "0")
    # Keeps its place in the order, and ends the recursion of a type that has itself inside.
    types[name] = _xs("complexType")
    content = _xs("sequence")
    for field_name, field in members.items():
        element = _element(field_name, field, name, types)
        if field_name == last:
            group.insert(0, element)
            continue
        if bodies or not _is_always(schema, field):
            element.set("minOccurs", "0")
        content.append(element)
    content.append(group)
    types[name] = _xs("complexType", _documentation(type(schema).__doc__), content, name=name)
    return name


def _is_always(schema: Schema, field: fields.Field[Any]) -> bool:
    """Whether every result has the element."""
    partial = getattr(schema, "partial_result", False)
    return not (partial or field.allow_none or is_sparse(field))


def _merged(known: Fields, body: Mapping[str, fields.Field[Any]]) -> Fields:
    """The fields with those of a body among them, each after the one before it in the body."""
    names, at = list(known), 0
    for name in body:
        if name not in known:
            names.insert(at, name)
        at = names.index(name) + 1
    return {name: known.get(name) or body[name] for name in names}


def _element(name: str, field: fields.Field[Any], owner: str, types: Types) -> etree._Element:
    element = _xs("element", name=name)
    meaning = field.metadata.get("description")
    if meaning:
        element.append(_documentation(meaning))
    if isinstance(field, fields.Nested):
        element.set("type", _record(field.schema, types))
    elif isinstance(field, fields.List):
        element.set("type", _list(owner + name.title().replace("_", ""), name, field, types))
    elif isinstance(field, (fields.Raw, fields.Dict)):
        element.append(_xs("complexType", _xs("sequence", _any("skip")), mixed="true"))
    else:
        _set_simple(element, field.json_schema())  # type: ignore[attr-defined]
    return element


def _list(type_name: str, name: str, field: fields.List[Any], types: Types) -> str:
    item = _element(WRITTEN.get(name, "item"), field.inner, type_name, types)
    item.set("minOccurs", "0")
    item.set("maxOccurs", "unbounded")  # bounds may grow with a later version
    types[type_name] = _xs("complexType", _xs("sequence", item), name=type_name)
    return type_name


def _set_simple(element: etree._Element, described: dict[str, Any]) -> None:
    """Give an element the type that this JSON Schema describes. An enumeration is no part of it: a
    later version may have more words.
    """
    kind, facets = f"xs:{described['type']}", {}
    if described["type"] == "integer":
        kind = "xs:int" if described["maximum"] <= MAX_INT else "xs:long"
        facets["minInclusive"] = described["minimum"]
        if described["maximum"] < MAX_INTEGER:
            facets["maxInclusive"] = described["maximum"]
    elif described.get("format") == "date-time":
        kind = "xs:dateTime"
    elif "maxLength" in described:
        facets["maxLength"] = described["maxLength"]
    if not facets:
        element.set("type", kind)
        return
    bounds = [_xs(name, value=str(value)) for name, value in facets.items()]
    element.append(_xs("simpleType", _xs("restriction", *bounds, base=kind)))


def _any(process: str = "lax") -> etree._Element:
    """Any elements; `skip` where their names mean nothing here."""
    return _xs("any", minOccurs="0", maxOccurs="unbounded", processContents=process)


def _documentation(text: str | None) -> etree._Element:
    said = " ".join((text or "").partition("\n\n")[0].split())
    documentation = _xs("documentation")
    documentation.text = said
    return _xs("annotation", documentation)
