"""What the parameters of a list ask for (contract, section 4); a 400 that names every parameter that is wrong."""

from collections.abc import Callable
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from ...db.search import Match
from ...http.pagination import DEFAULT_LIMIT, Errors, check_names, page_of
from ...http.problems import bad_parameters
from .. import search
from ..schemas import FIELDS
from . import cursors
from .filters import FILTERS
from .sorting import BY_ID, BY_RELEVANCE, SORTS, complete

MAX_VALUES = 20  # of one repeated parameter
FACETS = ("language", "author", "subject", "publisher", "series", "location", "decade")
PAGING = ("limit", "page", "cursor", "facets")
GENERAL = ("format", "q", "sort", "fields", "state")
_PLACES = {name: place for place, name in enumerate(FILTERS)}
_WHOLE = FILTERS.keys() | GENERAL
_PAGED = _WHOLE | set(PAGING)
_REPEATABLE = {name for name, rule in FILTERS.items() if rule.repeatable}


class Shape(NamedTuple):
    """What a statement is built from: the filters with how many values each has, what kind of search there is
    (`terms`, `without` any but negative ones, `nothing` to search for, or none), and whether it is about the trash."""

    filters: tuple[tuple[str, int], ...] = ()
    search: str = ""
    in_trash: bool = False


class Listing(NamedTuple):
    """A list that was asked for: the shape of its statements, their values, and what of it is wanted.

    `page` counts from 1; where a cursor was given it is None and `after` tells the values to go on behind (empty: from
    the beginning).
    """

    shape: Shape = Shape()
    values: tuple[tuple[str, Any], ...] = ()
    match: Match | None = None
    sort: tuple[str, ...] = BY_ID
    limit: int = DEFAULT_LIMIT
    page: int | None = 1
    after: tuple[Any, ...] = ()
    fields: tuple[str, ...] = FIELDS
    facets: tuple[str, ...] = ()


def parse(args: MultiDict, paging: bool = True) -> Listing:
    """The list that the parameters ask for; without `paging` the whole of it."""
    errors: Errors = []
    check_names(args, _PAGED if paging else _WHOLE, _REPEATABLE, errors)
    match = _read("q", args, search.parse, errors) if "q" in args else None
    state = _read("state", args, _state, errors) if "state" in args else False
    filters, values = _filters(args, errors)
    sort = (
        _read("sort", args, _sort, errors) if "sort" in args else BY_RELEVANCE if match else BY_ID
    )
    if match is None and {"relevance", "-relevance"} & set(sort or ()):
        errors.append(("sort", "takes relevance where q says what to look for"))
    elif match is not None and not match.terms:  # all that is found is equally relevant
        sort = tuple(name for name in sort or () if name not in ("relevance", "-relevance"))
    fields = _read("fields", args, _fields, errors) if "fields" in args else FIELDS
    chosen = Listing(
        Shape(filters, _kind(match), bool(state)),
        values,
        match,
        sort or BY_ID,
        fields=fields or FIELDS,
    )
    if paging:
        chosen = _paged(chosen, args, errors)
    if errors:
        raise bad_parameters(errors)
    return chosen


def _read(name: str, args: MultiDict, read: Callable[[str], Any], errors: Errors) -> Any:
    try:
        return read(args[name])
    except ValueError as error:
        errors.append((name, str(error)))
        return None


def _kind(match: Match | None) -> str:
    if match is None:
        return ""
    return "terms" if match.terms else "without" if match.without else "nothing"


def _state(text: str) -> bool:
    if text != "deleted":
        raise ValueError("takes deleted, for the trash")
    return True


def _filters(args: MultiDict, errors: Errors) -> tuple[tuple, tuple]:
    shape, values = [], []
    for name in sorted(FILTERS.keys() & args.keys(), key=_PLACES.__getitem__):
        given = _values(name, FILTERS[name], args.getlist(name), errors)
        if given:
            shape.append((name, len(given)))
            values += [(f"{name}_{index}", value) for index, value in enumerate(given)]
    return tuple(shape), tuple(values)


def _values(name: str, rule, given: list[str], errors: Errors) -> list:
    if len(given) > MAX_VALUES:
        errors.append((name, f"may be given at most {MAX_VALUES} times"))
        return []
    values: dict[Any, None] = {}  # in order, each once
    for text in given:
        try:
            read = rule.read(text)
        except ValueError as error:
            errors.append((name, str(error)))
            continue
        if isinstance(read, tuple):
            return list(read)
        values[read] = None
    return list(values)


def _sort(text: str) -> tuple[str, ...]:
    keys = tuple(text.split(","))
    names = [name.removeprefix("-") for name in keys]
    if not set(names) <= set(SORTS):
        raise ValueError(f"takes {', '.join(SORTS)} by comma, a - before one for descending")
    if len(set(names)) < len(names):
        raise ValueError("names a field twice")
    return complete(keys)


def _names(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = text.split(",")
    if not set(names) <= set(known):
        raise ValueError(f"takes {', '.join(known)} by comma")
    return tuple(name for name in known if name in names)


def _fields(text: str) -> tuple[str, ...]:
    return _names(f"id,{text}", FIELDS)


def _facets(text: str) -> tuple[str, ...]:
    return _names(text, FACETS)


def _paged(chosen: Listing, args: MultiDict, errors: Errors) -> Listing:
    limit, page = page_of(args, errors)
    facets = _read("facets", args, _facets, errors) if "facets" in args else ()
    chosen = chosen._replace(limit=limit, page=page, facets=facets or ())
    if "cursor" not in args:
        return chosen
    if "page" in args:
        errors.append(("cursor", "cannot go together with page"))
    text, after = args["cursor"], ()
    if text != cursors.BEGIN:
        after = _read("cursor", args, lambda text: cursors.read(text, chosen.sort), errors)
    return chosen._replace(page=None, after=after or ())
