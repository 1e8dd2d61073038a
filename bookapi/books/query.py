"""What the parameters of a list mean: filters, sort and page (contract, section 4), and the reads that answer them.

A request is parsed into a `Listing`: the shape of a statement and the values for it. Statements are built and
compiled once a shape. A filter is one entry of `FILTERS`, a sort key one of `SORTS`.
"""
import functools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement, Select, String, and_, bindparam, func, or_, select
from werkzeug.datastructures import MultiDict

from ..db import Query, Reader, db
from ..problems import bad_parameters
from ..text import clean, key
from . import isbn, languages, records
from .models import Book, BookAuthor, BookIdentifier, Catalogue

MAX_LIMIT, DEFAULT_LIMIT = 100, 20
MAX_VALUES = 20  # of one repeated parameter
TOTAL_BYTES = 4096  # of memory that a remembered total takes at most, its filters included, but for absurd ones
_NUMBER = re.compile("[0-9]{1,15}")


# -- filters ------------------------------------------------------------------------------------------------------

def _text_key(text: str) -> str:
    cleaned = clean(text)
    if cleaned is None:
        raise ValueError("may not be empty")
    return key(cleaned)


def _is_title(values: list) -> ColumnElement:
    return Book.title_key.in_(values)


def _has_author(values: list) -> ColumnElement:
    return Book.id.in_(select(BookAuthor.book_id).where(BookAuthor.name_key.in_(values)))


def _has_isbn(values: list) -> ColumnElement:
    further = select(BookIdentifier.book_id).where(BookIdentifier.scheme == "isbn", BookIdentifier.value.in_(values))
    return or_(Book.live_isbn.in_(values), Book.id.in_(further))


def _in_language(values: list) -> ColumnElement:
    # `en` also finds `en-GB`: all that sorts between `en-` and `en.`, the next character.
    return or_(*[condition for value in values for condition in (
        Book.language == value,
        and_(Book.language >= value.concat("-"), Book.language < value.concat(".")))])


class Filter(NamedTuple):
    """`read` turns what was sent into what is compared, or raises ValueError; `condition` takes those values."""
    read: Callable[[str], Any]
    condition: Callable[[list], ColumnElement]
    repeatable: bool


FILTERS = {
    "title": Filter(_text_key, _is_title, True),
    "author": Filter(_text_key, _has_author, True),
    "isbn": Filter(isbn.parse, _has_isbn, False),
    "language": Filter(languages.canonical, _in_language, True),
}
SORTS = {"id": Book.id, "title": Book.title_key, "author": Book.author_key, "published": Book.published_key,
         "created_at": Book.created_at, "updated_at": Book.updated_at}
_NULLABLE = ("author", "published")
PAGING = ("limit", "page")
GENERAL = ("format",)


# -- parsing ------------------------------------------------------------------------------------------------------

class Listing(NamedTuple):
    """A list that was asked for. `shape` names the filters with how many values each has; `values` are those."""
    shape: tuple[tuple[str, int], ...]
    values: tuple[tuple[str, Any], ...]
    sort: tuple[str, ...]
    limit: int = DEFAULT_LIMIT
    page: int = 1


def parse(args: MultiDict, paging: bool = True) -> Listing:
    """The list that the parameters ask for; a 400 that names every parameter that is wrong."""
    errors: list[tuple[str, str]] = []
    known = {*FILTERS, "sort", *GENERAL, *(PAGING if paging else ())}
    errors += [(name, "is not a parameter here") for name in args if name not in known]
    errors += [(name, "is given more than once") for name, values in args.lists()
               if len(values) > 1 and name in known and not (name in FILTERS and FILTERS[name].repeatable)]
    shape, values = [], []
    for name, rule in FILTERS.items():
        given = _values(name, rule, args.getlist(name), errors)
        if given:
            shape.append((name, len(given)))
            values += [(f"{name}_{index}", value) for index, value in enumerate(given)]
    sort = _sort(args.get("sort", "id"), errors)
    limit = _number("limit", args.get("limit"), DEFAULT_LIMIT, MAX_LIMIT, errors) if paging else DEFAULT_LIMIT
    page = _number("page", args.get("page"), 1, 10 ** 15, errors) if paging else 1
    if errors:
        raise bad_parameters(errors)
    return Listing(tuple(shape), tuple(values), sort, limit, page)


def _values(name: str, rule: Filter, given: list[str], errors: list) -> list:
    if len(given) > MAX_VALUES:
        errors.append((name, f"may be given at most {MAX_VALUES} times"))
        return []
    values: dict[Any, None] = {}  # in order, each once
    for text in given:
        try:
            values[rule.read(text)] = None
        except ValueError as error:
            errors.append((name, str(error)))
    return list(values)


def _sort(text: str, errors: list) -> tuple[str, ...]:
    keys = tuple(text.split(","))
    names = [name.removeprefix("-") for name in keys]
    if not set(names) <= set(SORTS):
        errors.append(("sort", f"takes {', '.join(SORTS)} by comma, a - before one for descending"))
    elif len(set(names)) < len(names):
        errors.append(("sort", "names a field twice"))
    return keys


def _number(name: str, text: str | None, default: int, most: int, errors: list) -> int:
    if text is None:
        return default
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= number <= most:
        errors.append((name, f"must be a whole number from 1 to {most}"))
    return number


# -- statements ---------------------------------------------------------------------------------------------------

def _where(shape: tuple) -> list[ColumnElement]:
    conditions = [FILTERS[name].condition([bindparam(f"{name}_{index}", type_=String()) for index in range(count)])
                  for name, count in shape]
    return [Book.deleted_at.is_(None), *conditions]


def _order(sort: tuple[str, ...]) -> Iterator[ColumnElement]:
    """Nulls last and ties by id ascending, whatever the direction."""
    for named in sort:
        name = named.removeprefix("-")
        if name in _NULLABLE:
            yield SORTS[name].is_(None)
        yield SORTS[name].desc() if named.startswith("-") else SORTS[name].asc()
    if not {"id", "-id"} & set(sort):
        yield Book.id.asc()


@functools.lru_cache(maxsize=256)
def _page_query(shape: tuple, sort: tuple[str, ...]) -> Query:
    return Query(_all(shape, sort).limit(bindparam("limit")).offset(bindparam("offset")))


@functools.lru_cache(maxsize=256)
def _all_query(shape: tuple, sort: tuple[str, ...]) -> Query:
    return Query(_all(shape, sort))


def _all(shape: tuple, sort: tuple[str, ...]) -> Select:
    return records.selection().where(*_where(shape)).order_by(*_order(sort))


@functools.lru_cache(maxsize=256)
def _count_query(shape: tuple) -> Query:
    return Query(select(func.count()).select_from(Book).where(*_where(shape)))


_SEQ = Query(select(Catalogue.seq))
_ONE = Query(records.selection(Book.deleted_at).where(Book.id == bindparam("id")))
_BY_ISBN = Query(records.selection().where(Book.live_isbn == bindparam("isbn")))
_BY_FURTHER_ISBN = Query(records.selection().where(Book.deleted_at.is_(None), _has_isbn([bindparam("isbn")]))
                         .order_by(Book.id).limit(1))


# -- reads --------------------------------------------------------------------------------------------------------

def page(listing: Listing) -> tuple[list[dict], int]:
    """The records of the page, and how many there are on all pages, of one state of the catalogue."""
    with db.read() as reader:
        total = _total(reader, listing)
        offset = (listing.page - 1) * listing.limit
        rows = [] if offset >= total else reader.rows(
            _page_query(listing.shape, listing.sort), limit=listing.limit, offset=offset, **dict(listing.values))
    return [records.from_row(row) for row in rows], total


def _total(reader: Reader, listing: Listing) -> int:
    """Counted once for each state of the catalogue: a count walks all that is counted."""
    remembered: OrderedDict = current_app.extensions.setdefault("bookapi.totals", OrderedDict())
    room = current_app.config["ANSWER_CACHE_BYTES"] // TOTAL_BYTES
    [(seq,)] = reader.rows(_SEQ)
    known = remembered.get((listing.shape, listing.values))
    if known and known[0] == seq:
        return known[1]
    [(total,)] = reader.rows(_count_query(listing.shape), **dict(listing.values))
    if room:
        remembered[listing.shape, listing.values] = (seq, total)
    while len(remembered) > room:
        remembered.popitem(last=False)
    return total


def stream(listing: Listing) -> Iterator[dict]:
    """Every matching record, one by one, of one state of the catalogue."""
    with db.read() as reader:
        for row in reader.stream(_all_query(listing.shape, listing.sort), **dict(listing.values)):
            yield records.from_row(row)


def one(book_id: int) -> tuple[dict, bool] | None:
    """The record of that id and whether it is in the trash; None where there never was one."""
    with db.read() as reader:
        rows = reader.rows(_ONE, id=book_id)
    return (records.from_row(rows[0]), rows[0][-1] is not None) if rows else None


def by_isbn(digits: str) -> dict | None:
    """The record of an ISBN, its own before another book's further one."""
    with db.read() as reader:
        rows = reader.rows(_BY_ISBN, isbn=digits) or reader.rows(_BY_FURTHER_ISBN, isbn=digits)
    return records.from_row(rows[0]) if rows else None
