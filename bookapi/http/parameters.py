"""Query strings, read by marshmallow schemas: every fault in one 400 that names the parameters.

Without webargs, which would cost as much again and cannot refuse a parameter that is given twice.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields
from werkzeug.datastructures import MultiDict

from .problems import bad_parameters, messages_of
from .request import Request, current_request

MAX_VALUES = 20  # of a parameter that may be repeated
_NUMBER = re.compile("[0-9]{1,19}")
# Parameters by which other services let a client override the method have no meaning here.
_METHOD = re.compile("_?(x[-_])?(http[-_])?method([-_]override)?", re.IGNORECASE)

Arguments = MultiDict[str, str]
Errors = list[tuple[str, str]]


@dataclass(frozen=True)
class Parser:
    """A parser of a parameter, with the JSON Schema of what it reads."""

    parse: Callable[[str], Any]
    json_schema: dict[str, Any]

    def __call__(self, text: str) -> Any:
        return self.parse(text)


class Parameter(fields.Field[Any]):
    """A parameter with its parser, which raises ValueError with the message, and its meaning."""

    def __init__(self, parse: Callable[[str], Any] = str, default: Any = None, meaning: str = ""):
        super().__init__(load_default=default, metadata={"description": meaning})
        self.parse = parse

    def json_schema(self) -> dict[str, Any]:
        """The type, bounds and default of its values."""
        known = self.parse.json_schema if isinstance(self.parse, Parser) else {"type": "string"}
        scalar = isinstance(self.load_default, (int, str)) and self.load_default is not False
        return {**known, "default": self.load_default} if scalar else known

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        try:
            return self.parse(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class RepeatedParameter(Parameter):
    """One that may be repeated: its different values in order, None without any."""

    max_values = MAX_VALUES

    def json_schema(self) -> dict[str, Any]:
        """The type of its values, and how many there may be."""
        return {"type": "array", "items": super().json_schema(), "maxItems": self.max_values}

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        if len(value) > self.max_values:
            raise ValidationError(f"must be given at most {self.max_values} times")
        parsed: dict[Any, None] = {}
        errors = []
        for text in value:
            try:
                parsed[self.parse(text)] = None
            except ValueError as error:
                errors.append(str(error))
        if errors:
            raise ValidationError(errors)
        return tuple(parsed)


class Parameters(Schema):
    """The parameters of an endpoint. `format` is read by `negotiation`."""

    format = Parameter()

    error_messages = {"unknown": "is not a parameter here"}

    class Meta:
        unknown = RAISE


def integer(minimum: int, maximum: int) -> Parser:
    """A parser of integers in this range."""

    def parse(text: str) -> int:
        value = int(text) if _NUMBER.fullmatch(text) else -1
        if not minimum <= value <= maximum:
            raise ValueError(f"must be an integer from {minimum} to {maximum}")
        return value

    return Parser(parse, {"type": "integer", "minimum": minimum, "maximum": maximum})


def choice(choices: Mapping[str, Any]) -> Parser:
    """A parser of a few words, each with its value."""

    def parse(text: str) -> Any:
        if text not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return choices[text]

    return Parser(parse, {"type": "string", "enum": [*choices]})


def read_parameters(schema: Schema, arguments: Arguments) -> tuple[dict[str, Any], Errors]:
    """The valid values by name, and (name, message) of each fault."""
    given: dict[str, Any] = {}
    errors: Errors = []
    for name, values in arguments.lists():
        if isinstance(schema.fields.get(name), RepeatedParameter):
            given[name] = values
        elif len(values) == 1 or name not in schema.fields:
            given[name] = values[0]
        else:
            errors.append((name, "is given more than once"))
    try:
        return schema.load(given), errors
    except ValidationError as error:
        for name, messages in messages_of(error).items():
            errors += [(name, message) for message in messages]
        valid = error.valid_data
        return (valid if isinstance(valid, dict) else {}), errors


def load_query() -> dict[str, Any]:
    """The values of this request's query string, by the schema that the endpoint declares; 400
    where any is wrong.
    """
    request = current_request()
    given = [pair for pair in request.args.items(multi=True) if not _METHOD.fullmatch(pair[0])]
    schema = request.declared and request.declared.query
    return load_parameters(schema or _NO_PARAMETERS, MultiDict(given))


_NO_PARAMETERS = Parameters()


def refuse_unknown_parameters(request: Request, body_was_read: bool = False) -> None:
    """400 for parameters of an endpoint that declares none. Of one with a body they are refused
    after the body was read (415 and 413 come first), of any other before its view.

    Pages ignore them, since links to them may have parameters of other sites; so do probes.
    """
    declared, chosen = request.declared, request.format
    if not (request.environ.get("QUERY_STRING") and declared and chosen):
        return
    takes_any = declared.query or declared.any_host or chosen.is_page
    if not takes_any and bool(declared.body) == body_was_read:
        load_query()


def load_parameters(schema: Schema, arguments: Arguments) -> dict[str, Any]:
    """The values by name; 400 where any is wrong."""
    values, errors = read_parameters(schema, arguments)
    if errors:
        raise bad_parameters(errors)
    return values
