"""How XML is read: by lxml, with everything but elements and text switched off. A DOCTYPE is refused before a parser
sees it."""

import codecs
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from lxml import etree

from .. import MAX_DEPTH, MAX_FIELDS, MAX_RECORD, Invalid, Malformed
from .names import ITEMS

PIECE = 64 * 1024  # bytes of a stream that are read together
MAX_ERRORS = 100  # no more are told to anybody
MAX_ITEMS = 10_000  # of a list in a whole document; none may have as many
MAX_TAGS = {
    True: 200_000,
    False: 10_000,
}  # of a whole document: one that may be a list of books, and any other

_ENCODINGS = {"utf-8": ("utf-8",), "utf-16": ("utf-16", "utf-16le", "utf-16be")}
_DECLARED = re.compile(r"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
# Only white space, comments and instructions may stand before a DOCTYPE; the possessive forms never backtrack.
_PROLOGUE = r"(?>\s++|<\?.*?\?>|<!--.*?-->)*+"
_DOCTYPE = re.compile(_PROLOGUE + "<!DOCTYPE", re.DOTALL | re.IGNORECASE)
_BEGUN = re.compile(_PROLOGUE + "<[^!?]", re.DOTALL)
_TOO_DEEP = etree.XPath(
    "boolean(%s)" % ("/*" * (MAX_DEPTH + 1))
)  # in C: elements in Python cost 2 us each
_SAFE = {
    "encoding": "utf-8",
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def loads(body: bytes, roots: Sequence[str], charset: str | None = None) -> dict:
    """The members of the root element, one of `roots`: text, None for an empty element, lists by ITEMS.

    Raises Malformed for what is not well-formed or holds a DOCTYPE, and Invalid, with all it found, for
    another root, attributes, namespaces, mixed text and repeated fields. `charset` is the media type's.
    """
    text = _decode(body, charset)
    if text.count("<") > MAX_TAGS["catalogue" in roots]:
        raise Malformed(f"has more than {MAX_TAGS['catalogue' in roots]} tags")
    element = _parse(text)
    if element.tag not in roots:
        meant = " or ".join(f"<{root}>" for root in roots)
        raise _at_root(f"the root element must be {meant}, without a namespace")
    errors = list(itertools.islice(_namespaces(element), MAX_ERRORS)) if "xmlns" in text else []
    _check_plain(element, None, errors)
    data = _members(element, None, errors)
    if element.tag == "catalogue":
        data.setdefault("books", [])
    elif "books" in data:
        errors.append(
            {"field": "books", "detail": f"stands in <catalogue>, not in <{element.tag}>"}
        )
    if errors:
        raise Invalid(errors)
    return data


def _decode(body: bytes, charset: str | None) -> str:
    """The body as text; the byte order mark, the declaration and the media type must agree."""
    real, codec = _real_encoding(body)
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise Malformed(
            f"not valid {real.upper()} at byte {error.start}; XML is read as UTF-8 or UTF-16"
        ) from None
    _check_said(text, real, charset)
    return text


def _real_encoding(body: bytes) -> tuple[str, str]:
    """UTF-8 or UTF-16, by how the body begins, and the codec for it."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16", "utf-16"
    if body.startswith((b"<\0", b"\0<")):
        return "utf-16", "utf-16-le" if body.startswith(b"<") else "utf-16-be"
    return "utf-8", "utf-8-sig"


def _check_said(text: str, real: str, charset: str | None) -> None:
    if text.startswith("\ufeff"):
        raise Malformed("the byte order mark stands twice")
    declared = _DECLARED.match(text)
    for said in (declared and declared[1], charset):
        if said is not None and said.lower() not in _ENCODINGS[real]:
            raise Malformed(
                f"the body is {real.upper()}, but says that it is something else; "
                "XML is read as UTF-8 or UTF-16"
            )


def _parse(text: str) -> etree._Element:
    if _DOCTYPE.match(text):
        raise _with_doctype()
    try:
        element = etree.fromstring(text.encode(), etree.XMLParser(**_SAFE))
    except etree.XMLSyntaxError as error:
        raise _not_well_formed(error) from None
    if element.getroottree().docinfo.doctype:
        raise _with_doctype()
    if _TOO_DEEP(element):
        raise _too_deep()
    return element


def _with_doctype() -> Malformed:
    return Malformed("a DOCTYPE is not allowed")


def _too_deep() -> Malformed:
    return Malformed(f"nested deeper than {MAX_DEPTH} levels")


def _not_well_formed(error: etree.XMLSyntaxError) -> Malformed:
    return Malformed(f"not well-formed XML: {error.msg}" if error.msg else "not well-formed XML")


def _at_root(detail: str) -> Invalid:
    return Invalid([{"pointer": "/", "detail": detail}])


def _members(element: etree._Element, field: str | None, errors: list[dict]) -> dict:
    if len(element) > MAX_FIELDS:
        raise Malformed(f"an element has more than {MAX_FIELDS} fields")
    data: dict[str, Any] = {}
    for child in element:
        within = field or str(child.tag)
        if child.tag in data:
            errors.append({"field": within, "detail": f"<{child.tag}> stands more than once"})
        data[child.tag] = _value(child, within, errors)
    return data


def _value(element: etree._Element, field: str, errors: list[dict]) -> Any:
    _check_plain(element, field, errors)
    item = ITEMS.get(element.tag)
    if item is None:
        return _members(element, field, errors) if len(element) else element.text or None
    if any(child.tag != item for child in element) or (
        not len(element) and (element.text or "").strip()
    ):
        errors.append({"field": field, "detail": f"<{element.tag}> holds only <{item}> elements"})
    if len(element) > MAX_ITEMS:
        errors.append({"field": field, "detail": f"has more than {MAX_ITEMS} items"})
        return []
    if item == "book":
        return [
            _book(child, place, errors)
            for place, child in enumerate(element)
            if len(errors) < MAX_ERRORS
        ]
    return [_value(child, field, errors) for child in element if len(errors) < MAX_ERRORS]


def _book(element: etree._Element, place: int, errors: list[dict]) -> dict:
    """One of a list of books; what is wrong with it is told with its place."""
    own: list[dict] = []
    _check_plain(element, None, own)
    book = _members(element, None, own)
    errors += [
        {**error, "pointer": f"/books/{place}/{error.get('field', '')}".rstrip("/")}
        for error in own
    ]
    return book


def _namespaces(root: etree._Element) -> Iterator[dict]:
    """An error for each element that declares one; `nsmap` would gather those of all ancestors, for each element."""
    declared = False
    for event, what in etree.iterwalk(root, events=("start-ns", "start")):
        if event == "start" and declared:
            within = next(
                (step for step in (what, *what.iterancestors()) if step.getparent() is root), None
            )
            where = {"pointer": "/"} if within is None else {"field": str(within.tag)}
            yield {**where, "detail": "namespaces are not allowed"}
        declared = event == "start-ns"


def _check_plain(element: etree._Element, field: str | None, errors: list[dict]) -> None:
    where = {"field": field} if field else {"pointer": "/"}
    if element.attrib:
        errors.append({**where, "detail": "attributes are not allowed"})
    own_text = (element.text or "").strip() if len(element) or field is None else ""
    if own_text or any((child.tail or "").strip() for child in element):
        errors.append({**where, "detail": "text between elements is not allowed"})


# -- a stream of books --------------------------------------------------------------------------------------------


def read(
    stream: BinaryIO, encoding: str | None = None
) -> Iterator[tuple[int, dict[str, Any] | Invalid | Malformed]]:
    """(line where it begins, record) for each element of ``<catalogue><books>…``; an Invalid or a Malformed in a
    record's place where it holds what `loads` would refuse. What else a list answer has is passed over.

    Raises Malformed and Invalid, as `loads` does, for what is wrong around the books.
    """
    events, tree = _Events(stream, encoding), _Tree()
    for event, element in events:
        if event == "start":
            tree.begin(element)
        elif tree.end(element):
            yield element.sourceline, _record(element)
            element.clear(keep_tail=True)
            events.of_one_record = 0
    if tree.books is None:
        raise _at_root("there is no <books> in <catalogue>")


def _record(element: etree._Element) -> dict[str, Any] | Invalid | Malformed:
    errors = list(_namespaces(element))
    if element.tag != "book":
        errors.append({"detail": "<books> holds only <book> elements, without a namespace"})
    _check_plain(element, None, errors)
    try:
        members = _members(element, None, errors)
    except Malformed as error:
        return error
    return Invalid(errors) if errors else members


class _Events:
    """The starts and ends of elements as they come in, as long as no record is too long."""

    def __init__(self, stream: BinaryIO, charset: str | None):
        self._pieces = _pieces(stream, charset)
        self.of_one_record = 0  # characters since the last one ended

    def __iter__(self) -> Iterator[tuple[str, etree._Element]]:
        parser = etree.XMLPullParser(("start", "end"), **_SAFE)
        try:
            for text in self._pieces:
                self.of_one_record += len(text)
                if self.of_one_record > MAX_RECORD:
                    raise Malformed(
                        f"a book, or what stands between two, has more than {MAX_RECORD} characters"
                    )
                parser.feed(text.encode())
                yield from parser.read_events()
            parser.close()
        except etree.XMLSyntaxError as error:
            raise _not_well_formed(error) from None
        yield from parser.read_events()


def _pieces(stream: BinaryIO, charset: str | None) -> Iterator[str]:
    """A body as text, piece by piece. The root begins in the first, and no DOCTYPE before it."""
    data = stream.read(PIECE)
    real, codec = _real_encoding(data)
    decode = codecs.getincrementaldecoder(codec)().decode
    try:
        text = decode(data)
        _check_said(text, real, charset)
        if _DOCTYPE.match(text):
            raise _with_doctype()
        if len(data) == PIECE and not _BEGUN.match(text):
            raise Malformed(f"not XML: no element begins in its first {PIECE} bytes")
        yield text
        while data:
            data = stream.read(PIECE)
            yield decode(data, not data)
    except UnicodeDecodeError as error:
        raise Malformed(
            f"not valid {real.upper()} ({error.reason}); XML is read as UTF-8 or UTF-16"
        ) from None


class _Tree:
    """Where in the document the reading is. What it is done with is let go of, so that the memory does not grow."""

    def __init__(self) -> None:
        self._path: list[etree._Element] = []  # from the root on
        self.books: etree._Element | None = None

    def begin(self, element: etree._Element) -> None:
        """An element begins. Raises what is wrong with its place."""
        depth = len(self._path)
        if depth == MAX_DEPTH:
            raise _too_deep()
        if depth == 0:
            _check_root(element)
        elif depth == 1 or self._is_in_books():
            _let_go_before(element)
        if depth == 1 and element.tag == "books":
            self._begin_books(element)
        self._path.append(element)

    def _begin_books(self, element: etree._Element) -> None:
        if self.books is not None:
            raise Invalid([{"field": "books", "detail": "<books> stands more than once"}])
        _check_bare(element)
        self.books = element

    def _is_in_books(self) -> bool:
        return len(self._path) == 2 and self._path[1] is self.books

    def end(self, element: etree._Element) -> bool:
        """An element ends; whether it is one of the books."""
        self._path.pop()
        if not self._path or element is self.books:
            _check_blank(element[-1].tail if len(element) else element.text)
        return self._is_in_books()


def _check_root(element: etree._Element) -> None:
    if element.getroottree().docinfo.doctype:
        raise _with_doctype()
    if element.tag != "catalogue":
        raise _at_root("the root element must be <catalogue>, without a namespace")
    _check_bare(element)


def _check_bare(element: etree._Element) -> None:
    """Raises Invalid for an element around the books that has attributes or namespaces."""
    if element.attrib or element.nsmap:
        raise _at_root("attributes and namespaces are not allowed")


def _check_blank(text: str | None) -> None:
    if text and text.strip():
        raise _at_root("text between elements is not allowed")


def _let_go_before(element: etree._Element) -> None:
    """Take out of the tree what stands before an element. Many may be behind it already: a piece is parsed at once."""
    before, parent = element.getprevious(), element.getparent()
    _check_blank(parent.text if before is None else before.tail)
    if before is not None:
        parent.remove(before)
