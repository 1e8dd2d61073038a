"""The parameters of a list of books, and what they ask for. docs/api.md, Lists."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from ...db.search import Match
from ...http.pagination import DEFAULT_LIMIT, MAX_PAGE
from ...http.parameters import (
    Arguments,
    Parameter,
    Parameters,
    Parser,
    RepeatedParameter,
    choice,
    integer,
    read_parameters,
)
from ...http.problems import bad_parameters
from ...schemas import MAX_LIMIT
from .. import search
from ..schemas import FIELDS
from ..terms import KINDS
from . import cursors
from .filters import FILTERS, Filter
from .sorting import BY_ID, BY_RELEVANCE, SORTS, complete

FACETS = tuple(KINDS)
RELEVANCE = {"relevance", "-relevance"}


class Shape(NamedTuple):
    """What a statement is built from: the filters with the number of values of each, the kind of
    search (`terms`; `without`, if all terms are negative; `nothing`, if there are none; or no
    search at all), and whether it is of the trash.
    """

    filters: tuple[tuple[str, int], ...] = ()
    search: str = ""
    in_trash: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of the filters."""
        return tuple(name for name, _ in self.filters)


WHOLE = Shape()  # the catalogue


class Listing(NamedTuple):
    """A list that was asked for: the shape of its statements, their values, and which part of it.

    `page` counts from 1. With a cursor it is None, and the list begins after the sort values in
    `after` (empty: at the beginning).
    """

    shape: Shape = WHOLE
    values: tuple[tuple[str, Any], ...] = ()
    match: Match | None = None
    sort: tuple[str, ...] = BY_ID
    limit: int = DEFAULT_LIMIT
    page: int | None = 1
    after: tuple[Any, ...] = ()
    fields: tuple[str, ...] = FIELDS
    facets: tuple[str, ...] = ()


def parse_sort(text: str) -> tuple[str, ...]:
    """The keys of `sort`, up to one that leaves nothing to be ordered."""
    keys = tuple(text.split(","))
    names = [name.removeprefix("-") for name in keys]
    if not set(names) <= set(SORTS):
        raise ValueError(
            f"must be of {', '.join(SORTS)}, separated by commas, a - before one for descending"
        )
    if len(set(names)) < len(names):
        raise ValueError("names a field twice")
    return complete(keys)


def parse_names(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names separated by commas, in the order of those that are known."""
    names = text.split(",")
    if not set(names) <= set(known):
        raise ValueError(f"must be of {', '.join(known)}, separated by commas")
    return tuple(name for name in known if name in names)


def names_schema(known: Iterable[str]) -> dict[str, Any]:
    """The JSON Schema of names separated by commas."""
    name = f"({'|'.join(known)})"
    return {"type": "string", "pattern": f"^{name}(,{name})*$"}


def _filter(name: str, rule: Filter) -> Parameter:
    kind = RepeatedParameter if rule.repeatable else Parameter
    meaning = rule.meaning or f"the {name}, case and accents aside"
    return kind(Parser(rule.read, rule.schema), None, meaning)


class ExportParameters(Parameters):
    """The parameters that choose books: those of an export, beside the filters."""

    q = Parameter(search.parse, None, 'full text: words, "a phrase", a prefix*, -without')
    sort = Parameter(
        Parser(parse_sort, names_schema([*SORTS, *(f"-{name}" for name in SORTS)])),
        None,
        f"by commas, - before one for descending: {', '.join(SORTS)} (relevance: with q)",
    )
    state = Parameter(choice({"deleted": True}), False, "deleted: the trash, for admins")


class ListParameters(ExportParameters):
    """And those of a list, which has pages."""

    limit = Parameter(integer(1, MAX_LIMIT), DEFAULT_LIMIT, "books on a page")
    page = Parameter(integer(1, MAX_PAGE), None, "the page, from 1")
    cursor = Parameter(str, None, "instead of page: * to begin, then the one in links.next")
    facets = Parameter(
        Parser(lambda text: parse_names(text, FACETS), names_schema(FACETS)),
        (),
        f"the commonest values of these, by commas: {', '.join(FACETS)}",
    )


_OTHERS = {  # `fields`, which is no name for an attribute of a schema, and the filters
    "fields": Parameter(
        Parser(lambda text: parse_names(f"id,{text}", FIELDS), names_schema(FIELDS)),
        FIELDS,
        "only these fields (and id), by commas",
    ),
    **{name: _filter(name, rule) for name, rule in FILTERS.items()},
}
export_parameters, list_parameters = (
    kind.from_dict({**_OTHERS})() for kind in (ExportParameters, ListParameters)
)


def parse(arguments: Arguments, paging: bool = True) -> Listing:
    """The list that the parameters ask for, without `paging` all of it; 400 where any is wrong."""
    return _parse(tuple(arguments.items(multi=True)), paging)


@functools.lru_cache(maxsize=256)
def _parse(given: tuple[tuple[str, str], ...], paging: bool) -> Listing:
    arguments: Arguments = MultiDict(given)
    values, errors = read_parameters(list_parameters if paging else export_parameters, arguments)
    match = values.get("q")
    sort = values.get("sort") or (BY_RELEVANCE if match else BY_ID)
    if match is None and RELEVANCE & set(sort):
        errors.append(("sort", "can be relevance only with q"))
    elif match is not None and not match.terms:  # all that is found is equally relevant
        sort = tuple(name for name in sort if name not in RELEVANCE) or BY_ID
    after: tuple[Any, ...] = ()
    cursor = values.get("cursor")
    if cursor is not None and "page" in arguments:
        errors.append(("cursor", "must not be given together with page"))
    elif cursor not in (None, cursors.BEGIN):
        try:
            after = cursors.read(cursor, sort)
        except ValueError as error:
            errors.append(("cursor", str(error)))
    if errors:
        raise bad_parameters(errors)
    filters = {  # those that were given, each with a tuple of values
        name: value if isinstance(value, tuple) else (value,)
        for name in FILTERS
        if (value := values.get(name)) is not None
    }
    search = match and ("terms" if match.terms else "without" if match.without else "nothing")
    return Listing(
        Shape(
            tuple((name, len(each)) for name, each in filters.items()),
            search or "",
            values["state"],
        ),
        tuple(
            (f"{name}_{index}", value)
            for name, each in filters.items()
            for index, value in enumerate(each)
        ),
        match,
        sort,
        values.get("limit", DEFAULT_LIMIT),
        None if cursor is not None else values.get("page") or 1,
        after,
        values["fields"],
        values.get("facets", ()),
    )
