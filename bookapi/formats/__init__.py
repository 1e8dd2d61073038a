"""The formats: a name, media types, and what each can write and read.

To add one: add a module here with a `FORMAT`; it is found by that name. Functions that a format
does not have are None.
"""

import codecs
import contextlib
import importlib
import io
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO


class Malformed(ValueError):
    """A body that is not what its media type says; the message says where and why. `parameters`:
    those of the request that it does not fit.
    """

    def __init__(self, message: str, *parameters: str):
        super().__init__(message)
        self.parameters = parameters


class Invalid(ValueError):
    """A well-formed body that cannot be a resource; `errors` lists {field or pointer, detail}."""

    def __init__(self, errors: list[dict[str, Any]]):
        super().__init__("; ".join(error["detail"] for error in errors))
        self.errors = errors


# A record of an import: the physical line where it begins (None: the format has no lines), and its
# members, or what is wrong with it.
Record = tuple[int | None, "dict[str, Any] | Malformed | Invalid"]


@dataclass
class Table:
    """A file of rows: the header's names, the separator, and (line, cells) of each row."""

    header: list[str]
    delimiter: str | None
    rows: Iterator[tuple[int, "list[Any] | Malformed"]]


def _unsupported(*args: Any) -> Any:
    raise NotImplementedError("this format has no such function")


@dataclass(frozen=True, eq=False)
class Format:
    """A format. `order` is the server's preference, low first; the first of `media_types` is sent.

    `aliases` are media types that Accept may also use for it, `read_types` further ones of an
    import's body and `patch_types` of a PATCH.
    """

    name: str
    order: int
    media_types: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    read_types: tuple[str, ...] = ()
    patch_types: tuple[str, ...] = ()
    problem_type: str = ""
    # a format of pages for people: Accept must name it, and `loads` reads forms, of `form_types`
    is_page: bool = False
    form_types: tuple[str, ...] = ()
    # any document: (data, name of the root) → bytes; (body, possible roots, charset) → data
    dumps: Callable[[Any, str], bytes] = _unsupported
    loads: Callable[[bytes, Sequence[str], str | None], Any] = _unsupported
    # a failure (RFC 9457)
    problem: Callable[[dict[str, Any]], bytes] = _unsupported
    # streams of books: (records, the fields of each in order) → chunks
    write: Callable[[Iterable[dict[str, Any]], Sequence[str]], Iterator[bytes]] = _unsupported
    # imports: (stream, encoding) → records; files of rows: (stream, encoding, delimiter or sheet)
    read: Callable[[BinaryIO, str | None], Iterator[Record]] = _unsupported
    table: Callable[[BinaryIO, str | None, str | None], Table] = _unsupported

    def can(self, *functions: str) -> bool:
        """Whether it has one of these functions."""
        return any(getattr(self, function) is not _unsupported for function in functions)


class BorrowedText(io.TextIOWrapper):
    """A stream as text that is left open for its owner."""

    def close(self) -> None:
        """Let go of the stream."""
        with contextlib.suppress(ValueError):  # that is gone or closed already
            self.detach()


MAX_DEPTH = 32
MAX_FIELDS = 1000  # members of an object, items of a list, children of an element
MAX_VALUES = 10_000  # tags, or JSON values, of one record or other document
MAX_RECORD = 2 * 1024 * 1024  # characters or bytes of one record of a stream
CHUNK = 64 * 1024  # bytes


_all: list[Format] = []


def all_formats() -> list[Format]:
    """Every format, in the server's order."""
    if not _all:
        modules = (
            importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
        )
        _all.extend(
            sorted((m.FORMAT for m in modules if hasattr(m, "FORMAT")), key=lambda f: f.order)
        )
    return _all


def by_name(name: str) -> Format | None:
    """The format of that name, or None."""
    return next((known for known in all_formats() if known.name == name), None)


def having(*functions: str) -> list[Format]:
    """The formats that have one of these functions, in the server's order."""
    return [known for known in all_formats() if known.can(*functions)]


# Encodings that files of books have. Some of Python's other codecs are no text, or slow on hostile
# input.
_CHARSETS = re.compile(
    "utf-(8(-sig)?|16(-[lb]e)?)|ascii|iso8859-[0-9]+|cp[0-9]+|koi8-[rtu]|mac-roman|gb(k|2312|18030)|big5|"
    "euc_(jp|kr)|shift_jis"
)


def is_charset(name: str) -> bool:
    """Whether books are read in the encoding of that name."""
    try:
        return bool(_CHARSETS.fullmatch(codecs.lookup(name).name))
    except (LookupError, ValueError):  # ValueError: a name with a NUL
        return False
