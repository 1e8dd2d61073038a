"""JSON Schema (2020-12) made from the marshmallow schemas, for OpenAPI 3.1 and /schemas/book.json.

apispec's own marshmallow plugin makes one schema of what is sent and what is returned, and knows
nothing of the names of list items in XML.
"""

from collections.abc import Callable
from typing import Any

from marshmallow import Schema, fields

from ...formats.xml.names import WRITTEN
from ...schemas import DOCUMENTS, JsonSchema, ListOf

Ref = Callable[[Schema, bool], JsonSchema]


def type_name(schema: Schema) -> str:
    """The name of a schema for other languages: that of its class without `Schema`."""
    return type(schema).__name__.removesuffix("Schema")


def object_schema(schema: Schema, sent: bool, ref: Ref) -> JsonSchema:
    """The JSON Schema of the objects that are sent (or returned) by a marshmallow schema; `ref`
    gives that of a nested one.
    """
    members = {
        name: field
        for name, field in schema.fields.items()
        if not (field.dump_only if sent else field.load_only)
    }
    if sent:
        required = [name for name, field in members.items() if field.required]
    elif getattr(schema, "partial_result", False):
        required = ["id"]
    else:
        required = [name for name, field in members.items() if not is_sparse(field)]
    doc = (type(schema).__doc__ or "").partition("\n\n")[0]
    root = next((name for name, known in DOCUMENTS.items() if type(known) is type(schema)), None)
    return {
        "type": "object",
        "description": " ".join(doc.split()),
        **({"xml": {"name": root}} if root else {}),
        "properties": {name: member_schema(field, sent, ref) for name, field in members.items()},
        **({"required": required} if required and not schema.partial else {}),
        **({"additionalProperties": False} if sent else {}),
    }


def is_sparse(field: fields.Field[Any]) -> bool:
    """Whether results may be without this field."""
    return bool(field.metadata.get("sparse"))


def member_schema(field: fields.Field[Any], sent: bool, ref: Ref) -> JsonSchema:
    """The JSON Schema of a field, with its meaning and null where that is allowed."""
    made = _value_schema(field, sent, ref)
    nullable = field.allow_none or sent and isinstance(field, ListOf)
    if nullable and "type" in made:
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    if "description" in field.metadata:
        made["description"] = field.metadata["description"]
    return made


def _value_schema(field: fields.Field[Any], sent: bool, ref: Ref) -> JsonSchema:
    if isinstance(field, fields.Nested):
        return {**ref(field.schema, sent)}
    if isinstance(field, fields.List):
        items = member_schema(field.inner, sent, ref)
        items["xml"] = {"name": WRITTEN.get(field.name or "", "item")}
        bound = {"maxItems": field.max_items} if sent and isinstance(field, ListOf) else {}
        return {"type": "array", "xml": {"wrapped": True}, "items": items, **bound}
    if isinstance(field, fields.Dict):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    return dict(field.json_schema()) if hasattr(field, "json_schema") else {}
