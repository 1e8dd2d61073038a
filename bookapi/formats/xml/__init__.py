"""XML in the dialect of dicttoxml, without attributes, types or namespaces (docs/api.md, Formats).

dicttoxml takes about 0.17 ms for each element, 200 ms and more for a list of 100 books, so books
and lists are written by `_marked_up`, in 0.7 ms. dicttoxml writes all other documents and problems.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import dicttoxml

from .. import CHUNK, Format
from .names import ITEMS, WRITTEN
from .reading import loads, read

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
PROBLEM_NAMESPACE = "urn:ietf:rfc:7807"  # RFC 9457, appendix B, kept that of RFC 7807

# Lists and what is read most; a property test holds that dicttoxml would write the same bytes.
OWN_WRITER = {
    "book",
    "catalogue",
    "history",
    "changes",
    "terms",
    "users",
    "sessions",
    "tokens",
    "events",
    "report",
}
logging.getLogger("dicttoxml").setLevel(logging.ERROR)  # it logs every value of every record


def dumps(data: dict[str, Any], root: str) -> bytes:
    """The document as UTF-8; null fields are left out, empty lists are empty elements."""
    inner = _escaped(_marked_up(data)) if root in OWN_WRITER else by_dicttoxml(data).encode()
    return b"%b<%b>%b</%b>" % (DECLARATION, root.encode(), inner, root.encode())


def problem(data: dict[str, Any]) -> bytes:
    """A problem in the XML of RFC 9457, appendix B: its own namespace, list items named `i`."""
    inner = by_dicttoxml(data, lambda parent: "i")
    return DECLARATION + f'<problem xmlns="{PROBLEM_NAMESPACE}">{inner}</problem>'.encode()


def write(records: Iterable[dict[str, Any]], fields: Sequence[str] = ()) -> Iterator[bytes]:
    """``<catalogue><books>…`` in chunks of about 64 KiB, the first one small so that it is sent
    early.
    """
    head, parts, size, limit = DECLARATION + b"<catalogue><books>", list[str](), 0, 4096
    for record in records:
        part = f"\x01book\x02{_marked_up(record)}\x01/book\x02"
        parts.append(part)
        size += len(part)
        if size >= limit:
            yield head + _escaped("".join(parts))
            head, parts, size, limit = b"", [], 0, CHUNK
    yield head + _escaped("".join(parts)) + b"</books></catalogue>"


def by_dicttoxml(
    data: dict[str, Any],
    item_func: Callable[[str], str] = lambda parent: WRITTEN.get(parent, "item"),
) -> str:
    """The inside of a document as dicttoxml writes it."""
    written = dicttoxml.dicttoxml(  # type: ignore[no-untyped-call]
        _without_nulls(data), root=False, attr_type=False, item_func=item_func
    )
    # A bare CR would be read back as LF (XML 1.0, section 2.11); dicttoxml does not escape it.
    return str(written.decode().replace("\r", "&#13;"))


def _without_nulls(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    if isinstance(data, list):
        return [_without_nulls(value) for value in data]
    return data


# -- the books' own writer -------------------------------------------------------------------------

# Markup is written with two characters that no text may have, so that a whole document is escaped
# at once and not each of its values. (str.translate is twenty times as slow as the passes of
# replace below.)
_LESS, _GREATER = b"\x01", b"\x02"


def _escaped(marked_up: str) -> bytes:
    # As bytes: the same passes over a text with one Chinese character in it take four times as
    # long.
    data = (
        marked_up.encode().replace(b"&", b"&amp;").replace(b'"', b"&quot;").replace(b"'", b"&apos;")
    )
    data = data.replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b"\r", b"&#13;")
    return data.replace(_LESS, b"<").replace(_GREATER, b">")


def _marked_up(record: dict[str, Any]) -> str:
    template, nested = _template(tuple(record), tuple(map(type, record.values())))
    values = [value for value in record.values() if value is not None]
    for at, item in nested:
        value = values[at]
        if type(value) is dict:
            values[at] = _marked_up(value)
        elif type(value) is bool:
            values[at] = "true" if value else "false"
        elif value:
            item = item or ITEMS[record["field"]]  # `before` and `after` in a history
            inner = map(_marked_up, value) if type(value[0]) is dict else value
            values[at] = (
                f"\x01{item}\x02"
                + f"\x01/{item}\x02\x01{item}\x02".join(inner)
                + f"\x01/{item}\x02"
            )
        else:
            values[at] = ""
    return template % tuple(values)


@functools.lru_cache(maxsize=4096)
def _template(keys: tuple[str, ...], kinds: tuple[type, ...]) -> tuple[str, list[tuple[int, str]]]:
    """What all records with these keys and types of values share: the markup, and which of the
    values that are not null are nested, with the name of a list's items.
    """
    there = [(key, kind) for key, kind in zip(keys, kinds, strict=True) if kind is not type(None)]
    nested = [
        (at, WRITTEN.get(key, ""))
        for at, (key, kind) in enumerate(there)
        if kind in (list, dict, bool)
    ]
    return "".join(f"\x01{key}\x02%s\x01/{key}\x02" for key, _ in there), nested


FORMAT = Format(
    name="xml",
    order=20,
    media_types=("application/xml", "text/xml"),
    aliases=("application/problem+xml",),
    problem_type="application/problem+xml",
    dumps=dumps,
    loads=loads,
    problem=problem,
    write=write,
    read=read,
)
