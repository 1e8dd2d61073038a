"""How XML is read: one pass by lxml's iterparse, for requests and imports alike.

Everything but elements and text is switched off, and a DOCTYPE is refused before a parser sees it.
"""

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from lxml import etree

from .. import MAX_DEPTH, MAX_FIELDS, MAX_RECORD, MAX_VALUES, Invalid, Malformed, Record
from .names import ITEMS, RECORDS_OF

MAX_ERRORS = 100
MAX_BOOKS = 1000  # of a document that is read whole
PIECE = 16 * 1024  # bytes: what is parsed before the number of tags is checked again

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_ENCODINGS = {"utf-8": ("utf-8",), "utf-16": ("utf-16", "utf-16le", "utf-16be")}
_DECLARED = re.compile(r"""<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
# Only white space, comments and instructions may stand before a DOCTYPE; the possessive forms never
# backtrack.
_PROLOGUE = r"(?>\s++|<\?.*?\?>|<!--.*?-->)*+"
_DOCTYPE = re.compile(_PROLOGUE + "<!DOCTYPE", re.DOTALL | re.IGNORECASE)
_BEGUN = re.compile(_PROLOGUE + "<[^!?]", re.DOTALL)


def loads(body: bytes, roots: Sequence[str], charset: str | None = None) -> dict[str, Any]:
    """The members of the root element, one of `roots`: text, None for an empty element, lists by
    ITEMS.

    Raises Malformed for what is not well-formed, too deep or too large or has a DOCTYPE, and
    Invalid, with all errors, for another root, attributes, namespaces, mixed text and repeated
    fields. `charset` is the media type's.
    """
    document = _Document(io.BytesIO(body), charset, roots)
    errors: list[dict[str, Any]] = []
    books: list[dict[str, Any]] = []
    for place, element in enumerate(document.records()):
        if place == MAX_BOOKS:
            raise Invalid([{"field": "books", "detail": f"has more than {MAX_BOOKS} items"}])
        if len(errors) < MAX_ERRORS:
            own: list[dict[str, Any]] = []
            books.append(_book(element, own))
            errors += [
                {**error, "pointer": f"/books/{place}/{error.get('field', '')}".rstrip("/")}
                for error in own
            ]
    root = document.root
    _check_plain(root, None, errors)
    data = _members(root, None, errors)
    if root.tag == "catalogue":
        data["books"] = books
    elif "books" in data:
        errors.append({"field": "books", "detail": f"stands in <catalogue>, not in <{root.tag}>"})
    if errors:
        raise Invalid(errors)
    return data


def read(stream: BinaryIO, encoding: str | None = None) -> Iterator[Record]:
    """The records of ``<catalogue><books>…``, with an Invalid or a Malformed in the place of one
    that `loads` would refuse; or those of another program's list (RECORDS_OF), leniently:
    attributes become members ``name@attribute``.

    Raises Malformed and Invalid, as `loads` does, for what is wrong around the records.
    """
    document = _Document(stream, encoding, ("catalogue", *RECORDS_OF))
    for element in document.records():
        if document.root.tag in RECORDS_OF:
            yield None, _lenient(element)
            continue
        errors: list[dict[str, Any]] = []
        try:
            record = _book(element, errors)
        except Malformed as error:
            yield None, error
        else:
            yield None, Invalid(errors) if errors else record
    if document.root.tag == "catalogue":
        if not document.has_records:
            raise _at_root("there is no <books> in <catalogue>")
        around: list[dict[str, Any]] = []
        for element in (document.root, document.root.find("books")):
            _check_plain(element, None, around)
        if around:
            raise Invalid(around)


class _Document:
    """A document while it is parsed: its root, and its records, which leave the tree when they were
    used.
    """

    def __init__(self, stream: BinaryIO, charset: str | None, roots: Sequence[str]):
        self._text, self._roots = _Utf8(stream, charset), roots
        self.root: Any = None
        self.has_records = False  # whether there is an element that holds them

    def records(self) -> Iterator[etree._Element]:
        """The elements in ``<catalogue><books>``, or in the root of another program's list."""
        depth, of_records = 0, 0  # the depth at which records stand; 0: not in their list
        events = etree.iterparse(
            self._text,
            events=("start", "end"),
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            for event, element in events:
                if event == "start":
                    depth += 1
                    if depth > MAX_DEPTH:
                        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
                    if depth <= 2:
                        of_records = self._list_begins(element, depth, of_records)
                    continue
                if depth == of_records:
                    yield element
                    self._remove(element)
                elif depth == of_records - 1:
                    _check_blank(element, element[-1].tail if len(element) else element.text)
                    of_records = 0
                depth -= 1
        except etree.XMLSyntaxError as error:
            line, column = error.position
            place = f" at line {line}, column {column}" if line else ""
            raise Malformed(f"not well-formed XML{place}") from None

    def _remove(self, record: Any) -> None:
        """Free the memory of a record and of what stands before it."""
        record.clear(keep_tail=True)  # the text after it was parsed with it
        parent: Any = record.getparent()
        _check_blank(parent, parent.text)
        while parent[0] is not record:
            _check_blank(parent, parent[0].tail)
            del parent[0]
        self._text.begin_record()

    def _list_begins(self, element: etree._Element, depth: int, of_records: int) -> int:
        if depth == 1:
            self.root = element
            if element.getroottree().docinfo.internalDTD is not None:
                raise Malformed("a DOCTYPE is not allowed")
            if element.tag not in self._roots:
                meant = " or ".join(f"<{root}>" for root in self._roots if root not in RECORDS_OF)
                raise _at_root(f"the root element must be {meant}, without a namespace")
            if element.tag in RECORDS_OF:
                return 2
            if element.tag != "catalogue":
                self._text.limit(MAX_VALUES)
            return 0
        if self.root.tag == "catalogue" and element.tag == "books":
            if self.has_records:
                raise Invalid([{"field": "books", "detail": "<books> stands more than once"}])
            self.has_records = True
            return 3
        return of_records


class _Utf8:
    """A file for iterparse: the stream's text as UTF-8, checked for its encoding, a DOCTYPE and its
    size.
    """

    def __init__(self, stream: BinaryIO, charset: str | None):
        self._stream, self._size, self._tags = stream, 0, 0
        self._most = MAX_VALUES + PIECE // 4  # a piece may have more than one record
        self._waiting = self._begin(charset)

    def _begin(self, charset: str | None) -> str:
        data = self._stream.read(PIECE)
        self._encoding, codec = "utf-8", "utf-8-sig"
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._encoding, codec = "utf-16", "utf-16"
        elif data.startswith((b"<\0", b"\0<")):
            self._encoding = "utf-16"
            codec = "utf-16-le" if data.startswith(b"<") else "utf-16-be"
        self._decode = codecs.getincrementaldecoder(codec)().decode
        text = self._as_text(data)
        declared = _DECLARED.match(text)
        for name in (declared and declared[1], charset):
            if name is not None and name.lower() not in _ENCODINGS[self._encoding]:
                raise Malformed(
                    f"the body is {self._encoding.upper()}, but declared as another encoding; "
                    "XML is read as UTF-8 or UTF-16"
                )
        if text.startswith("\ufeff"):
            raise Malformed("the byte order mark stands twice")
        if _DOCTYPE.match(text):
            raise Malformed("a DOCTYPE is not allowed")
        if len(data) == PIECE and not _BEGUN.match(text):
            raise Malformed(f"not XML: no element begins in its first {PIECE} bytes")
        return text

    def _as_text(self, data: bytes) -> str:
        try:
            return self._decode(data, not data)
        except UnicodeDecodeError as error:
            raise Malformed(
                f"not valid {self._encoding.upper()} ({error.reason}); XML is UTF-8 or UTF-16 here"
            ) from None

    def limit(self, tags: int) -> None:
        """The document is one record, with at most so many tags."""
        self._most = tags
        self._check_size()

    def begin_record(self) -> None:
        """What is read from here on belongs to the next record."""
        self._size = self._tags = 0

    def read(self, size: int) -> bytes:
        """The next piece. Raises Malformed where a record is too large."""
        text, self._waiting = self._waiting, ""
        while not text:
            data = self._stream.read(PIECE)
            text = self._as_text(data)
            if not data:
                break
        self._size += len(text)
        self._tags += text.count("<")
        self._check_size()
        return text.encode()

    def _check_size(self) -> None:
        if self._size > MAX_RECORD or self._tags > self._most:
            raise Malformed(f"has more than {MAX_VALUES} tags or {MAX_RECORD} characters")


# -- elements as data ------------------------------------------------------------------------------


def _at_root(detail: str) -> Invalid:
    return Invalid([{"pointer": "/", "detail": detail}])


def _check_blank(parent: etree._Element, text: str | None) -> None:
    if text and text.strip():
        pointer = "/books" if parent.tag == "books" else "/"
        raise Invalid([{"pointer": pointer, "detail": "text between elements is not allowed"}])


def _book(element: etree._Element, errors: list[dict[str, Any]]) -> dict[str, Any]:
    if element.tag != "book":
        errors.append({"detail": "<books> holds only <book> elements, without a namespace"})
    if len(element) and sum(1 for _ in element.iter()) > MAX_VALUES:
        raise Malformed(f"has more than {MAX_VALUES} tags")
    _check_plain(element, None, errors)
    return _members(element, None, errors)


def _members(
    element: etree._Element, field: str | None, errors: list[dict[str, Any]]
) -> dict[str, Any]:
    if len(element) > MAX_FIELDS:
        raise Malformed(f"an element has more than {MAX_FIELDS} children")
    data: dict[str, Any] = {}
    for child in element:
        name = str(child.tag)
        if name in data:
            errors.append({"field": field or name, "detail": f"<{name}> stands more than once"})
        data[name] = _value(child, field or name, errors)
    return data


def _value(element: etree._Element, field: str, errors: list[dict[str, Any]]) -> Any:
    _check_plain(element, field, errors)
    item = ITEMS.get(str(element.tag))
    if item is None:
        return _members(element, field, errors) if len(element) else element.text or None
    if len(element) > MAX_FIELDS:
        raise Malformed(f"an element has more than {MAX_FIELDS} children")
    if any(child.tag != item for child in element) or (
        not len(element) and (element.text or "").strip()
    ):
        errors.append({"field": field, "detail": f"<{element.tag}> holds only <{item}> elements"})
    return [_value(child, field, errors) for child in element if len(errors) < MAX_ERRORS]


def _check_plain(element: etree._Element, field: str | None, errors: list[dict[str, Any]]) -> None:
    """Adds an error for attributes, a namespace and mixed text. Serializers write ``xsi:nil`` for
    null by themselves.
    """
    where = {"field": field} if field else {"pointer": "/"}
    tag = str(element.tag)
    if tag.startswith("{"):
        errors.append({**where, "detail": "namespaces are not allowed"})
    if element.attrib and not (
        element.attrib.keys() == [NIL]
        and element.attrib[NIL] in ("true", "1")
        and not len(element)
        and not element.text
    ):
        errors.append({**where, "detail": "attributes are not allowed"})
    own_text = (element.text or "").strip() if len(element) or field is None else ""
    if own_text or any((child.tail or "").strip() for child in element):
        errors.append({**where, "detail": "text between elements is not allowed"})


def _lenient(element: Any) -> dict[str, Any]:
    """The members of another program's record."""
    record: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        items = [_text_of(item) for item in child]
        record[child.tag] = items if items and not (child.text or "").strip() else _text_of(child)
        record |= {f"{child.tag}@{name}": value for name, value in child.attrib.items()}
    return record


def _text_of(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())
