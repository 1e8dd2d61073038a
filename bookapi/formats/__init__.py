"""The formats: one module each, found here, so that adding a format is adding a file.

A module says what it is by `name`, `order` (the server's preference, low first) and `media_types` (the
first is sent), and has only the functions it can honour:

* ``dumps(data, root) -> bytes`` and ``loads(body, roots, charset) -> data`` for any document (`root`: its name,
  `roots`: those that it may have);
* ``problem(data) -> bytes`` and ``problem_type`` for failures (RFC 9457);
* ``write(records, fields) -> chunks`` (`fields`: what each record has, in order) and ``read(stream, encoding) -> (line,
  record) pairs`` for streams of books; in the place of a record that is wrong stands a Malformed or an Invalid.

`aliases` are media types that `Accept` may also use for it, `patch_types` those that a PATCH may send.
"""

import codecs
import importlib
import pkgutil
import re
from types import ModuleType


class Malformed(ValueError):
    """A body that is not what its media type says; the message tells the client what to mend."""


class Invalid(ValueError):
    """A well-formed body that no resource could have; `errors` lists {field or pointer, detail}."""

    def __init__(self, errors: list[dict]):
        super().__init__("; ".join(error["detail"] for error in errors))
        self.errors = errors


MAX_DEPTH = 32
MAX_FIELDS = 1000  # of one object or element: what has more is no record of anybody's, but costs much to be told so
MAX_RECORD = (
    2 * 1024 * 1024
)  # of one record of a stream, in characters or bytes: what may be in memory at once

# What files of books have. Not all that Python has: some of its codecs are no text, or slow on purpose-made input.
_CHARSETS = re.compile(
    "utf-(8|16(-[lb]e)?)|ascii|iso8859-[0-9]+|cp[0-9]+|koi8-[rtu]|mac-roman|gb(k|2312|18030)|big5|"
    "euc_(jp|kr)|shift_jis"
)

_all: list[ModuleType] = []


def all_formats() -> list[ModuleType]:
    """Every format, in the server's order."""
    if not _all:
        found = [
            importlib.import_module(f"{__name__}.{module.name}")
            for module in pkgutil.iter_modules(__path__)
        ]
        _all.extend(sorted(found, key=lambda module: module.order))
    return _all


def by_name(name: str) -> ModuleType | None:
    """The format of that name, or None."""
    return next((module for module in all_formats() if module.name == name), None)


def having(function: str) -> list[ModuleType]:
    """The formats that have this function, in the server's order."""
    return [module for module in all_formats() if hasattr(module, function)]


def is_charset(name: str) -> bool:
    """Whether books are read in the encoding of that name."""
    try:
        return bool(_CHARSETS.fullmatch(codecs.lookup(name).name))
    except (LookupError, ValueError):  # a name with a NUL
        return False
