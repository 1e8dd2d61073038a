"""The formats: one module each, found here, so that adding a format is adding a file.

A module says what it is by `name`, `order` (the server's preference, low first) and `media_types` (the
first is sent), and has only the functions it can honour:

* ``dumps(data, root) -> bytes`` and ``loads(body, root, charset) -> data`` for any document;
* ``problem(data) -> bytes`` and ``problem_type`` for failures (RFC 9457);
* ``write(records, fields) -> chunks`` (`fields`: what each record has, in order) and ``read(stream) -> (line,
  record) pairs`` for streams of books.

`aliases` are media types that `Accept` may also use for it, `patch_types` those that a PATCH may send.
"""
import importlib
import pkgutil
from types import ModuleType


class Malformed(ValueError):
    """A body that is not what its media type says; the message tells the client what to mend."""


class Invalid(ValueError):
    """A well-formed body that no resource could have; `errors` lists {field or pointer, detail}."""

    def __init__(self, errors: list[dict]):
        super().__init__("; ".join(error["detail"] for error in errors))
        self.errors = errors


MAX_DEPTH = 32

_all: list[ModuleType] = []


def all_formats() -> list[ModuleType]:
    """Every format, in the server's order."""
    if not _all:
        found = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
        _all.extend(sorted(found, key=lambda module: module.order))
    return _all


def by_name(name: str) -> ModuleType | None:
    """The format of that name, or None."""
    return next((module for module in all_formats() if module.name == name), None)


def having(function: str) -> list[ModuleType]:
    """The formats that have this function, in the server's order."""
    return [module for module in all_formats() if hasattr(module, function)]
