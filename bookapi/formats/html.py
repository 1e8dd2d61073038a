"""HTML: pages for people, from the templates of `bookapi/pages`, and the forms that they send."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import render_template

from . import Format, Invalid, Malformed

MAX_FORM_FIELDS = 100
CONTROL_FIELDS = ("csrf_token", "idempotency_key", "next", "action")
TYPED = "typed."  # before the names of fields that the sign-in keeps for another form
LINES = ("authors", "subjects")  # lists: an item a line
PAIRS = ("identifiers",)  # a `scheme:value` a line
DATES = ("expires_at",)  # days, where an instant is meant


def dumps(data: Any, root: str) -> bytes:
    """The page of a document: the template of its root, or one that shows any data."""
    return render_template([f"{root}.html", "document.html"], data=data, root=root).encode()


def fields(body: bytes) -> dict[str, str]:
    """What was typed into a form, by name: application/x-www-form-urlencoded (URL Standard, section
    5.1), UTF-8. Raises Malformed for what is no form, Invalid for a field that is there twice.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"), True, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError as error:
        raise Malformed(f"not a form: {error}") from None
    typed: dict[str, str] = {}
    for name, value in pairs:
        if name in typed:
            raise Invalid([{"field": name, "detail": "is given more than once"}])
        typed[name] = value.replace("\r\n", "\n")
    return typed


def loads(body: bytes, roots: Sequence[str], charset: str | None) -> dict[str, Any]:
    """The document that a form sends, without its control fields. Raises as `fields`."""
    return {
        name: _value(name, text)
        for name, text in fields(body).items()
        if name not in CONTROL_FIELDS and not name.startswith(TYPED)
    }


def _value(name: str, text: str) -> Any:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if name in LINES:
        return lines
    if name in PAIRS:
        pairs = [line.partition(":") for line in lines]
        return [{"scheme": scheme, "value": value.strip()} for scheme, _, value in pairs]
    if name in DATES and len(text) == len("2026-12-31"):
        return f"{text}T00:00:00Z"
    return text


FORMAT = Format(
    name="html",
    order=30,
    media_types=("text/html", "application/xhtml+xml"),
    problem_type="text/html; charset=utf-8",
    is_page=True,
    form_types=("application/x-www-form-urlencoded",),
    dumps=dumps,
    loads=loads,
    problem=lambda problem: dumps({"problem": problem}, "problem"),
)
