"""How many books have each author, subject, publisher, …: the table `terms`, changed in the
transaction of each change of a book.

A term is shown in the smallest of its spellings, so that every database shows the same.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.engine import Connection

from ..db import AddUp, run
from ..text import key
from .fields import dates
from .models import LAST, Book, BookAuthor, BookSubject, Term

_DECADE_YEARS = 100000  # ten years in `published_key`
_OFFSET = 2_000_000_000  # added to a decade's key, it has ten digits and sorts as text


class Kind(NamedTuple):
    """The columns of a kind of terms: the compared form of a value, its spelling, the book."""

    key: SQLColumnExpression[Any]
    spelling: SQLColumnExpression[Any]
    book_id: SQLColumnExpression[Any]

    @property
    def is_list(self) -> bool:
        return self.book_id is not Book.id

    @property
    def table(self) -> Any:
        found: Any = self.book_id
        return found.class_.__table__

    @property
    def in_id_index(self) -> bool:
        """Whether the index of all books by id has it."""
        return self.key is _DECADE or self.key is Book.language

    @property
    def has_value(self) -> ColumnElement[bool]:
        """That a row has a value at all."""
        if self.key is _DECADE:
            return Book.published_key < LAST["published_key"]
        return self.key.is_not(None)


def _decade(published: Any) -> Any:
    """Rounded down to the beginning of the decade, before year 0, too, where remainders of SQL are
    negative; as text."""
    years = _DECADE_YEARS
    return _OFFSET + published - (published % years + years) % years


_DECADE = cast(_decade(Book.published_key), String)
KINDS = {
    "language": Kind(Book.language, Book.language, Book.id),
    "author": Kind(BookAuthor.name_key, BookAuthor.name, BookAuthor.book_id),
    "subject": Kind(BookSubject.name_key, BookSubject.name, BookSubject.book_id),
    "publisher": Kind(Book.publisher_key, Book.publisher, Book.id),
    "series": Kind(Book.series_key, Book.series, Book.id),
    "location": Kind(Book.location_key, Book.location, Book.id),
    "decade": Kind(_DECADE, _DECADE, Book.id),
}
_FIELDS = {"authors", "subjects", "publisher", "series", "location", "language", "published"}


def year(decade: str) -> str:
    """The year that the decade of a key begins with."""
    return dates.format_year((int(decade) - _OFFSET) // 10000)


# -- changes ---------------------------------------------------------------------------------------

_Terms = dict[tuple[str, str], str]  # (kind, key): spelling
_OF = {"kind": bindparam("of_kind"), "term_key": bindparam("of_key", type_=String())}
_IS_TERM = and_(*[getattr(Term, name) == value for name, value in _OF.items()])
_ADD = AddUp(Term.__table__).values(
    {name: bindparam(name, type_=String()) for name in ("kind", "term_key", "spelling", "books")}
)
_DROP = delete(Term.__table__).where(_IS_TERM, Term.books <= 0)


def _terms_of(record: dict[str, Any]) -> _Terms:
    found: _Terms = {}
    for kind, field in (("author", "authors"), ("subject", "subjects")):
        for name in record[field]:
            found.setdefault((kind, key(name)), name)
    for kind in ("publisher", "series", "location"):
        if record[kind]:
            found[kind, key(record[kind])] = record[kind]
    if record["language"]:
        found["language", record["language"]] = record["language"]
    if record["published"]:
        decade = str(_decade(dates.sort_key(record["published"])))
        found["decade", decade] = decade
    return found


def count_changes(
    connection: Connection,
    changes: Iterable[tuple[dict[str, Any] | None, dict[str, Any] | None]],
) -> None:
    """Count the terms again after changes that were stored: the record of each book before and
    after it, None where it was not in the catalogue or is no more."""
    differences: dict[tuple[str, str], int] = {}
    spellings: _Terms = {}
    gone: set[tuple[str, str, str]] = set()
    for before, after in changes:
        if before and after and all(before[name] == after[name] for name in _FIELDS):
            continue
        old = _terms_of(before) if before else {}
        new = _terms_of(after) if after else {}
        for term, spelling in new.items():
            if old.get(term) != spelling:
                differences[term] = differences.get(term, 0) + (term not in old)
                spellings[term] = min(spellings.get(term, spelling), spelling)
        for term, spelling in old.items():
            if new.get(term) != spelling:
                gone.add((*term, spelling))
            if term not in new:
                differences[term] = differences.get(term, 0) - 1
                spellings[term] = min(spellings.get(term, spelling), spelling)
    rows = [
        {"kind": kind, "term_key": name, "spelling": spellings[kind, name], "books": number}
        for (kind, name), number in sorted(differences.items())
    ]
    run(connection, _ADD, rows)
    for kind, name, spelling in sorted(gone):
        of_term = {"of_kind": kind, "of_key": name}
        if differences[kind, name] < 0:
            run(connection, _DROP, [of_term])
        if kind in _RESPELL:
            run(connection, _RESPELL[kind], [{**of_term, "of_spelling": spelling}])


def _living(kind: Kind, *columns: Any) -> Select[Any]:
    found = select(*columns).where(Book.deleted_at.is_(None), kind.has_value)
    return found.where(Book.id == kind.book_id) if kind.is_list else found


def _respell(kind: Kind) -> Any:
    """Where no book has this spelling of the term any more: the smallest one of those left."""
    spelling, of_key = bindparam("of_spelling", type_=String()), _OF["term_key"]
    same = _living(kind, literal(1)).where(kind.key == of_key, kind.spelling == spelling)
    smallest = _living(kind, func.min(kind.spelling)).where(kind.key == of_key)
    return (
        update(Term.__table__)
        .where(_IS_TERM, Term.spelling == spelling, ~same.exists())
        .values(spelling=smallest.scalar_subquery())
    )


_RESPELL = {name: _respell(kind) for name, kind in KINDS.items() if kind.key is not kind.spelling}


# -- all of them -----------------------------------------------------------------------------------


def counted(name: str) -> Select[Any]:
    """The rows of one kind as the books have them: kind, key, smallest spelling, number of
    books."""
    kind = KINDS[name]
    spelling, number = func.min(kind.spelling), func.count()
    return _living(kind, literal(name), kind.key, spelling, number).group_by(kind.key)


def rebuild(connection: Connection) -> None:
    """Count all terms again: an operation of `db.write`."""
    connection.execute(delete(Term))
    for name in KINDS:
        columns = ["kind", "term_key", "spelling", "books"]
        connection.execute(insert(Term).from_select(columns, counted(name)))


def wrong_terms(connection: Connection) -> int:
    """How many terms are missing, too many, or have another number or spelling than the books
    say."""
    wrong = 0
    for name in KINDS:
        stored = select(Term.kind, Term.term_key, Term.spelling, Term.books)
        rows = map(tuple, connection.execute(stored.where(Term.kind == name)))
        wrong += len({*rows} ^ {*map(tuple, connection.execute(counted(name)))})
    return wrong
